// Which instruction set the hot loops run in.
#ifndef TF_CANDSAMP_CC_LIB_INSTRUCTION_SET_H_
#define TF_CANDSAMP_CC_LIB_INSTRUCTION_SET_H_

namespace candsamp {

enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

// The widest set that this machine has, read once. The environment variable CANDSAMP_MAX_ISA
// (baseline, avx2 or avx512; others are ignored) lowers it, for tests and comparisons.
InstructionSet ChosenInstructionSet();

const char* InstructionSetName(InstructionSet set);

// The one of three that was compiled for the chosen set.
template <typename Kernels>
const Kernels& ByInstructionSet(const Kernels& baseline, const Kernels& avx2,
                                const Kernels& avx512) {
  switch (ChosenInstructionSet()) {
    case InstructionSet::kAvx512:
      return avx512;
    case InstructionSet::kAvx2:
      return avx2;
    case InstructionSet::kBaseline:
      break;
  }
  return baseline;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_INSTRUCTION_SET_H_
