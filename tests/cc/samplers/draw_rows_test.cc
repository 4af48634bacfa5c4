// SPDX-License-Identifier: Apache-2.0
// Candidates of the rows of a batch: each row depends on itself alone. Each part of the rows has
// scratch memory of the size that DrawScratchBytes says, so that AddressSanitizer sees more.
#include "cc/lib/samplers/draw_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cc/lib/sampler_math/draw_limits.h"
#include "tests/cc/samplers/distribution_case.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

constexpr PhiloxStream kStream = {1, 2, 3};

struct Batch {
  std::vector<int64_t> num_sampled;
  bool unique = true;
  bool exact = false;
  bool exclude_true = false;
  std::vector<std::vector<int64_t>> true_classes = {};
};

struct Row {
  std::vector<int64_t> ids;
  std::vector<float> counts;
  bool operator==(const Row& other) const { return ids == other.ids && counts == other.counts; }
};

struct Result {
  std::string problem;
  std::vector<Row> rows;
};

Result Drawn(Runtime& runtime, const Distribution& distribution, const Batch& batch,
             const PhiloxStream& stream = kStream) {
  const int64_t rows = static_cast<int64_t>(batch.num_sampled.size());
  std::vector<int64_t> splits = {0}, true_splits = {0}, true_classes;
  for (int64_t row = 0; row < rows; ++row) {
    splits.push_back(splits.back() + batch.num_sampled[row]);
    if (!batch.exclude_true) continue;
    const std::vector<int64_t>& mine = batch.true_classes.at(row);
    true_classes.insert(true_classes.end(), mine.begin(), mine.end());
    true_splits.push_back(static_cast<int64_t>(true_classes.size()));
  }
  std::vector<int64_t> ids(splits.back(), -1);
  std::vector<float> counts(splits.back(), -1);
  const RowsRequest draws = {rows,
                             splits.data(),
                             batch.unique,
                             batch.exact,
                             batch.exclude_true ? true_splits.data() : nullptr,
                             batch.exclude_true ? true_classes.data() : nullptr};
  Result result;
  result.problem = DrawRows(runtime, distribution, stream, draws, ids.data(), counts.data());
  for (int64_t row = 0; row < rows; ++row) {
    result.rows.push_back({{ids.begin() + splits[row], ids.begin() + splits[row + 1]},
                           {counts.begin() + splits[row], counts.begin() + splits[row + 1]}});
  }
  return result;
}
std::vector<Row> Rows(const Distribution& distribution, const Batch& batch,
                      const PhiloxStream& stream = kStream) {
  TestRuntime runtime = TestRuntime::Whole();
  const Result result = Drawn(runtime, distribution, batch, stream);
  EXPECT_EQ(result.problem, "");
  return result.rows;
}

// In some of them clocks draw candidates.
std::vector<DistributionCase> Cases() {
  std::vector<DistributionCase> cases;
  cases.push_back(UniformCase(50));
  cases.push_back(LogUniformCase(50));
  cases.push_back(FixedCase(ZipfWeights(50)));
  cases.push_back(LearnedCase(ZipfCounts(50, 100)));
  std::vector<float> steep(50);
  for (size_t k = 0; k < steep.size(); ++k) steep[k] = std::pow(0.5f, static_cast<float>(k));
  cases.push_back(FixedCase(steep));
  cases.push_back(UniformCase(int64_t{1} << 40));
  return cases;
}

std::vector<int64_t> RandomClasses(const Distribution& distribution, std::mt19937_64& random) {
  std::vector<int64_t> classes(random() % 5);
  for (int64_t& id : classes) {
    id = random() % 2 ? static_cast<int64_t>(random() % 3)
                      : static_cast<int64_t>(random() % distribution.range());
  }
  return classes;
}

Batch RandomBatch(const Distribution& distribution, int64_t rows, std::mt19937_64& random) {
  Batch batch;
  batch.unique = random() % 2;
  batch.exact = random() % 2;
  batch.exclude_true = random() % 2;
  for (int64_t row = 0; row < rows; ++row) {
    batch.num_sampled.push_back(random() % 3 ? random() % 8 : random() % 30);
    batch.true_classes.push_back(RandomClasses(distribution, random));
  }
  return batch;
}

