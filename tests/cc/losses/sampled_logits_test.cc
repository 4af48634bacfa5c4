// SPDX-License-Identifier: Apache-2.0
// From dot products to logits: offsets, repeats and dropped candidates.
#include "cc/lib/losses/sampled_logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <new>
#include <random>
#include <utility>
#include <vector>

#include "cc/lib/losses/tiling.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

// Candidates by number of column, and labels by number of class.
template <typename A>
struct Case {
  SampledLogits<A> Logits(Runtime& runtime, LossKind kind, bool remove_accidental_hits) const {
    SampledBatch batch = {};
    batch.kind = kind;
    batch.remove_accidental_hits = remove_accidental_hits;
    batch.num_true = num_true;
    batch.rows = num_true == 0 ? 0 : static_cast<int64_t>(labels.size()) / num_true;
    batch.num_sampled = static_cast<int64_t>(samples.size());
    for (const int64_t column : samples) batch.columns = std::max(batch.columns, column + 1);
    batch.classes = batch.columns;
    for (const int64_t k : labels) batch.classes = std::max(batch.classes, k + 1);
    batch.label_classes = labels.data();
    batch.sample_columns = samples.data();
    return SampledLogits<A>(runtime, batch, offsets.data());
  }

  std::vector<int64_t> samples;
  std::vector<A> offsets;
  int64_t num_true = 0;
  std::vector<int64_t> labels = {};
};

// `columns` different candidates and `repeats` of them, in the order of their first occurrences.
template <typename A>
Case<A> RandomCase(int64_t columns, int64_t repeats, std::mt19937& random) {
  std::normal_distribution<A> normal(0, 3);
  Case<A> c;
  int64_t seen = 0;
  while (seen < columns || repeats > 0) {
    std::uniform_int_distribution<int64_t> any(1, columns - seen + repeats);
    const bool repeat = seen > 0 && any(random) <= repeats;
    c.samples.push_back(repeat ? static_cast<int64_t>(random() % seen) : seen);
    c.offsets.push_back(normal(random));
    repeat ? --repeats : ++seen;
  }
  return c;
}

// The logits of a row for given dot products, and the largest logit of each block.
template <typename A>
struct Row {
  Row(const SampledLogits<A>& logits, int64_t row, const std::vector<A>& dots) {
    for (int64_t b = 0; b < logits.columns().count(); ++b) {
      const int64_t begin = logits.columns().begin(b), length = logits.columns().length(b);
      // Memory of exactly the block's size.
      std::vector<A> of_block(length, kNan<A>);
      logits.Start(b, 1, of_block.data());
      for (int64_t j = 0; j < length; ++j) of_block[j] += dots[begin + j];
      largest.push_back(logits.Drop(row, b, of_block.data()));
      z.insert(z.end(), of_block.begin(), of_block.end());
    }
  }
  std::vector<A> z, largest;
};

template <typename A>
std::vector<A> RandomDots(int64_t count, std::mt19937& random) {
  std::normal_distribution<A> normal(0, 3);
  std::vector<A> dots(count);
  for (A& dot : dots) dot = normal(random);
  return dots;
}

template <typename A>
class SampledLogitsTest : public testing::Test {
 protected:
  std::mt19937 random_{1};
  TestRuntime runtime_ = TestRuntime::Whole();
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SampledLogitsTest, Types);

constexpr LossKind kKinds[] = {LossKind::kSoftmax, LossKind::kNce};

TYPED_TEST(SampledLogitsTest, AddOffsetsAndFindTheLargest) {
  for (const LossKind kind : kKinds) {
    for (const int64_t columns :
         {int64_t{0}, int64_t{1}, int64_t{2}, kColumnBlock - 1, kColumnBlock, kColumnBlock + 1,
          2 * kColumnBlock, int64_t{1000}}) {
      const Case<TypeParam> c = RandomCase<TypeParam>(columns, 0, this->random_);
      const SampledLogits<TypeParam> logits = c.Logits(this->runtime_, kind, false);
      ASSERT_EQ(logits.columns().size, columns);
      const std::vector<TypeParam> dots = RandomDots<TypeParam>(columns, this->random_);
      const Row<TypeParam> row(logits, 0, dots);
      for (int64_t j = 0; j < columns; ++j) ASSERT_EQ(row.z[j], dots[j] + c.offsets[j]) << j;
      for (int64_t b = 0; b < logits.columns().count(); ++b) {
        const auto begin = row.z.begin() + logits.columns().begin(b);
        ASSERT_EQ(row.largest[b], *std::max_element(begin, begin + logits.columns().length(b)));
      }
    }
  }
}

