// SPDX-License-Identifier: Apache-2.0
// The softcap and its derivative beside the C library in long double.
#include "cc/lib/logits/softcap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/cc/testing/flush_denormals.h"
#include "tests/cc/testing/numbers.h"

namespace candsamp {
namespace {

template <typename A>
class SoftcapTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SoftcapTest, Types);

// From far below the cap to far above it, on both sides of 0.
template <typename A>
std::vector<A> Grid(A cap) {
  std::vector<A> grid = {A(0), -A(0)};
  for (A v = cap * A(1e-9); v < cap * A(1e4); v *= A(1.0173)) {
    grid.push_back(v);
    grid.push_back(-v);
  }
  return grid;
}

// Within the 4 ulp of a float that the header states, and 4 of a double.
TYPED_TEST(SoftcapTest, IsAccurate) {
  using A = TypeParam;
  const long double epsilon = std::numeric_limits<A>::epsilon();
  for (const A cap : {A(1e-3), A(1), A(30), A(12345)}) {
    for (const A v : Grid(cap)) {
      A slope;
      const A capped = Softcap(v, cap, &slope);
      const long double y = static_cast<long double>(v) / cap, tanh = std::tanh(y);
      ASSERT_NEAR(capped, cap * tanh, 4 * epsilon * std::fabs(cap * tanh)) << v;
      const long double cosh = std::cosh(std::fmin(std::fabs(y), 5000.0L));
      // Relative, as far as exp(-2 |y|) has a relative error: its argument is rounded.
      const long double error = (8 + 2 * std::fabs(y)) * epsilon / (cosh * cosh);
      ASSERT_NEAR(slope, 1 / (cosh * cosh), error + std::numeric_limits<A>::min() * 4) << v;
    }
  }
}

TYPED_TEST(SoftcapTest, SpecialValues) {
  using A = TypeParam;
  A slope;
  EXPECT_EQ(Softcap(A(0), A(5), &slope), A(0));
  EXPECT_EQ(slope, A(1));
  EXPECT_EQ(Softcap(kInfinity<A>, A(5), &slope), A(5));
  EXPECT_EQ(slope, A(0));
  EXPECT_EQ(Softcap(-kInfinity<A>, A(5), &slope), A(-5));
  EXPECT_EQ(slope, A(0));
  EXPECT_EQ(Softcap(std::numeric_limits<A>::max(), A(5), &slope), A(5));
  EXPECT_TRUE(std::isnan(Softcap(kNan<A>, A(5), &slope)));
  EXPECT_TRUE(std::isnan(slope));
}

// Threads that flush subnormal numbers compute the same.
TYPED_TEST(SoftcapTest, CapsFarAboveChangeNothing) {
  using A = TypeParam;
  for (const A cap : {A(1e12), std::numeric_limits<A>::max()}) {
    for (const A v : {A(1), A(-3.25), A(1e-9), A(1000)}) {
      A slope, flushed_slope;
      EXPECT_EQ(Softcap(v, cap, &slope), v);
      const FlushDenormals flush;
      volatile A same = v;
      EXPECT_EQ(Softcap(A(same), cap, &flushed_slope), v);
      EXPECT_NEAR(slope, 1, 4 * std::numeric_limits<A>::epsilon());
      EXPECT_EQ(flushed_slope, slope);
    }
  }
}

TYPED_TEST(SoftcapTest, MasksAreBiasesOfMinusInfinity) {
  using A = TypeParam;
  EXPECT_TRUE(IsMask(-kInfinity<A>));
  EXPECT_FALSE(IsMask(kInfinity<A>) || IsMask(kNan<A>) || IsMask(A(0)));
  EXPECT_EQ(BiasUnderSoftcap(-kInfinity<A>), A(0));
  EXPECT_EQ(BiasUnderSoftcap(A(-7)), A(-7));
  EXPECT_TRUE(std::isnan(BiasUnderSoftcap(kNan<A>)));
}

}  // namespace
}  // namespace candsamp
