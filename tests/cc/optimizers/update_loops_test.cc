// SPDX-License-Identifier: Apache-2.0
// The update loops of every instruction set that this machine has, against the scalar formulas.
#include "cc/lib/optimizers/update_loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <type_traits>
#include <vector>

#include "cc/lib/optimizers/update_loops_isa.h"
#include "tests/cc/testing/every_isa.h"
#include "tests/cc/testing/numbers.h"

namespace candsamp {
namespace {

constexpr int64_t kRows = 23;

template <typename W>
const UpdateLoops<W>& LoopsOfSet(InstructionSet set) {
  if constexpr (std::is_same_v<W, float>) return CANDSAMP_ISA_TABLE(set, kFloatUpdates);
  if constexpr (std::is_same_v<W, double>) return CANDSAMP_ISA_TABLE(set, kDoubleUpdates);
  if constexpr (std::is_same_v<W, Bfloat16>) return CANDSAMP_ISA_TABLE(set, kBfloat16Updates);
  if constexpr (std::is_same_v<W, Half>) return CANDSAMP_ISA_TABLE(set, kHalfUpdates);
}

template <typename C>
class UpdateLoopsTest : public EveryIsaTest<C> {
 protected:
  using W = typename C::Type;
  using A = Accumulator<W>;

  // A table and its slots, in memory of exactly their size.
  struct State {
    std::vector<W> table;
    std::vector<A> slots[kMostSlots];
  };

  State RandomState(int64_t depth) {
    std::uniform_real_distribution<A> values(0.25, 2);
    State state;
    state.table.resize(kRows * depth);
    for (W& value : state.table) Narrow(values(this->random_) - A(1), &value);
    for (std::vector<A>& slot : state.slots) {
      slot.resize(kRows * depth);
      for (A& value : slot) value = values(this->random_);
    }
    // Of a centered RMSprop, so that the variance stays positive.
    for (A& value : state.slots[0]) value += 9;
    return state;
  }

  template <typename Formula>
  void ExpectScalarResults(const Formula& formula) {
    constexpr InstructionSet kSet = C::kInstructionSet;
    // Products and sums are not fused and roots are exact, so every instruction set gives the same
    // bits.
    const std::vector<int64_t> ids = {5, 22, 0, 7, 9, 21, 3, 2, 17, 1, 11};
    const int64_t count = static_cast<int64_t>(ids.size());
    for (const int64_t depth : {1, 2, 7, 8, 16, 19, 64, 100}) {
      SCOPED_TRACE(depth);
      State state = RandomState(depth);
      State expected = state;
      std::vector<A> gradients(count * depth);
      std::uniform_real_distribution<A> values(-1, 1);
      for (A& value : gradients) value = values(this->random_);
      std::vector<const A*> of_each;
      for (int64_t k = 0; k < count; ++k) of_each.push_back(gradients.data() + k * depth);

      RowsToUpdate<W> rows = {state.table.data(),
                              {state.slots[0].data(), state.slots[1].data(), state.slots[2].data()},
                              depth,
                              ids.data(),
                              count,
                              gradients.data(),
                              nullptr};
      const auto update = LoopFor<W, Formula>(LoopsOfSet<W>(kSet));
      // The first and the last index stay out; both ways to find a gradient.
      update(formula, rows, 1, 4);
      rows.gradient_of_each = of_each.data();
      rows.gradients = nullptr;
      update(formula, rows, 4, count - 1);

      for (int64_t k = 1; k < count - 1; ++k) {
        for (int64_t d = 0; d < depth; ++d) {
          const int64_t at = ids[k] * depth + d;
          A value = Widen(expected.table[at]);
          A slots[kMostSlots];
          for (int s = 0; s < kMostSlots; ++s) slots[s] = expected.slots[s][at];
          formula.Update(gradients[k * depth + d], &value, slots);
          Narrow(value, &expected.table[at]);
          for (int s = 0; s < Formula::kSlots; ++s) expected.slots[s][at] = slots[s];
        }
      }
      EXPECT_TRUE(SameBits(state.table, expected.table));
      for (int s = 0; s < kMostSlots; ++s) EXPECT_TRUE(SameBits(state.slots[s], expected.slots[s]));
    }
  }
};
using Types = EveryIsaWith<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(UpdateLoopsTest, Types, CompiledName);

TYPED_TEST(UpdateLoopsTest, EqualTheScalarFormulas) {
  using A = Accumulator<typename TypeParam::Type>;
  const A rate = A(0.1), decay = A(0.01), epsilon = A(1e-3);
  this->ExpectScalarResults(SgdFormula<A>{rate, decay});
  this->ExpectScalarResults(MomentumFormula<A, false>{rate, A(0.9), decay});
  this->ExpectScalarResults(MomentumFormula<A, true>{rate, A(0.9), decay});
  this->ExpectScalarResults(AdagradFormula<A>{rate, epsilon, decay});
  this->ExpectScalarResults(
      RmspropFormula<A, false, false>{rate, A(0.9), A(0.1), A(0.5), epsilon, decay});
  this->ExpectScalarResults(
      RmspropFormula<A, true, false>{rate, A(0.9), A(0.1), A(0.5), epsilon, decay});
  this->ExpectScalarResults(
      RmspropFormula<A, false, true>{rate, A(0.9), A(0.1), A(0.5), epsilon, decay});
  this->ExpectScalarResults(
      RmspropFormula<A, true, true>{rate, A(0.9), A(0.1), A(0.5), epsilon, decay});
  this->ExpectScalarResults(AdamFormula<A, false>{rate, A(0.1), A(0.001), epsilon, decay});
  this->ExpectScalarResults(AdamFormula<A, true>{rate, A(0.1), A(0.001), epsilon, decay});
  this->ExpectScalarResults(FtrlFormula<A, true>{A(10), A(0.5), A(0.1), A(0.2), A(0.3), decay});
  this->ExpectScalarResults(FtrlFormula<A, false>{A(10), A(0.7), A(0.1), A(0.2), A(0.3), decay});
}

}  // namespace
}  // namespace candsamp