TYPED_TEST(SampledLogitsTest, SoftmaxMergesRepeats) {
  using A = TypeParam;
  for (const auto& [columns, repeats] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 300}, {kColumnBlock + 1, 5}, {kColumnBlock, 500}, {250, 250}}) {
    const Case<A> c = RandomCase<A>(columns, repeats, this->random_);
    std::vector<long double> sums(columns);
    std::vector<int64_t> counts(columns);
    for (size_t k = 0; k < c.samples.size(); ++k) {
      sums[c.samples[k]] += std::exp(static_cast<long double>(c.offsets[k]));
      ++counts[c.samples[k]];
    }
    const SampledLogits<A> logits = c.Logits(this->runtime_, LossKind::kSoftmax, false);
    const Row<A> row(logits, 0, std::vector<A>(columns, A(0)));
    for (int64_t j = 0; j < columns; ++j) {
      ASSERT_NEAR(
          row.z[j], std::log(sums[j]),
          std::numeric_limits<A>::epsilon() * (8 + counts[j]) * (4 + std::fabs(std::log(sums[j]))))
          << j << " of " << columns;
    }
    for (int64_t b = 0; b < logits.columns().count(); ++b) {
      logits.ForRepeats(b, row.z.data() + logits.columns().begin(b),
                        [&](int64_t count, const int64_t*, A*) { EXPECT_EQ(count, 0); });
    }
  }
}

TYPED_TEST(SampledLogitsTest, SoftmaxMergesOffsetsFarApart) {
  using A = TypeParam;
  const A most = std::numeric_limits<A>::max();
  const Case<A> c = {{0, 1, 0, 1, 2, 2, 3, 3, 4, 4, 4},
                     {A(-1000), A(1000), A(1000), A(-1000), -most, -most, most, -most,
                      -kInfinity<A>, A(5), -kInfinity<A>}};
  const Row<A> row(c.Logits(this->runtime_, LossKind::kSoftmax, false), 0, std::vector<A>(5, A(0)));
  EXPECT_EQ(row.z, (std::vector<A>{A(1000), A(1000), -most, most, A(5)}));
}

// A bias of minus infinity masks a class.
TYPED_TEST(SampledLogitsTest, SoftmaxMergesMaskedRepeats) {
  using A = TypeParam;
  const Case<A> c = {{0, 1, 0, 0}, {-kInfinity<A>, A(1), -kInfinity<A>, -kInfinity<A>}};
  const Row<A> row(c.Logits(this->runtime_, LossKind::kSoftmax, false), 0, std::vector<A>(2, A(0)));
  EXPECT_EQ(row.z, (std::vector<A>{-kInfinity<A>, A(1)}));
  EXPECT_EQ(row.largest[0], A(1));
}

TYPED_TEST(SampledLogitsTest, SoftmaxKeepsNanOfRepeats) {
  using A = TypeParam;
  const Case<A> c = {{0, 0, 1, 1, 2, 2}, {kNan<A>, A(1), A(1), kNan<A>, kNan<A>, kNan<A>}};
  const Row<A> row(c.Logits(this->runtime_, LossKind::kSoftmax, false), 0, std::vector<A>(3, A(0)));
  for (int64_t j = 0; j < 3; ++j) EXPECT_TRUE(std::isnan(row.z[j])) << j;
}

