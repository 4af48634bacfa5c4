// SPDX-License-Identifier: Apache-2.0
// The sparse gradients against sums over all occurrences in extended precision.
#include "cc/lib/losses/ragged_backward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "tests/cc/losses/ragged_case.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

template <typename W>
struct LogitGradients {
  using A = Accumulator<W>;

  LogitGradients(const RaggedCase<W>& c, uint32_t seed)
      : label(c.labels.size()), candidate(c.candidates.size()), row_factor(c.rows) {
    std::mt19937 random(seed);
    std::normal_distribution<A> normal;
    for (A& x : label) x = normal(random);
    for (A& x : candidate) x = normal(random);
    for (A& x : row_factor) x = normal(random);
  }

  std::vector<A> label, candidate, row_factor;
};

// A sum, and the sum of the magnitudes of its terms.
struct Sum {
  void Add(long double term) {
    value += term;
    size += std::fabs(term);
  }
  long double value = 0, size = 0;
};

struct ClassGradient {
  explicit ClassGradient(int64_t depth) : weights(depth) {}
  std::vector<Sum> weights;
  Sum bias;
};

template <typename W>
std::map<int64_t, ClassGradient> ExpectedGradients(const RaggedCase<W>& c,
                                                   const LogitGradients<W>& logit_gradients,
                                                   bool with_labels, bool with_row_factor) {
  std::map<int64_t, ClassGradient> gradients;
  const auto add = [&](const std::vector<int64_t>& ids, const std::vector<int64_t>& splits,
                       const auto& of_logits) {
    for (int64_t i = 0; i < c.rows; ++i) {
      for (int64_t k = splits[i]; k < splits[i + 1]; ++k) {
        ClassGradient& gradient = gradients.try_emplace(ids[k], c.depth).first->second;
        const long double value = static_cast<long double>(of_logits[k]) *
                                  (with_row_factor ? logit_gradients.row_factor[i] : 1);
        gradient.bias.Add(value);
        for (int64_t d = 0; d < c.depth; ++d) {
          gradient.weights[d].Add(value * c.inputs[i * c.depth + d]);
        }
      }
    }
  };
  if (with_labels) add(c.labels, c.label_splits, logit_gradients.label);
  add(c.candidates, c.candidate_splits, logit_gradients.candidate);
  return gradients;
}

template <typename W>
struct Gradients {
  std::vector<int64_t> classes;
  std::vector<W> weights, biases;

  bool operator==(const Gradients& other) const {
    return classes == other.classes && SameBits(weights, other.weights) &&
           SameBits(biases, other.biases);
  }
};

// The gradients of the groups in pieces, cut at `cuts`, as the shards of a table cut them.
template <typename W>
Gradients<W> GradientsOf(Runtime& runtime, const RaggedCase<W>& c,
                         const LogitGradients<W>& logit_gradients, bool with_labels,
                         bool with_row_factor, std::vector<int64_t> cuts = {}) {
  using A = Accumulator<W>;
  const ClassGroups<Occurrence<A>> groups = GroupOccurrences<A>(
      runtime, c.Batch(), c.num_classes, with_labels ? logit_gradients.label.data() : nullptr,
      logit_gradients.candidate.data(),
      with_row_factor ? logit_gradients.row_factor.data() : nullptr);
  Gradients<W> gradients;
  gradients.classes.assign(groups.classes(), groups.classes() + groups.size());
  cuts.push_back(groups.size());
  int64_t first = 0;
  for (int64_t last : cuts) {
    last = std::min(last, groups.size());
    // A vector for each piece, so that AddressSanitizer sees writes beyond it.
    std::vector<W> weights((last - first) * c.depth), biases(last - first);
    SumClassRows(runtime, groups, first, last, c.inputs.data(), c.depth, weights.data());
    SumClassBiases(runtime, groups, first, last, biases.data());
    gradients.weights.insert(gradients.weights.end(), weights.begin(), weights.end());
    gradients.biases.insert(gradients.biases.end(), biases.begin(), biases.end());
    first = last;
  }
  return gradients;
}

template <typename W>
void ExpectNear(W got, const Sum& expected, const char* what, int64_t id) {
  const double tolerance = 32 * std::numeric_limits<Accumulator<W>>::epsilon() * expected.size +
                           Rounding<W>() * std::fabs(expected.value) + std::ldexp(1.0, -25);
  EXPECT_NEAR(Widen(got), expected.value, tolerance) << what << " of class " << id;
}

