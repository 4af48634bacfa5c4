// SPDX-License-Identifier: Apache-2.0
// Ranks of labels against a sort, with ties and excluded classes.
#include "cc/lib/exact/label_ranks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "cc/lib/exact/logit_order.h"
#include "tests/cc/exact/exact_case.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

template <typename W>
class LabelRanksTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(LabelRanksTest, Types);

// Small integers, so that logits are exact and many of them equal.
template <typename W>
void MakeIntegers(ExactCase<W>* c) {
  std::uniform_int_distribution<int> small(-2, 2);
  for (auto& x : c->inputs) x = static_cast<Accumulator<W>>(small(c->random));
  for (int64_t id = 0; id < c->shape.classes; ++id) {
    for (int64_t d = 0; d < c->shape.depth; ++d) {
      Narrow(static_cast<Accumulator<W>>(small(c->random)), c->weights.Row(id) + d);
    }
    Narrow(static_cast<Accumulator<W>>(small(c->random)), c->biases.Row(id));
  }
}

TYPED_TEST(LabelRanksTest, CountBetterClasses) {
  using A = Accumulator<TypeParam>;
  for (const ExactShape& shape : {ExactShape{1, 1, 2, 1}, {9, 193, 3, 2}, {70, 900, 4, 3}}) {
    ExactCase<TypeParam> c(shape, {}, 1);
    MakeIntegers(&c);
    std::vector<int64_t> excluded_ids, splits = {0};
    for (int64_t i = 0; i < shape.rows; ++i) {
      for (int64_t k = 0; k < i % 9; ++k) excluded_ids.push_back((i * 31 + k * k) % shape.classes);
      if (i % 2) excluded_ids.push_back(c.labels[i * shape.num_true]);
      splits.push_back(static_cast<int64_t>(excluded_ids.size()));
    }
    for (TestRuntime& runtime : TestRuntime::Various()) {
      const ExcludedClasses excluded(runtime, {excluded_ids.data(), splits.data()}, shape.rows);
      std::vector<int64_t> ranks(c.labels.size());
      FillWithGarbage(ranks);
      LabelRanks<TypeParam>(runtime, c.Scored(), excluded, c.labels.data(), shape.num_true,
                            ranks.data());
      for (size_t k = 0; k < ranks.size(); ++k) {
        const int64_t i = static_cast<int64_t>(k) / shape.num_true;
        const ScoredClass<A> own = {static_cast<A>(c.Logit(i, c.labels[k])), c.labels[k]};
        int64_t rank = 0;
        for (int64_t id = 0; id < shape.classes; ++id) {
          if (excluded.Contains(i, id)) continue;
          rank += IsBetter<A>({static_cast<A>(c.Logit(i, id)), id}, own);
        }
        ASSERT_EQ(ranks[k], rank) << k << ", " << runtime.name();
      }
    }
  }
}

}  // namespace
}  // namespace candsamp