// The logits of all repeats by column, in ascending order.
template <typename A>
std::multimap<int64_t, A> Repeats(const SampledLogits<A>& logits, const std::vector<A>& z) {
  std::multimap<int64_t, A> repeats;
  for (int64_t b = 0; b < logits.columns().count(); ++b) {
    const int64_t begin = logits.columns().begin(b);
    const std::vector<A> in(z.begin() + begin, z.begin() + begin + logits.columns().length(b));
    logits.ForRepeats(b, in.data(), [&](int64_t count, const int64_t* columns, A* of) {
      EXPECT_GT(count, 0);
      EXPECT_LE(count, kColumnBlock);
      for (int64_t k = 0; k < count; ++k) {
        EXPECT_GE(columns[k], 0);
        EXPECT_LT(columns[k], logits.columns().length(b));
        repeats.emplace(begin + columns[k], of[k]);
        of[k] = kNan<A>;
      }
    });
  }
  return repeats;
}

TYPED_TEST(SampledLogitsTest, NceKeepsRepeatsApart) {
  using A = TypeParam;
  for (const auto& [columns, repeats] :
       std::vector<std::pair<int64_t, int64_t>>{{0, 0},
                                                {97, 0},
                                                {1, 1},
                                                {1, kColumnBlock - 1},
                                                {1, kColumnBlock},
                                                {1, kColumnBlock + 1},
                                                {1, 500},
                                                {kColumnBlock + 1, 5},
                                                {300, 700}}) {
    const Case<A> c = RandomCase<A>(columns, repeats, this->random_);
    const SampledLogits<A> logits = c.Logits(this->runtime_, LossKind::kNce, false);
    const std::vector<A> dots = RandomDots<A>(columns, this->random_);
    const Row<A> row(logits, 0, dots);
    std::vector<bool> seen(columns);
    std::multimap<int64_t, A> expected;
    for (size_t k = 0; k < c.samples.size(); ++k) {
      const int64_t column = c.samples[k];
      if (seen[column]) {
        expected.emplace(column, dots[column] + c.offsets[k]);
      } else {
        ASSERT_EQ(row.z[column], dots[column] + c.offsets[k]) << column;
      }
      seen[column] = true;
    }
    const std::multimap<int64_t, A> got = Repeats(logits, row.z);
    ASSERT_EQ(got.size(), expected.size());
    for (auto a = got.begin(), b = expected.begin(); a != got.end(); ++a, ++b) {
      ASSERT_EQ(a->first, b->first);
      ASSERT_NEAR(a->second, b->second, 100 * std::numeric_limits<A>::epsilon()) << a->first;
    }
  }
}

TYPED_TEST(SampledLogitsTest, MaskedRepeatsStayMasked) {
  using A = TypeParam;
  const Case<A> c = {{0, 1, 0, 1}, {-kInfinity<A>, A(1), -kInfinity<A>, A(2)}};
  const SampledLogits<A> logits = c.Logits(this->runtime_, LossKind::kNce, false);
  const Row<A> row(logits, 0, {A(3), A(4)});
  EXPECT_EQ(row.z, (std::vector<A>{-kInfinity<A>, A(5)}));
  EXPECT_EQ(Repeats(logits, row.z), (std::multimap<int64_t, A>{{0, -kInfinity<A>}, {1, A(6)}}));
}

TYPED_TEST(SampledLogitsTest, OffsetsOfMaskedClassesAreFinite) {
  using A = TypeParam;
  const A lowest = std::numeric_limits<A>::lowest();
  EXPECT_EQ(OffsetOf(A(3), A(1)), A(2));
  EXPECT_EQ(OffsetOf(-kInfinity<A>, A(1)), lowest);
  EXPECT_EQ(OffsetOf(-kInfinity<A>, A(-1)), lowest);
  EXPECT_TRUE(std::isnan(OffsetOf(kNan<A>, A(1))));
}