template <typename W>
void ExpectNearExpected(const Gradients<W>& gradients, const RaggedCase<W>& c,
                        const std::map<int64_t, ClassGradient>& expected) {
  ASSERT_EQ(gradients.classes.size(), expected.size());
  size_t g = 0;
  for (const auto& [id, gradient] : expected) {
    ASSERT_EQ(gradients.classes[g], id);
    for (int64_t d = 0; d < c.depth; ++d) {
      ExpectNear(gradients.weights[g * c.depth + d], gradient.weights[d], "weights", id);
    }
    ExpectNear(gradients.biases[g], gradient.bias, "bias", id);
    if (testing::Test::HasFailure()) return;
    ++g;
  }
}

template <typename W>
class RaggedBackwardTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(RaggedBackwardTest, Types);

// Rows without labels, without candidates, without either, and long rows.
const std::vector<RowSize>& MixedSizes() {
  static const std::vector<RowSize>& sizes = *new std::vector<RowSize>{
      {0, 0}, {1, 0}, {0, 3}, {0, 0}, {2, 50}, {1, 3000}, {30, 7}, {1, 600}, {0, 0}};
  return sizes;
}

TYPED_TEST(RaggedBackwardTest, SumOverAllOccurrences) {
  const RaggedCase<TypeParam> c(MixedSizes(), 1000, 19, 1.0, 1);
  const LogitGradients<TypeParam> logit_gradients(c, 2);
  for (const bool with_labels : {false, true}) {
    for (const bool with_row_factor : {false, true}) {
      TestRuntime runtime = TestRuntime::RandomCuts(1);
      ExpectNearExpected(GradientsOf(runtime, c, logit_gradients, with_labels, with_row_factor), c,
                         ExpectedGradients(c, logit_gradients, with_labels, with_row_factor));
    }
  }
}

// Only two classes: each occurs thousands of times.
TYPED_TEST(RaggedBackwardTest, SumLongGroups) {
  const std::vector<RowSize> sizes(500, {1, 12});
  for (const int64_t depth : {1, 70}) {
    const RaggedCase<TypeParam> c(sizes, 2, depth, 1.0, 3);
    const LogitGradients<TypeParam> logit_gradients(c, 4);
    TestRuntime runtime = TestRuntime::RandomCuts(2);
    ExpectNearExpected(GradientsOf(runtime, c, logit_gradients, true, true), c,
                       ExpectedGradients(c, logit_gradients, true, true));
  }
}

// A few classes of great depth, so that the gradient is larger than the last-level cache.
TYPED_TEST(RaggedBackwardTest, SumLargeGradients) {
  using A = Accumulator<TypeParam>;
  const int64_t depth = (int64_t{9} << 20) / static_cast<int64_t>(sizeof(TypeParam));
  const std::vector<int64_t> no_labels = {0, 0}, ids = {4, 0, 2, 1, 3}, splits = {0, 5};
  const std::vector<A> logit_gradients = {A(0.1), A(-0.7), A(1.3), A(0.3), A(-0.9)};
  std::vector<A> inputs(depth);
  for (int64_t d = 0; d < depth; ++d) inputs[d] = static_cast<A>(d % 1009) / 100;
  const RaggedBatch batch = {
      1, {nullptr, no_labels.data()}, {ids.data(), splits.data()}, nullptr, nullptr};
  TestRuntime runtime = TestRuntime::Threads(2);
  const auto groups =
      GroupOccurrences<A>(runtime, batch, 5, nullptr, logit_gradients.data(), nullptr);
  std::vector<TypeParam> gradient(5 * depth);
  SumClassRows(runtime, groups, 0, 5, inputs.data(), depth, gradient.data());
  for (int64_t k = 0; k < 5; ++k) {
    for (int64_t d = 0; d < depth; ++d) {
      TypeParam expected;
      Narrow(logit_gradients[k] * inputs[d], &expected);
      ASSERT_EQ(Widen(gradient[ids[k] * depth + d]), Widen(expected)) << ids[k] << ", " << d;
    }
  }
}

TYPED_TEST(RaggedBackwardTest, SumsOfPiecesAreThoseOfTheWhole) {
  // Long groups and short ones: class 100 is the label, and class 200 a candidate, of every row.
  RaggedCase<TypeParam> c(std::vector<RowSize>(600, {1, 5}), 500, 10, 1.0, 5);
  for (int64_t i = 0; i < c.rows; ++i) {
    c.labels[i] = 100;
    c.candidates[5 * i] = 200;
  }
  const LogitGradients<TypeParam> logit_gradients(c, 6);
  TestRuntime runtime = TestRuntime::Whole();
  const Gradients<TypeParam> whole = GradientsOf(runtime, c, logit_gradients, true, true);
  EXPECT_TRUE(GradientsOf(runtime, c, logit_gradients, true, true,
                          {0, 1, 2, 2, 99, 150, 201, 202, 100000}) == whole);
}

