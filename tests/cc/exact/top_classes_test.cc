// SPDX-License-Identifier: Apache-2.0
// The best classes against a sort of all logits, and against ranks.
#include "cc/lib/exact/top_classes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/lib/exact/label_ranks.h"
#include "cc/lib/exact/logit_order.h"
#include "tests/cc/exact/exact_case.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

template <typename W>
class TopClassesTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(TopClassesTest, Types);

// Every row of the table is there several times.
template <typename W>
ExactCase<W> WithRepeats(const ExactShape& shape, const LogitOptions& options) {
  ExactCase<W> c(shape, options, 1);
  for (int64_t id = 50; id < shape.classes; ++id) {
    std::copy_n(c.weights.Row(id % 50), shape.depth, c.weights.Row(id));
    *c.biases.Row(id) = *c.biases.Row(id % 50);
  }
  return c;
}

TYPED_TEST(TopClassesTest, AreThoseOfLowRank) {
  using A = Accumulator<TypeParam>;
  for (const ExactShape& shape : {ExactShape{1, 1, 2}, {9, 193, 3}, {66, 450, 5}}) {
    for (const LogitOptions& options : VariousOptions()) {
      const ExactCase<TypeParam> c = WithRepeats<TypeParam>(shape, options);
      std::vector<int64_t> ids, splits = {0};
      for (int64_t i = 0; i < shape.rows; ++i) {
        for (int64_t k = 0; shape.classes > 1 && k < i % 5; ++k) ids.push_back(k * 37);
        splits.push_back(static_cast<int64_t>(ids.size()));
      }
      for (const int64_t k : {int64_t{0}, int64_t{1}, shape.classes / 3, shape.classes - 5}) {
        if (k < 0) continue;
        std::vector<A> logits(shape.rows * k), first;
        std::vector<int64_t> best(shape.rows * k), ranks(best);
        for (TestRuntime& runtime : TestRuntime::Various()) {
          FillWithGarbage(best);
          const ExcludedClasses excluded(runtime, {ids.data(), splits.data()}, shape.rows);
          TopClasses<TypeParam>(runtime, c.Scored(), excluded, k, logits.data(), best.data());
          if (first.empty()) first = logits;
          ASSERT_TRUE(SameBits(logits, first)) << runtime.name();
          // So they are different, in order, and none is missing.
          if (k == 0) continue;
          LabelRanks<TypeParam>(runtime, c.Scored(), excluded, best.data(), k, ranks.data());
          for (int64_t at = 0; at < shape.rows * k; ++at) {
            ASSERT_EQ(ranks[at], at % k) << at << ", " << runtime.name();
            ASSERT_FALSE(excluded.Contains(at / k, best[at]));
          }
        }
      }
    }
  }
}

TYPED_TEST(TopClassesTest, LogitsAreTheDefinition) {
  using A = Accumulator<TypeParam>;
  for (const LogitOptions& options : VariousOptions()) {
    const ExactCase<TypeParam> c({20, 300, 7}, options, 2);
    std::vector<A> logits(20 * 300);
    std::vector<int64_t> ids(20 * 300);
    TestRuntime runtime = TestRuntime::Whole();
    TopClasses<TypeParam>(runtime, c.Scored(), ExcludedClasses(), 300, logits.data(), ids.data());
    for (int64_t at = 0; at < 20 * 300; ++at) {
      const double v = c.Logit(at / 300, ids[at]), cap = options.softcap;
      ASSERT_NEAR(logits[at], cap > 0 ? cap * std::tanh(v / cap) : v,
                  100 * std::numeric_limits<A>::epsilon());
    }
  }
}

}  // namespace
}  // namespace candsamp
