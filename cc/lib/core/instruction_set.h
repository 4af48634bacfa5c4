// Which instruction set the hot loops run in.
#ifndef TF_CANDSAMP_CC_LIB_CORE_INSTRUCTION_SET_H_
#define TF_CANDSAMP_CC_LIB_CORE_INSTRUCTION_SET_H_

namespace candsamp {

// Each has what those before it have. kAvx512Bf16 and kAmx multiply matrices in bfloat16.
enum class InstructionSet { kBaseline, kAvx2, kAvx512, kAvx512Bf16, kAmx };

// The widest set that this machine has, read once. The environment variable CANDSAMP_MAX_ISA
// (baseline, avx2, avx512, avx512bf16 or amx; others are ignored) lowers it, for tests and
// comparisons.
InstructionSet ChosenInstructionSet();

const char* InstructionSetName(InstructionSet set);

// The widest of three that the chosen set can run.
template <typename Kernels>
const Kernels& ByInstructionSet(const Kernels& baseline, const Kernels& avx2,
                                const Kernels& avx512) {
  switch (ChosenInstructionSet()) {
    case InstructionSet::kAmx:
    case InstructionSet::kAvx512Bf16:
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

#endif  // TF_CANDSAMP_CC_LIB_CORE_INSTRUCTION_SET_H_
