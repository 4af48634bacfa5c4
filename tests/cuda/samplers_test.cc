// SPDX-License-Identifier: Apache-2.0
// The kernels of cc/cuda, on threads that stand for a device, against the CPU's samplers.
#include <gtest/gtest.h>

#include "tests/cuda/checks/batch_checks.h"
#include "tests/cuda/checks/classes_checks.h"
#include "tests/cuda/checks/learned_unigram_checks.h"
#include "tests/cuda/checks/random_cases.h"
#include "tests/cuda/checks/rows_checks.h"
#include "tests/cuda/host/host_backend.h"

namespace candsamp {
namespace {

using Kind = CheckedDistribution::Kind;

constexpr Kind kKinds[] = {CheckedDistribution::kUniform, CheckedDistribution::kLogUniform,
                           CheckedDistribution::kFixedUnigram,
                           CheckedDistribution::kLearnedUnigram};

// Sizes that leave tails of every kind.
constexpr GridShape kShapes[] = {{1, 1}, {1, 32}, {3, 8}, {2, 33}, {5, 3}};

GridShape ShapeOf(int64_t k) { return kShapes[k % (sizeof kShapes / sizeof kShapes[0])]; }

class SamplersTest : public testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, SamplersTest, testing::ValuesIn(kKinds));

TEST_P(SamplersTest, DrawsBatchesAsTheCpuDoes) {
  RandomCases cases(1);
  for (int k = 0; k < 60; ++k) {
    HostBackend backend(ShapeOf(k));
    const CheckedDistribution checked = cases.Distribution(GetParam(), cases.Size(3000));
    ASSERT_EQ("", CheckBatch(backend, checked, cases.Batch(checked, 700)));
  }
}

TEST_P(SamplersTest, DrawsAllClassesThereAre) {
  RandomCases cases(2);
  for (const int64_t range : {1, 2, 3, 65, 700}) {
    for (int k = 0; k < 4; ++k) {
      HostBackend backend(ShapeOf(k + range));
      const CheckedDistribution checked = cases.Distribution(GetParam(), range);
      const BatchCase batch = {cases.Stream(), checked.cpu->support(), true, k % 2 == 1, {0}};
      ASSERT_EQ("", CheckBatch(backend, checked, batch));
    }
  }
}

TEST_P(SamplersTest, DrawsRowsAsTheCpuDoes) {
  RandomCases cases(3);
  for (int k = 0; k < 40; ++k) {
    HostBackend backend(ShapeOf(k));
    const CheckedDistribution checked = cases.Distribution(GetParam(), 3 + cases.Size(2000));
    ASSERT_EQ("", CheckRows(backend, checked, cases.Rows(checked, 90)));
  }
}

TEST_P(SamplersTest, HasTheCpusProbabilities) {
  RandomCases cases(4);
  HostBackend backend({3, 8});
  const CheckedDistribution checked = cases.Distribution(GetParam(), 1000);
  std::vector<int64_t> ids(1000);
  for (int64_t k = 0; k < 1000; ++k) ids[k] = k;
  EXPECT_EQ("", CheckProbabilities(backend, checked, ids));
}

TEST_P(SamplersTest, ProbabilitiesOfIdsOutOfRangeAreNan) {
  RandomCases cases(5);
  HostBackend backend({2, 4});
  EXPECT_EQ("", CheckIdsOutOfRange(backend, cases.Distribution(GetParam(), 10)));
}

// More rows than threads, some of them without candidates.
TEST_P(SamplersTest, DrawsManyRows) {
  RandomCases cases(6);
  HostBackend backend({2, 3});
  const CheckedDistribution checked = cases.Distribution(GetParam(), 500);
  RowsCase rows = {cases.Stream(), {}, true, false, true, {}};
  for (int64_t row = 0; row < 100; ++row) {
    rows.num_sampled.push_back(row % 5);
    rows.true_classes.push_back({row, 2 * row, row});
  }
  EXPECT_EQ("", CheckRows(backend, checked, rows));
}

// No memory could hold a value for each class of these ranges.
TEST(LargeRangeTest, DrawsUniformly) {
  RandomCases cases(7);
  for (const int64_t range : {int64_t{1} << 40, (int64_t{3} << 61) - 1, (int64_t{1} << 62) + 5}) {
    for (const bool unique : {false, true}) {
      HostBackend backend({2, 7});
      const CheckedDistribution checked =
          CheckedDistribution::Of(CheckedDistribution::kUniform, range);
      EXPECT_EQ("",
                CheckBatch(backend, checked, {cases.Stream(), 500, unique, false, {range - 1}}));
    }
  }
}
TEST(LargeRangeTest, DrawsLogUniformly) {
  RandomCases cases(8);
  for (const int64_t range : {int64_t{1} << 31, int64_t{1} << 40, int64_t{1} << 55}) {
    HostBackend backend({2, 7});
    const CheckedDistribution checked =
        CheckedDistribution::Of(CheckedDistribution::kLogUniform, range);
    EXPECT_EQ("", CheckBatch(backend, checked, {cases.Stream(), 3000, false, false, {range - 1}}));
    EXPECT_EQ("", CheckBatch(backend, checked, {cases.Stream(), 500, true, false, {0}}));
  }
}

// One column in 2,000 is rejected, so that the draws after it are made of other words.
TEST(FixedUnigramTest, DrawsWhatFollowsARejection) {
  RandomCases cases(9);
  const CheckedDistribution checked =
      cases.Distribution(CheckedDistribution::kFixedUnigram, 3000001);
  for (const bool unique : {false, true}) {
    HostBackend backend({3, 16});
    EXPECT_EQ("", CheckBatch(backend, checked, {cases.Stream(), 20000, unique, false, {5}}));
  }
}

// Nearly all mass is on a few classes, so that clocks find the distinct candidates.
TEST(FixedUnigramTest, FinishesByClocks) {
  for (const bool exact : {false, true}) {
    std::vector<float> weights(40000, 1);
    for (int k = 0; k < 5; ++k) weights[k * 1000] = 1e9f;
    HostBackend backend({3, 8});
    const CheckedDistribution checked = CheckedDistribution::Fixed(std::move(weights));
    EXPECT_EQ("", CheckBatch(backend, checked, {{1, 2, 3}, 60, true, exact, {0, 1}}));
  }
}

// Nearly all mass is on an excluded class, so that sums find the candidates.
TEST(FixedUnigramTest, FinishesBySums) {
  for (const bool unique : {false, true}) {
    std::vector<float> weights(40000, 1);
    weights[777] = 1e9f;
    HostBackend backend({3, 8});
    const CheckedDistribution checked = CheckedDistribution::Fixed(std::move(weights));
    const RowsCase rows = {{1, 2, 3}, {50, 1, 7}, unique, false, true, {{777}, {777, 3}, {5}}};
    EXPECT_EQ("", CheckRows(backend, checked, rows));
  }
}

TEST(RowsTest, MissingCandidatesAreMinusOne) {
  for (const int64_t range : {4, 5, 60}) {
    for (const bool unique : {false, true}) {
      for (const bool exact_counts : {false, true}) {
        HostBackend backend({2, 4});
        EXPECT_EQ("", CheckTooFewClasses(backend, range, unique, exact_counts));
      }
    }
  }
}

TEST(UpdateTest, KeepsTheCpusSlots) {
  RandomCases cases(10);
  for (int k = 0; k < 12; ++k) {
    const int64_t range = cases.Size(k % 2 ? 30 : 3000);
    std::vector<int64_t> counts(range);
    for (int64_t& count : counts) count = cases.Below(3);
    std::vector<std::vector<int64_t>> updates;
    for (int update = 0; update < 12; ++update) {
      updates.emplace_back();
      for (int64_t n = cases.Size(3 * range); n > 0; --n) {
        updates.back().push_back(cases.Coin() ? cases.Below(range) : cases.Size(range) - 1);
      }
    }
    HostBackend backend(ShapeOf(k));
    ASSERT_EQ("", CheckUpdates(backend, counts, updates)) << range;
  }
}

// A class of so many slots that a whole block of threads inserts them.
TEST(UpdateTest, SpreadsHeavyClasses) {
  HostBackend backend({3, 16});
  std::vector<int64_t> counts(5000);
  counts[17] = 9000;
  counts[4999] = 700;
  EXPECT_EQ("", CheckUpdates(backend, counts, {{17, 17, 3}, std::vector<int64_t>(12000, 17)}));
}

TEST(HitsTest, FindsTheCpusHits) {
  RandomCases cases(11);
  for (int k = 0; k < 30; ++k) {
    const int64_t range = cases.Size(200), row_size = 1 + cases.Below(3);
    std::vector<int64_t> true_classes(row_size * cases.Below(50)), candidates(cases.Below(300));
    for (int64_t& id : true_classes) id = cases.Below(range);
    for (int64_t& id : candidates) id = cases.Below(range);
    if (!candidates.empty() && !true_classes.empty()) {
      candidates[0] = true_classes[0] = k % 2 ? INT64_MAX : -5;
    }
    HostBackend backend(ShapeOf(k));
    ASSERT_EQ("", CheckHits(backend, true_classes, row_size, candidates));
  }
}

TEST(AllCandidatesTest, WritesEveryClass) {
  for (const int64_t count : {1, 5, 100}) {
    HostBackend backend(ShapeOf(count));
    EXPECT_EQ("", CheckAllCandidates(backend, count, {0, count - 1, count, -1, INT64_MAX}));
  }
}

}  // namespace
}  // namespace candsamp
