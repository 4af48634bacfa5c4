// SPDX-License-Identifier: Apache-2.0
// Tests that run for every instruction set that this machine has.
#ifndef TF_CANDSAMP_TESTS_CC_TESTING_EVERY_ISA_H_
#define TF_CANDSAMP_TESTS_CC_TESTING_EVERY_ISA_H_

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <type_traits>

#include "cc/lib/core/half.h"
#include "cc/lib/core/instruction_set.h"

namespace candsamp {

// Asks the CPU by itself: ChosenInstructionSet is under test, and may be lowered.
inline bool CpuHas(InstructionSet set) {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  switch (set) {
    case InstructionSet::kBaseline:
      return true;
    case InstructionSet::kAvx2:
      return avx2;
    case InstructionSet::kAvx512:
      return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    default:  // only some matrix loops have more
      return false;
  }
}

// The table of one instruction set, whatever the machine has.
template <typename Loops>
const Loops& OfInstructionSet(InstructionSet set, const Loops& baseline, const Loops& avx2,
                              const Loops& avx512) {
  return set == InstructionSet::kAvx512 ? avx512 : set == InstructionSet::kAvx2 ? avx2 : baseline;
}
#define CANDSAMP_ISA_TABLE(set, name) \
  OfInstructionSet(set, baseline::name, avx2::name, avx512::name)

// The parameter of a typed test: an instruction set, and a type of values.
template <InstructionSet kSet, typename T>
struct Compiled {
  using Type = T;
  static constexpr InstructionSet kInstructionSet = kSet;
};

// Every instruction set with each of the types.
template <typename... T>
using EveryIsaWith =
    testing::Types<Compiled<InstructionSet::kBaseline, T>..., Compiled<InstructionSet::kAvx2, T>...,
                   Compiled<InstructionSet::kAvx512, T>...>;

struct CompiledName {
  template <typename C>
  static std::string GetName(int) {
    using T = typename C::Type;
    const char* type = std::is_same_v<T, float>    ? "Float"
                       : std::is_same_v<T, double> ? "Double"
                       : std::is_same_v<T, Half>   ? "Half"
                                                   : "Bfloat16";
    return std::string(InstructionSetName(C::kInstructionSet)) + type;
  }
};

// The fixture of a typed test over EveryIsaWith types. Skips what the machine cannot run.
template <typename C>
class EveryIsaTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!CpuHas(C::kInstructionSet)) GTEST_SKIP() << "this machine cannot run it";
  }

  std::mt19937 random_{1};
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_TESTING_EVERY_ISA_H_
