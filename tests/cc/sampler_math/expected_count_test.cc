// SPDX-License-Identifier: Apache-2.0
// Expected counts at the borders of their arguments.
#include "cc/lib/sampler_math/expected_count.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace candsamp {
namespace {

TEST(ExpectedCountTest, ProbabilitiesAtTheirBorders) {
  EXPECT_EQ(ProbabilityWithinTries(0.0, 1000), 0.0);
  EXPECT_EQ(ProbabilityWithinTries(1.0, 1), 1.0);
  EXPECT_EQ(ProbabilityWithinTries(0.5, 1e300), 1.0);
  EXPECT_DOUBLE_EQ(ProbabilityWithinTries(0.25, 1), 0.25);
  EXPECT_DOUBLE_EQ(ProbabilityWithinTries(0.5, 2), 0.75);
  EXPECT_DOUBLE_EQ(ProbabilityWithinTries(1e-20, 5), 5e-20);
  EXPECT_EQ(ProbabilityBefore(0.0, 1e308), 0.0);
  EXPECT_EQ(ProbabilityBefore(1e-3, 1e308), 1.0);
  EXPECT_DOUBLE_EQ(ProbabilityBefore(0.5, 2), 1 - std::exp(-1.0));
}

TEST(ExpectedCountTest, ExcludedClassesRaiseTheProbabilityOfTheRest) {
  EXPECT_EQ(ProbabilityAmongRest(0.0, 0.25), 0.0);
  EXPECT_EQ(ProbabilityAmongRest(0.125, 0.25), 0.5);
  EXPECT_EQ(ProbabilityAmongRest(0.25, 0.25), 1.0);
  // A mass that was rounded down.
  EXPECT_EQ(ProbabilityAmongRest(0.25, 0.25 - 0x1p-54), 1.0);
}

TEST(ExpectedCountTest, FollowsTheRule) {
  EXPECT_EQ(ExpectedCount({CountRule::kProportional, 8}, 0.25), 2.0f);
  EXPECT_EQ(ExpectedCount({CountRule::kProportional, 8, 0.5}, 0.25), 4.0f);
  EXPECT_EQ(ExpectedCount({CountRule::kWithinTries, 2}, 0.5), 0.75f);
  EXPECT_EQ(ExpectedCount({CountRule::kWithinTries, 2, 0.5}, 0.25), 0.75f);
  EXPECT_FLOAT_EQ(ExpectedCount({CountRule::kClock, 2}, 0.5), 1 - std::exp(-1.0f));
  EXPECT_FLOAT_EQ(ExpectedCount({CountRule::kClock, 2, 0.5}, 0.25), 1 - std::exp(-1.0f));
}

}  // namespace
}  // namespace candsamp
