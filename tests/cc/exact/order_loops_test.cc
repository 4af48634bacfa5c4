// SPDX-License-Identifier: Apache-2.0
// The counts of every instruction set that this machine has.
#include "cc/lib/exact/order_loops.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "cc/lib/exact/order_loops_isa.h"
#include "tests/cc/testing/every_isa.h"

namespace candsamp {
namespace {

template <typename A>
const OrderLoops<A>& LoopsOf(InstructionSet set) {
  if constexpr (std::is_same_v<A, float>) {
    return CANDSAMP_ISA_TABLE(set, kFloatOrder);
  } else {
    return CANDSAMP_ISA_TABLE(set, kDoubleOrder);
  }
}

template <typename C>
class OrderLoopsTest : public EveryIsaTest<C> {};
using Sets = EveryIsaWith<float, double>;
TYPED_TEST_SUITE(OrderLoopsTest, Sets, CompiledName);

TYPED_TEST(OrderLoopsTest, CountWhatIsAbove) {
  using A = typename TypeParam::Type;
  const OrderLoops<A>& loops = LoopsOf<A>(TypeParam::kInstructionSet);
  constexpr A kInf = std::numeric_limits<A>::infinity();
  const std::vector<A> values = {-kInf, -2, -0.0, 0,
                                 1,     3,  kInf, std::numeric_limits<A>::quiet_NaN()};
  std::uniform_int_distribution<size_t> pick(0, values.size() - 1);
  for (int64_t count = 0; count < 200; ++count) {
    std::vector<A> z(count);
    for (A& x : z) x = values[pick(this->random_)];
    for (const A bound : values) {
      int64_t above = 0, from = 0;
      for (const A x : z) {
        above += x > bound;
        from += x >= bound;
      }
      EXPECT_EQ(loops.count_above(z.data(), count, bound), above);
      EXPECT_EQ(loops.count_from(z.data(), count, bound), from);
    }
  }
}

TYPED_TEST(OrderLoopsTest, CountMany) {
  using A = typename TypeParam::Type;
  const int64_t count = (int64_t{1} << 20) * 2 + 5;
  const std::vector<A> z(count, A(1));
  const OrderLoops<A>& loops = LoopsOf<A>(TypeParam::kInstructionSet);
  EXPECT_EQ(loops.count_from(z.data(), count, A(1)), count);
  EXPECT_EQ(loops.count_above(z.data(), count, A(1)), 0);
}

}  // namespace
}  // namespace candsamp