double ProbabilityWithout(const Distribution& distribution, int64_t id,
                          const std::set<int64_t>& excluded) {
  double left = 0;
  if (distribution.range() > 1000) {
    left = 1;
    for (const int64_t other : excluded) left -= ProbabilityOf(distribution, other);
  } else {
    for (int64_t other = 0; other < distribution.range(); ++other) {
      if (!excluded.count(other)) left += ProbabilityOf(distribution, other);
    }
  }
  return ProbabilityOf(distribution, id) / left;
}

TEST(DrawRowsTest, RowsAreWhatWasAskedFor) {
  std::mt19937_64 random(1);
  for (const DistributionCase& a_case : Cases()) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      const Batch batch = RandomBatch(*a_case, 40, random);
      const std::vector<Row> rows = Rows(*a_case, batch);
      for (size_t r = 0; r < rows.size(); ++r) {
        SCOPED_TRACE(a_case.name + ", row " + std::to_string(r));
        const Row& row = rows[r];
        std::set<int64_t> excluded;
        if (batch.exclude_true) {
          excluded.insert(batch.true_classes[r].begin(), batch.true_classes[r].end());
        }
        ASSERT_EQ(static_cast<int64_t>(row.ids.size()), batch.num_sampled[r]);
        if (batch.unique) {
          ASSERT_EQ(std::set<int64_t>(row.ids.begin(), row.ids.end()).size(), row.ids.size());
        }
        for (size_t k = 0; k < row.ids.size(); ++k) {
          ASSERT_EQ(excluded.count(row.ids[k]), 0u);
          const double p = ProbabilityWithout(*a_case, row.ids[k], excluded);
          ASSERT_GT(p, 0);
          if (batch.unique) {
            ASSERT_GT(row.counts[k], 0);
            ASSERT_LE(row.counts[k], batch.exact ? 1 : row.ids.size());
          } else {
            ASSERT_FLOAT_EQ(row.counts[k], static_cast<float>(p * row.ids.size()));
          }
        }
      }
    }
  }
}

TEST(DrawRowsTest, DoNotDependOnTheRuntime) {
  std::mt19937_64 random(1);
  for (const DistributionCase& a_case : Cases()) {
    for (const int64_t rows : {0, 1, 2, 15, 16, 17, 33, 200}) {
      const Batch batch = RandomBatch(*a_case, rows, random);
      const std::vector<Row> expected = Rows(*a_case, batch);
      for (TestRuntime& runtime : TestRuntime::Various()) {
        const Result result = Drawn(runtime, *a_case, batch);
        ASSERT_EQ(result.problem, "");
        ASSERT_TRUE(result.rows == expected)
            << a_case.name << ", " << rows << " rows, " << runtime.name();
      }
    }
  }
}

// Replaces all rows but one, and adds rows behind them.
TEST(DrawRowsTest, ARowDoesNotDependOnTheOthers) {
  std::mt19937_64 random(1);
  for (const DistributionCase& a_case : Cases()) {
    for (int repeat = 0; repeat < 10; ++repeat) {
      const Batch batch = RandomBatch(*a_case, 40, random);
      const std::vector<Row> expected = Rows(*a_case, batch);
      for (const size_t kept : {0, 1, 20, 39}) {
        Batch other = RandomBatch(*a_case, 40 + random() % 100, random);
        other.unique = batch.unique;
        other.exact = batch.exact;
        other.exclude_true = batch.exclude_true;
        other.num_sampled[kept] = batch.num_sampled[kept];
        other.true_classes[kept] = batch.true_classes[kept];
        ASSERT_TRUE(Rows(*a_case, other)[kept] == expected[kept]) << a_case.name << ", " << kept;
      }
    }
  }
}

TEST(DrawRowsTest, OrderAndRepetitionOfTrueClassesDoNotMatter) {
  const DistributionCase a_case = LogUniformCase(50);
  Batch batch = {{5, 5}, true, true, true, {{0, 1, 7}, {2}}};
  const std::vector<Row> expected = Rows(*a_case, batch);
  batch.true_classes = {{7, 0, 0, 1, 7}, {2, 2, 2, 2}};
  EXPECT_TRUE(Rows(*a_case, batch) == expected);
}