// Beside classes that are not masked, and alone in a block. The dot product does not matter.
TYPED_TEST(SampledLogitsTest, OffsetsOfMaskedClassesMask) {
  using A = TypeParam;
  const A masked = OffsetOf(-kInfinity<A>, A(1));
  const auto reduce = [&](const Case<A>& c, LossKind kind, std::vector<A>* z) {
    const SampledLogits<A> logits = c.Logits(this->runtime_, kind, false);
    std::vector<A> offsets(z->size());
    logits.Start(0, 1, offsets.data());
    for (size_t k = 0; k < z->size(); ++k) (*z)[k] += offsets[k];
    return logits.Reduce(0, 0, z->data());
  };
  const Case<A> beside = {{0, 1, 0, 2, 1, 2}, {masked, A(1), masked, masked, A(1), masked}};
  std::vector<A> z = {A(3), A(-1), A(1e35)};
  EXPECT_NEAR(reduce(beside, LossKind::kSoftmax, &z).max, std::log(A(2)), 1e-6);
  EXPECT_EQ(z, (std::vector<A>{A(0), A(1), A(0)}));
  z = {A(3), A(-1), A(-1e35)};
  EXPECT_NEAR(reduce(beside, LossKind::kNce, &z).sum, 2 * std::log(A(2)), 1e-6);
  EXPECT_EQ(z, (std::vector<A>{A(0), A(1), A(0)}));  // twice a half
  z = {A(3), A(-4)};
  const Case<A> alone = {{0, 1, 1}, {masked, masked, masked}};
  const BlockSum<A> block = reduce(alone, LossKind::kSoftmax, &z);
  EXPECT_LT(block.max, A(-1e30));
  EXPECT_TRUE(std::isfinite(block.max) && std::isfinite(block.sum));
  for (const A slope : z) EXPECT_TRUE(std::isfinite(slope));
}

TYPED_TEST(SampledLogitsTest, RepeatsOfWhatIsDroppedAreDropped) {
  using A = TypeParam;
  const Case<A> c = {{0, 1, 0, 1, 0}, {A(1), A(2), A(3), A(4), A(5)}, 1, {0, 1}};
  const SampledLogits<A> logits = c.Logits(this->runtime_, LossKind::kNce, true);
  EXPECT_EQ(Repeats(logits, Row<A>(logits, 0, {A(0), A(0)}).z),
            (std::multimap<int64_t, A>{{0, -kInfinity<A>}, {0, -kInfinity<A>}, {1, A(4)}}));
  EXPECT_EQ(Repeats(logits, Row<A>(logits, 1, {A(0), A(0)}).z),
            (std::multimap<int64_t, A>{{0, A(3)}, {0, A(5)}, {1, -kInfinity<A>}}));
}

// After a hit with by far the largest logit, the largest of the rest is returned.
TYPED_TEST(SampledLogitsTest, DropsHits) {
  using A = TypeParam;
  constexpr int64_t columns = 2 * kColumnBlock + 8;
  const Blocks blocks = ColumnBlocks(columns);
  const int64_t last = blocks.block - 1;
  for (const LossKind kind : kKinds) {
    Case<A> c = RandomCase<A>(columns, 0, this->random_);
    c.num_true = 3;
    // Rows with a repeated label, and with labels that are no columns.
    constexpr int64_t beyond = columns + 100;
    c.labels = {last + 50, 0, last + 50, last, last + 1, beyond, beyond, columns, beyond + 1};
    for (const bool remove : {false, true}) {
      const SampledLogits<A> logits = c.Logits(this->runtime_, kind, remove);
      std::vector<A> dots = RandomDots<A>(columns, this->random_);
      for (const int64_t hit : {int64_t{0}, last, last + 1, last + 50}) dots[hit] = A(1e30);
      for (int64_t i = 0; i < 3; ++i) {
        const Row<A> row(logits, i, dots);
        std::vector<A> largest(blocks.count(), -kInfinity<A>);
        for (int64_t j = 0; j < columns; ++j) {
          const auto labels = c.labels.begin() + i * 3;
          const bool dropped = remove && std::count(labels, labels + 3, j) > 0;
          ASSERT_EQ(row.z[j], dropped ? -kInfinity<A> : dots[j] + c.offsets[j]) << i << ", " << j;
          largest[j / blocks.block] = std::max(largest[j / blocks.block], row.z[j]);
        }
        EXPECT_EQ(row.largest, largest) << i;
      }
    }
  }
}

