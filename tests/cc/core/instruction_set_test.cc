// SPDX-License-Identifier: Apache-2.0
// The choice of the instruction set, and of the tables of loops for it.
#include "cc/lib/core/instruction_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "cc/lib/matrix/matrix_loops.h"
#include "cc/lib/matrix/matrix_loops_isa.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/row_loops_isa.h"
#include "tests/cc/testing/every_isa.h"

namespace candsamp {
namespace {

InstructionSet Widest() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
    if (!__builtin_cpu_supports("avx512bf16")) return InstructionSet::kAvx512;
    // Linux lets processes use AMX since 5.16.
    return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16")
               ? InstructionSet::kAmx
               : InstructionSet::kAvx512Bf16;
  }
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
             ? InstructionSet::kAvx2
             : InstructionSet::kBaseline;
}

#define CANDSAMP_IS_CHOSEN(set, chosen, name) \
  (&(chosen) == &CANDSAMP_ISA_TABLE(std::min(set, InstructionSet::kAvx512), name))

// A process chooses once, so each choice is tested in a process of its own.
[[noreturn]] void ExitWithWhetherChosen(const char* limit, InstructionSet expected) {
  if (limit == nullptr) {
    unsetenv("CANDSAMP_MAX_ISA");
  } else {
    setenv("CANDSAMP_MAX_ISA", limit, 1);
  }
  const bool right = ChosenInstructionSet() == expected &&
                     CANDSAMP_IS_CHOSEN(expected, ChosenRowLoops<float>(), kFloatRows) &&
                     CANDSAMP_IS_CHOSEN(expected, ChosenRowLoops<double>(), kDoubleRows) &&
                     CANDSAMP_IS_CHOSEN(expected, ChosenRowLoops<Bfloat16>(), kBfloat16Rows) &&
                     CANDSAMP_IS_CHOSEN(expected, ChosenRowLoops<Half>(), kHalfRows) &&
                     CANDSAMP_IS_CHOSEN(expected, ChosenLogitLoops<float>(), kFloatLogits) &&
                     CANDSAMP_IS_CHOSEN(expected, ChosenLogitLoops<double>(), kDoubleLogits) &&
                     CANDSAMP_IS_CHOSEN(expected, ChosenMatrixLoops<float>(), kFloatMatrices) &&
                     CANDSAMP_IS_CHOSEN(expected, ChosenMatrixLoops<double>(), kDoubleMatrices);
  std::_Exit(right ? 0 : 1);
}

TEST(InstructionSetDeathTest, IsTheWidestUnlessLowered) {
  const InstructionSet widest = Widest();
  const testing::ExitedWithCode success(0);
  EXPECT_EXIT(ExitWithWhetherChosen(nullptr, widest), success, "");
  EXPECT_EXIT(ExitWithWhetherChosen("baseline", InstructionSet::kBaseline), success, "");
  EXPECT_EXIT(ExitWithWhetherChosen("avx2", std::min(widest, InstructionSet::kAvx2)), success, "");
  EXPECT_EXIT(ExitWithWhetherChosen("avx512", std::min(widest, InstructionSet::kAvx512)), success,
              "");
  EXPECT_EXIT(ExitWithWhetherChosen("avx512bf16", std::min(widest, InstructionSet::kAvx512Bf16)),
              success, "");
  EXPECT_EXIT(ExitWithWhetherChosen("amx", widest), success, "");
  EXPECT_EXIT(ExitWithWhetherChosen("sse9", widest), success, "");
  EXPECT_EXIT(ExitWithWhetherChosen("", widest), success, "");
}

TEST(InstructionSetTest, NamesAreThoseOfTheVariable) {
  EXPECT_STREQ(InstructionSetName(InstructionSet::kBaseline), "baseline");
  EXPECT_STREQ(InstructionSetName(InstructionSet::kAvx2), "avx2");
  EXPECT_STREQ(InstructionSetName(InstructionSet::kAvx512), "avx512");
  EXPECT_STREQ(InstructionSetName(InstructionSet::kAvx512Bf16), "avx512bf16");
  EXPECT_STREQ(InstructionSetName(InstructionSet::kAmx), "amx");
}

}  // namespace
}  // namespace candsamp