TEST(DrawRowsTest, EqualRowsAreDrawnIndependently) {
  for (const DistributionCase& a_case : Cases()) {
    for (const bool unique : {false, true}) {
      const std::vector<Row> rows = Rows(*a_case, {std::vector<int64_t>(50, 20), unique});
      const std::vector<Row> next =
          Rows(*a_case, {std::vector<int64_t>(50, 20), unique}, {1, 2, 3 + kBlocksPerSample});
      std::set<std::vector<int64_t>> different;
      for (const Row& row : rows) different.insert(row.ids);
      for (const Row& row : next) different.insert(row.ids);
      // Steep weights make few different orders.
      EXPECT_GT(different.size(), 95u) << a_case.name;
    }
  }
}

TEST(DrawRowsTest, TrueClassesMayHoldNearlyAllMass) {
  const DistributionCase a_case = FixedCase({1e6f, 1e6f, 3, 2, 1, 0});
  for (const bool unique : {false, true}) {
    for (const bool exact : {false, true}) {
      const Batch batch = {std::vector<int64_t>(100, 3), unique, exact, true,
                           std::vector<std::vector<int64_t>>(100, {0, 1, 5})};
      for (const Row& row : Rows(*a_case, batch)) {
        for (size_t k = 0; k < 3; ++k) {
          ASSERT_TRUE(row.ids[k] >= 2 && row.ids[k] <= 4) << row.ids[k];
          const float p = (5 - static_cast<float>(row.ids[k])) / 6;
          if (!unique) {
            ASSERT_FLOAT_EQ(row.counts[k], 3 * p);
          } else if (exact) {
            ASSERT_EQ(row.counts[k], 1);
          }
        }
      }
    }
  }
}

TEST(DrawRowsTest, TooManyCandidatesAreAProblem) {
  const DistributionCase a_case = FixedCase({1, 0, 1, 1});
  TestRuntime runtime = TestRuntime::Whole();
  const auto problem = [&](const Batch& batch) { return Drawn(runtime, *a_case, batch).problem; };
  EXPECT_EQ(problem({{3, 0, 3}}), "");
  EXPECT_EQ(problem({{100, 0}, false}), "");
  EXPECT_NE(problem({{3, 4}}).find("num_sampled[1] must be at most 3"), std::string::npos);
  EXPECT_NE(problem({{3, 4}}).find("got 4"), std::string::npos);
  // Two classes that can be drawn are left. The class without weight never counts.
  EXPECT_EQ(problem({{2, 2}, true, true, true, {{0}, {3, 1}}}), "");
  EXPECT_NE(
      problem({{2, 3}, true, false, true, {{0}, {3, 1}}}).find("num_sampled[1] must be at most 2"),
      std::string::npos);
  EXPECT_NE(
      problem({{1}, false, false, true, {{0, 2, 3}}}).find("num_sampled[0] must be at most 0"),
      std::string::npos);
  EXPECT_EQ(problem({{0}, false, false, true, {{0, 1, 2, 3}}}), "");
}

TEST(DrawRowsTest, ThrowsWhenThereIsNoMemory) {
  const DistributionCase a_case = LogUniformCase(50);
  for (const bool unique : {false, true}) {
    const Batch batch = {{5, 0, 30}, unique, true, true, {{0, 1}, {}, {2}}};
    TestRuntime unlimited = TestRuntime::Whole();
    ASSERT_EQ(Drawn(unlimited, *a_case, batch).problem, "");
    ASSERT_GT(unlimited.allocations(), 0);
    for (int64_t limit = 0; limit < unlimited.allocations(); ++limit) {
      TestRuntime runtime = TestRuntime::Whole();
      runtime.LimitAllocations(limit);
      EXPECT_THROW(Drawn(runtime, *a_case, batch), std::bad_alloc);
    }
  }
}

// A few parts of the rows share scratch memory, so it does not grow with the rows.
TEST(DrawRowsTest, ManyRowsNeedLittleMemory) {
  TestRuntime runtime = TestRuntime::Whole();
  runtime.LimitBytes(8 << 20);
  const Batch batch = {std::vector<int64_t>(20000, 20), true, true};
  EXPECT_EQ(Drawn(runtime, *UniformCase(int64_t{1} << 40), batch).rows.size(), 20000u);
}

}  // namespace
}  // namespace candsamp