TYPED_TEST(RaggedBackwardTest, BitsDoNotDependOnTheCutting) {
  RaggedCase<TypeParam> c(std::vector<RowSize>(700, {1, 30}), 3000, 10, 1.0, 7);
  for (int64_t i = 0; i < c.rows; ++i) c.labels[i] = 77;
  const LogitGradients<TypeParam> logit_gradients(c, 8);
  TestRuntime whole = TestRuntime::Whole();
  const Gradients<TypeParam> expected = GradientsOf(whole, c, logit_gradients, true, true);
  for (TestRuntime& runtime : TestRuntime::Various()) {
    EXPECT_TRUE(GradientsOf(runtime, c, logit_gradients, true, true) == expected) << runtime.name();
  }
}

TYPED_TEST(RaggedBackwardTest, NothingOccursNothingIsSummed) {
  for (const std::vector<RowSize>& sizes :
       {std::vector<RowSize>{}, std::vector<RowSize>{{0, 0}, {0, 0}}}) {
    const RaggedCase<TypeParam> c(sizes, 10, 3, 1.0, 9);
    const LogitGradients<TypeParam> logit_gradients(c, 10);
    TestRuntime runtime = TestRuntime::Whole();
    const Gradients<TypeParam> gradients = GradientsOf(runtime, c, logit_gradients, true, true);
    EXPECT_TRUE(gradients.classes.empty());
  }
}

template <typename W>
std::vector<Accumulator<W>> CandidateRows(Runtime& runtime, const RaggedCase<W>& c,
                                          const LogitGradients<W>& logit_gradients) {
  std::vector<Accumulator<W>> out(c.inputs.size(), -12345);
  SumCandidateRows(runtime, c.Batch().candidates, c.rows, logit_gradients.candidate.data(),
                   c.weights.View(), out.data());
  return out;
}

TYPED_TEST(RaggedBackwardTest, CandidateRowsSumOverEachRow) {
  using A = Accumulator<TypeParam>;
  const RaggedCase<TypeParam> c(MixedSizes(), 1000, 19, 1.0, 11);
  const LogitGradients<TypeParam> logit_gradients(c, 12);
  TestRuntime whole = TestRuntime::Whole();
  const std::vector<A> sums = CandidateRows(whole, c, logit_gradients);
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t d = 0; d < c.depth; ++d) {
      Sum expected;
      for (int64_t k = c.candidate_splits[i]; k < c.candidate_splits[i + 1]; ++k) {
        expected.Add(static_cast<long double>(logit_gradients.candidate[k]) *
                     Widen(c.weights.Row(c.candidates[k])[d]));
      }
      ASSERT_NEAR(sums[i * c.depth + d], expected.value,
                  32 * std::numeric_limits<A>::epsilon() * expected.size)
          << i << ", " << d;
    }
  }
  for (TestRuntime& runtime : TestRuntime::Various()) {
    EXPECT_EQ(CandidateRows(runtime, c, logit_gradients), sums) << runtime.name();
  }
}

TEST(RankCandidatesTest, RanksAreAmongTheDistinctCandidatesInOrder) {
  std::mt19937_64 random(1);
  for (const int64_t count : {0, 1, 20, 30000}) {
    for (const int64_t num_classes : {int64_t{1}, int64_t{50}, int64_t{1} << 40}) {
      std::vector<int64_t> candidates(count);
      for (int64_t& id : candidates) id = static_cast<int64_t>(random() % num_classes);
      const std::set<int64_t> distinct(candidates.begin(), candidates.end());
      for (TestRuntime& runtime : TestRuntime::Various()) {
        SCOPED_TRACE(runtime.name());
        std::vector<int64_t> ranks(count, -1);
        const ClassGroups<Ranked> groups =
            RankCandidates(runtime, candidates.data(), count, num_classes, ranks.data());
        ASSERT_EQ(std::vector<int64_t>(groups.classes(), groups.classes() + groups.size()),
                  std::vector<int64_t>(distinct.begin(), distinct.end()));
        for (int64_t k = 0; k < count; ++k) {
          ASSERT_GE(ranks[k], 0);
          ASSERT_LT(ranks[k], groups.size());
          ASSERT_EQ(groups.classes()[ranks[k]], candidates[k]) << k;
        }
      }
    }
  }
}

TEST(RaggedBackwardMemoryTest, ThrowsWhenThereIsNone) {
  const RaggedCase<float> c(std::vector<RowSize>(700, {1, 3}), 2, 10, 1.0, 7);
  const LogitGradients<float> logit_gradients(c, 8);
  TestRuntime unlimited = TestRuntime::Whole();
  GradientsOf(unlimited, c, logit_gradients, true, true);
  for (int64_t limit = 0; limit < unlimited.allocations(); ++limit) {
    TestRuntime runtime = TestRuntime::Whole();
    runtime.LimitAllocations(limit);
    EXPECT_THROW(GradientsOf(runtime, c, logit_gradients, true, true), std::bad_alloc);
  }
}

}  // namespace
}  // namespace candsamp
