// The choice of the instruction set, and of the kernels that go with it.
#include "cc/lib/core/instruction_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "cc/lib/matrix/matrix_loops.h"
#include "cc/lib/matrix/matrix_loops_isa.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/row_loops_isa.h"

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

template <typename Kernels>
bool IsOf(InstructionSet set, const Kernels& chosen, const Kernels& baseline, const Kernels& avx2,
          const Kernels& avx512) {
  return &chosen == (set >= InstructionSet::kAvx512 ? &avx512
                     : set == InstructionSet::kAvx2 ? &avx2
                                                    : &baseline);
}

// The choice is made once in a process, so each gets a process of its own.
[[noreturn]] void ExitWithWhetherChosen(const char* limit, InstructionSet expected) {
  if (limit == nullptr) {
    unsetenv("CANDSAMP_MAX_ISA");
  } else {
    setenv("CANDSAMP_MAX_ISA", limit, 1);
  }
  const bool right = ChosenInstructionSet() == expected &&
                     IsOf(expected, ChosenRowLoops<float>(), baseline::kFloatRows, avx2::kFloatRows,
                          avx512::kFloatRows) &&
                     IsOf(expected, ChosenRowLoops<double>(), baseline::kDoubleRows,
                          avx2::kDoubleRows, avx512::kDoubleRows) &&
                     IsOf(expected, ChosenRowLoops<Bfloat16>(), baseline::kBfloat16Rows,
                          avx2::kBfloat16Rows, avx512::kBfloat16Rows) &&
                     IsOf(expected, ChosenRowLoops<Half>(), baseline::kHalfRows, avx2::kHalfRows,
                          avx512::kHalfRows) &&
                     IsOf(expected, ChosenLogitLoops<float>(), baseline::kFloatLogits,
                          avx2::kFloatLogits, avx512::kFloatLogits) &&
                     IsOf(expected, ChosenLogitLoops<double>(), baseline::kDoubleLogits,
                          avx2::kDoubleLogits, avx512::kDoubleLogits) &&
                     IsOf(expected, ChosenMatrixLoops<float>(), baseline::kFloatMatrices,
                          avx2::kFloatMatrices, avx512::kFloatMatrices) &&
                     IsOf(expected, ChosenMatrixLoops<double>(), baseline::kDoubleMatrices,
                          avx2::kDoubleMatrices, avx512::kDoubleMatrices);
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
