// Which instruction set the hot loops run in.
#ifndef TF_CANDSAMP_CC_LIB_INSTRUCTION_SET_H_
#define TF_CANDSAMP_CC_LIB_INSTRUCTION_SET_H_

namespace candsamp {

enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

// The widest set that this machine has, read once. The environment variable CANDSAMP_MAX_ISA
// (baseline, avx2 or avx512; others are ignored) lowers it, for tests and comparisons.
InstructionSet ChosenInstructionSet();

const char* InstructionSetName(InstructionSet set);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_INSTRUCTION_SET_H_
