// SPDX-License-Identifier: Apache-2.0
// Variates against their definitions.
#include "cc/lib/sampler_math/variates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace candsamp {
namespace {

TEST(VariatesTest, OpenUnitsAreTheMiddlesOfIntervals) {
  EXPECT_EQ(OpenUnit(0), 0x1p-53);
  EXPECT_EQ(OpenUnit(~uint64_t{0}), 1 - 0x1p-53);
  EXPECT_EQ(OpenUnit(uint64_t{1} << 63), 0.5 + 0x1p-53);
  // The low 12 bits do not matter.
  EXPECT_EQ(OpenUnit(0xfff), OpenUnit(0));
}

TEST(VariatesTest, ClocksAreExponential) {
  for (const uint64_t bits : {uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 63}) {
    const double u = (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
    const double exponential = static_cast<double>(-std::log1p(-static_cast<long double>(u)));
    EXPECT_DOUBLE_EQ(ClockOf(bits, 1.0), exponential);
    EXPECT_DOUBLE_EQ(ClockOf(bits, 0.25), 4 * exponential);
    EXPECT_GT(ClockOf(bits, 1.0), 0.0);
    EXPECT_EQ(ClockOf(bits, 0.0), HUGE_VAL);
    EXPECT_LT(ClockOf(bits, 1e-93), HUGE_VAL);
  }
}

TEST(VariatesTest, CertainSuccessTakesOneTry) {
  for (const uint64_t bits : {uint64_t{0}, ~uint64_t{0}}) EXPECT_EQ(GeometricDraw(bits, 1.0), 1.0);
}

// The inverse of the distribution function: P(more than n tries) = (1 - p)^n.
TEST(VariatesTest, GeometricDrawsInvertTheirDistribution) {
  for (const double p : {0.5, 0.01, 1e-6}) {
    for (uint64_t bits = 1; bits != 0; bits <<= 1) {
      const double tries = GeometricDraw(bits, p), u = OpenUnit(bits);
      EXPECT_GE(std::pow(1 - p, tries - 1), u * (1 - 1e-9)) << p << ", " << bits;
      EXPECT_LE(std::pow(1 - p, tries), u * (1 + 1e-9)) << p << ", " << bits;
    }
  }
}

// A gamma variate of shape n has mean n and variance n.
TEST(VariatesTest, GammaDrawsHaveTheirMeanAndVariance) {
  constexpr int kDraws = 20000;
  for (const double shape : {1.0, 3.0, 1000.0}) {
    double sum = 0, squares = 0;
    for (int k = 0; k < kDraws; ++k) {
      const double draw = GammaDraw({static_cast<uint64_t>(k), 1, 2}, shape);
      EXPECT_GT(draw, 0);
      sum += draw - shape;
      squares += (draw - shape) * (draw - shape);
    }
    // Within 5 standard deviations of the estimates. The fourth moment is 3 n^2 + 6 n.
    EXPECT_NEAR(sum / kDraws, 0, 5 * std::sqrt(shape / kDraws)) << shape;
    EXPECT_NEAR(squares / kDraws, shape, 5 * std::sqrt((2 * shape * shape + 6 * shape) / kDraws))
        << shape;
  }
}

TEST(VariatesTest, EachPurposeHasAStreamOfItsOwn) {
  const PhiloxStream stream = {1, 2, 3};
  const uint64_t clocks = StreamFor(stream, Purpose::kClocks).key;
  const uint64_t waiting = StreamFor(stream, Purpose::kWaiting).key;
  const uint64_t rest = StreamFor(stream, Purpose::kRest).key;
  EXPECT_NE(clocks, waiting);
  EXPECT_NE(clocks, rest);
  EXPECT_NE(waiting, rest);
  EXPECT_NE(clocks, stream.key);
}

}  // namespace
}  // namespace candsamp
