// SPDX-License-Identifier: Apache-2.0
// The instruction set that the hot loops run in.
#ifndef TF_CANDSAMP_CC_LIB_CORE_INSTRUCTION_SET_H_
#define TF_CANDSAMP_CC_LIB_CORE_INSTRUCTION_SET_H_

namespace candsamp {

// Each set includes those before it. kAvx512Bf16 and kAmx multiply matrices in bfloat16.
enum class InstructionSet { kBaseline, kAvx2, kAvx512, kAvx512Bf16, kAmx };

// The widest set that this machine has, found out once. The environment variable CANDSAMP_MAX_ISA
// lowers it, for tests and comparisons: baseline, avx2, avx512, avx512bf16 or amx. Other values
// change nothing.
InstructionSet ChosenInstructionSet();

const char* InstructionSetName(InstructionSet set);

// The table of loops of the widest instruction set that this machine has.
template <typename Loops>
const Loops& ByInstructionSet(const Loops& baseline, const Loops& avx2, const Loops& avx512) {
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