TYPED_TEST(SampledLogitsTest, OneBlockMayBeDroppedWhole) {
  using A = TypeParam;
  constexpr int64_t columns = 2 * kColumnBlock;
  const Blocks blocks = ColumnBlocks(columns);
  ASSERT_GE(blocks.count(), 2);
  for (int64_t b = 0; b < blocks.count(); ++b) {
    Case<A> c = RandomCase<A>(columns, 0, this->random_);
    c.num_true = blocks.length(b);
    for (int64_t j = 0; j < c.num_true; ++j) c.labels.push_back(blocks.begin(b) + j);
    const SampledLogits<A> logits = c.Logits(this->runtime_, LossKind::kSoftmax, true);
    const Row<A> row(logits, 0, std::vector<A>(columns, A(0)));
    for (int64_t j = 0; j < columns; ++j) {
      const bool dropped = j / blocks.block == b;
      ASSERT_EQ(row.z[j], dropped ? -kInfinity<A> : c.offsets[j]) << j << " without " << b;
    }
    for (int64_t other = 0; other < blocks.count(); ++other) {
      EXPECT_EQ(std::isinf(row.largest[other]), other == b) << other << " without " << b;
    }
    // The block adds nothing to the sum, and does not raise the largest logit of the row.
    std::vector<A> z(blocks.length(b));
    logits.Start(b, 1, z.data());
    const BlockSum<A> block = logits.Reduce(0, b, z.data());
    EXPECT_EQ(block.max, -kInfinity<A>) << b;
    EXPECT_EQ(block.sum, A(0)) << b;
  }
}

TYPED_TEST(SampledLogitsTest, AllBlocksMayBeDroppedWhole) {
  using A = TypeParam;
  constexpr int64_t columns = kColumnBlock + 1;
  Case<A> c = RandomCase<A>(columns, 0, this->random_);
  c.num_true = columns;
  for (int64_t j = 0; j < columns; ++j) c.labels.push_back(columns - 1 - j);
  const SampledLogits<A> logits = c.Logits(this->runtime_, LossKind::kSoftmax, true);
  const Row<A> row(logits, 0, std::vector<A>(columns, kNan<A>));
  EXPECT_EQ(row.z, std::vector<A>(columns, -kInfinity<A>));
  EXPECT_EQ(row.largest, std::vector<A>(ColumnBlocks(columns).count(), -kInfinity<A>));
}

TYPED_TEST(SampledLogitsTest, FindsLabelsAmongColumns) {
  using A = TypeParam;
  constexpr int64_t columns = 2 * kColumnBlock + 8;
  const Blocks blocks = ColumnBlocks(columns);
  const int64_t last = blocks.block - 1;
  Case<A> c = RandomCase<A>(columns, 30, this->random_);
  c.num_true = 4;
  c.labels = {0,
              last,
              0,
              columns - 1,
              columns,
              last + 1,
              2 * last + 1,
              2 * last + 2,
              columns + 300,
              columns,
              columns,
              columns + 1};
  const SampledLogits<A> logits = c.Logits(this->runtime_, LossKind::kSoftmax, false);
  std::vector<int64_t> found(c.labels.size(), -1);
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t b = 0; b < blocks.count(); ++b) {
      logits.ForLabels(i, b, [&](int64_t label, int64_t column) {
        EXPECT_EQ(found.at(label), -1);
        EXPECT_EQ(label / 4, i);
        EXPECT_LT(column, logits.columns().length(b));
        found.at(label) = blocks.begin(b) + column;
      });
    }
  }
  EXPECT_EQ(found, (std::vector<int64_t>{0, last, 0, columns - 1, -1, last + 1, 2 * last + 1,
                                         2 * last + 2, -1, -1, -1, -1}));
}

TYPED_TEST(SampledLogitsTest, ThrowsWhenThereIsNoMemory) {
  const Case<TypeParam> c = RandomCase<TypeParam>(200, 300, this->random_);
  for (const LossKind kind : kKinds) {
    TestRuntime unlimited = TestRuntime::Whole();
    c.Logits(unlimited, kind, true);
    ASSERT_GT(unlimited.allocations(), 0);
    for (int64_t limit = 0; limit < unlimited.allocations(); ++limit) {
      TestRuntime runtime = TestRuntime::Whole();
      runtime.LimitAllocations(limit);
      EXPECT_THROW(c.Logits(runtime, kind, true), std::bad_alloc);
    }
  }
}

}  // namespace
}  // namespace candsamp
