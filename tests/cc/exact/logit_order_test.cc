// SPDX-License-Identifier: Apache-2.0
// One order of all logits: a strict, total one, which counts and comparisons agree on.
#include "cc/lib/exact/logit_order.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace candsamp {
namespace {

template <typename A>
struct Graded {
  A logit;
  int grade;
};

// Better ones have higher grades; numbers that are no normal ones are zeros.
template <typename A>
std::vector<Graded<A>> AllKinds() {
  constexpr A kInf = std::numeric_limits<A>::infinity();
  constexpr A kTiny = std::numeric_limits<A>::min();
  constexpr A kMax = std::numeric_limits<A>::max();
  return {{std::numeric_limits<A>::quiet_NaN(), 0},
          {-kInf, 1},
          {-kMax, 2},
          {-1, 3},
          {-kTiny, 4},
          {-kTiny / 2, 5},
          {-0.0, 5},
          {0, 5},
          {std::numeric_limits<A>::denorm_min(), 5},
          {kTiny / 2, 5},
          {kTiny, 6},
          {1, 7},
          {kMax, 8},
          {kInf, 9}};
}

template <typename A>
class LogitOrderTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(LogitOrderTest, Types);

TYPED_TEST(LogitOrderTest, IsByLogitThenById) {
  using A = TypeParam;
  const std::vector<Graded<A>> kinds = AllKinds<A>();
  for (const Graded<A>& a : kinds) {
    for (const Graded<A>& b : kinds) {
      for (const int64_t id : {4, 5, 6}) {
        const bool better = a.grade != b.grade ? a.grade > b.grade : id < 5;
        EXPECT_EQ(IsBetter<A>({a.logit, id}, {b.logit, 5}), better) << a.logit << ", " << b.logit;
      }
    }
  }
}

TYPED_TEST(LogitOrderTest, CountsAgree) {
  using A = TypeParam;
  const std::vector<Graded<A>> kinds = AllKinds<A>();
  std::vector<A> z;
  for (const Graded<A>& kind : kinds) z.push_back(kind.logit);
  for (const Graded<A>& own : kinds) {
    int64_t lower = 0, higher = 0;
    for (const A logit : z) {
      lower += IsBetter<A>({logit, 1}, {own.logit, 2});
      higher += IsBetter<A>({logit, 3}, {own.logit, 2});
    }
    const BetterThan<A> better(own.logit);
    EXPECT_EQ(better.CountLowerIds(z.data(), z.size()), lower) << own.logit;
    EXPECT_EQ(better.CountHigherIds(z.data(), z.size()), higher) << own.logit;
  }
}

}  // namespace
}  // namespace candsamp
