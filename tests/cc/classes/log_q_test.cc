// SPDX-License-Identifier: Apache-2.0
// The search for the first log q that is infinite or NaN.
#include "cc/lib/classes/log_q.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace candsamp {
namespace {

template <typename A>
class FindNotFiniteTest : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(FindNotFiniteTest, Types);

TYPED_TEST(FindNotFiniteTest, FindsNothingAmongFiniteValues) {
  using Limits = std::numeric_limits<TypeParam>;
  std::vector<TypeParam> values;
  for (int64_t count = 0; count < 40; ++count) {
    EXPECT_EQ(FindNotFinite(values.data(), count), count);
    const TypeParam extremes[] = {0, Limits::max(), Limits::lowest(), Limits::denorm_min(), -1};
    values.push_back(extremes[count % 5]);
  }
}

TYPED_TEST(FindNotFiniteTest, FindsTheFirst) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const TypeParam bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    for (int64_t at = 0; at < 40; ++at) {
      std::vector<TypeParam> values(40, TypeParam(1));
      values[at] = bad;
      EXPECT_EQ(FindNotFinite(values.data(), 40), at);
      values[39] = bad;
      EXPECT_EQ(FindNotFinite(values.data(), 40), at);
    }
  }
}

}  // namespace
}  // namespace candsamp
