// SPDX-License-Identifier: Apache-2.0
// The promises of every distribution: draws depend on the stream and their number alone, and have
// the stated probabilities.
#include "cc/lib/samplers/distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "tests/cc/samplers/chi_square.h"
#include "tests/cc/samplers/distribution_case.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

constexpr PhiloxStream kStream = {1, 2, 3};

std::vector<DistributionCase> AllCases() {
  std::vector<DistributionCase> cases = SmallCases();
  // Ranges that reject a quarter of the draws, a third, few, and hardly any.
  for (const int64_t range :
       {3 * (int64_t{1} << 61), int64_t{6148914691236517206}, (int64_t{1} << 50) + 1,
        (int64_t{1} << 44) + 1, std::numeric_limits<int64_t>::max(), int64_t{1} << 62}) {
    cases.push_back(UniformCase(range));
  }
  cases.push_back(LogUniformCase(int64_t{1} << 62));
  cases.push_back(FixedCase(std::vector<float>(3000001, 1.0f)));
  // One block of the slot table or more, with counts that make few slots or many.
  for (const int64_t range : {89, 90, 91, 5000}) {
    cases.push_back(LearnedCase(std::vector<int64_t>(range, 0)));
    cases.push_back(LearnedCase(ZipfCounts(range, 1000000)));
  }
  cases.push_back(LearnedCase({int64_t{1} << 61, 0, int64_t{1} << 60}));
  return cases;
}

// Draws in chunks of these sizes, again and again.
std::vector<int64_t> DrawnInChunks(const Distribution& distribution,
                                   const std::vector<int64_t>& chunks, int64_t count) {
  std::vector<int64_t> ids(count);
  TestRuntime runtime = TestRuntime::Whole();
  uint64_t position = 0;
  int64_t drawn = 0;
  for (size_t k = 0; drawn < count; ++k) {
    const int64_t chunk = std::min(chunks[k % chunks.size()], count - drawn);
    distribution.Draw(runtime, kStream, &position, chunk, ids.data() + drawn);
    drawn += chunk;
  }
  return ids;
}

TEST(DistributionTest, DrawsDoNotDependOnHowManyAreAskedForAtATime) {
  constexpr int64_t kCount = 3000;
  for (const DistributionCase& a_case : AllCases()) {
    SCOPED_TRACE(a_case.name);
    const std::vector<int64_t> expected = Drawn(*a_case, kStream, kCount);
    for (const std::vector<int64_t>& chunks : std::vector<std::vector<int64_t>>{
             {300, 700}, {1}, {2, 1, 3}, {511, 512, 513}, {1024, 0, 7}, {2999, 1}}) {
      ASSERT_EQ(DrawnInChunks(*a_case, chunks, kCount), expected) << "first " << chunks[0];
    }
  }
}

TEST(DistributionTest, DrawsDoNotDependOnTheRuntime) {
  for (const DistributionCase& a_case : AllCases()) {
    const std::vector<int64_t> expected = Drawn(*a_case, kStream, 2000);
    for (TestRuntime& runtime : TestRuntime::Various()) {
      ASSERT_EQ(Drawn(runtime, *a_case, kStream, 2000), expected)
          << a_case.name << ", " << runtime.name();
    }
  }
}

TEST(DistributionTest, DrawsCanBeCounted) {
  for (const DistributionCase& a_case : AllCases()) {
    const std::vector<int64_t> expected = Drawn(*a_case, kStream, 2000);
    for (TestRuntime& runtime : TestRuntime::Various()) {
      std::vector<int64_t> ids(2000);
      std::vector<float> counts(2000, -1);
      const ExpectedCountOutput draw_counts = {700.5, counts.data()};
      uint64_t position = 0;
      a_case->Draw(runtime, kStream, &position, 2000, ids.data(), &draw_counts);
      ASSERT_EQ(ids, expected) << a_case.name << ", " << runtime.name();
      for (int k = 0; k < 2000; ++k) {
        ASSERT_FLOAT_EQ(counts[k], static_cast<float>(700.5 * ProbabilityOf(*a_case, ids[k])))
            << a_case.name << ", " << runtime.name() << ", draw " << k;
      }
    }
  }
}

// TensorFlow runs ops side by side: each thread has its own runtime and its own stream.
TEST(DistributionTest, DrawsAtTheSameTimeDoNotDisturbEachOther) {
  for (const DistributionCase& a_case : SmallCases()) {
    const PhiloxStream other = {9, 9, 9};
    const std::vector<int64_t> expected = Drawn(*a_case, kStream, 5000);
    const std::vector<int64_t> expected_other = Drawn(*a_case, other, 5000);
    std::vector<int64_t> ids, other_ids;
    std::thread thread([&] { other_ids = Drawn(*a_case, other, 5000); });
    ids = Drawn(*a_case, kStream, 5000);
    thread.join();
    ASSERT_EQ(ids, expected) << a_case.name;
    ASSERT_EQ(other_ids, expected_other) << a_case.name;
  }
}

TEST(DistributionTest, DrawsAreInRangeAndPossible) {
  for (const DistributionCase& a_case : AllCases()) {
    for (const int64_t id : Drawn(*a_case, kStream, 5000)) {
      ASSERT_GE(id, 0) << a_case.name;
      ASSERT_LT(id, a_case->range()) << a_case.name;
      ASSERT_GT(ProbabilityOf(*a_case, id), 0) << a_case.name << ", class " << id;
    }
  }
}

TEST(DistributionTest, ProbabilitiesAddUpToOne) {
  for (const DistributionCase& a_case : AllCases()) {
    if (a_case->range() > 3000001) continue;
    const std::vector<double> p = AllProbabilities(*a_case);
    double sum = 0;
    for (const double one : p) sum += one;
    EXPECT_NEAR(sum, 1, 1e-10) << a_case.name;
    EXPECT_EQ(p.size() - std::count(p.begin(), p.end(), 0.0),
              static_cast<size_t>(a_case->support()))
        << a_case.name;
  }
}

TEST(DistributionTest, AUniformOneHasEqualProbabilities) {
  for (const DistributionCase& a_case : SmallCases()) {
    if (!a_case->is_uniform()) continue;
    for (const double p : AllProbabilities(*a_case)) EXPECT_EQ(p, 1.0 / a_case->range());
  }
}

using Sampler = std::function<std::vector<int64_t>(const Distribution&, int64_t count)>;

std::vector<int64_t> RightDraws(const Distribution& distribution, int64_t count) {
  return Drawn(distribution, kStream, count);
}

// How well the frequencies of 10^6 draws fit.
double FrequencyP(const Distribution& distribution, const Sampler& draw) {
  std::vector<int64_t> counts(distribution.range());
  for (const int64_t id : draw(distribution, 1000000)) ++counts[id];
  return ChiSquareP(counts, AllProbabilities(distribution));
}

// How well pairs of draws fit independence, `lag` apart.
double PairP(const Distribution& distribution, int64_t lag, const Sampler& draw) {
  constexpr int64_t kCells = 7;
  const std::vector<int64_t> ids = draw(distribution, 1000000);
  const std::vector<double> p = AllProbabilities(distribution);
  std::vector<double> cell_p(kCells), pair_p(kCells * kCells);
  for (size_t k = 0; k < p.size(); ++k) cell_p[k % kCells] += p[k];
  for (int64_t k = 0; k < kCells * kCells; ++k) pair_p[k] = cell_p[k / kCells] * cell_p[k % kCells];
  std::vector<int64_t> counts(kCells * kCells);
  // Pairs that share no draw.
  for (size_t at = 0; at + 2 * lag <= ids.size(); at += 2 * lag) {
    for (int64_t k = 0; k < lag; ++k) {
      ++counts[ids[at + k] % kCells * kCells + ids[at + lag + k] % kCells];
    }
  }
  return ChiSquareP(counts, pair_p);
}

TEST(DistributionStatisticsTest, FrequenciesFitTheProbabilities) {
  for (const DistributionCase& a_case : AllCases()) {
    if (a_case->range() > 5000) continue;
    EXPECT_GT(FrequencyP(*a_case, RightDraws), kFalsePositive) << a_case.name;
  }
}

TEST(DistributionStatisticsTest, DrawsAreIndependent) {
  for (const DistributionCase& a_case : SmallCases()) {
    for (const int64_t lag : {1, 2, 3, 4, 256, 512, 1024}) {
      EXPECT_GT(PairP(*a_case, lag, RightDraws), kFalsePositive) << a_case.name << ", lag " << lag;
    }
  }
}

// The tests above notice a sampler that is a little wrong.
TEST(DistributionStatisticsTest, WrongSamplersAreFound) {
  std::vector<DistributionCase> cases;
  cases.push_back(UniformCase(1000));
  cases.push_back(LogUniformCase(1000));
  cases.push_back(FixedCase(ZipfWeights(1000)));
  cases.push_back(LearnedCase(ZipfCounts(1000, 5000)));
  for (const DistributionCase& a_case : cases) {
    const int64_t range = a_case->range();
    const auto expect_found = [&](const char* what, const Sampler& draw) {
      EXPECT_LT(
          std::min({FrequencyP(*a_case, draw), PairP(*a_case, 1, draw), PairP(*a_case, 512, draw)}),
          kFalsePositive)
          << a_case.name << ": " << what;
    };
    expect_found("one draw in 200 is class 0", [](const Distribution& distribution, int64_t n) {
      std::vector<int64_t> ids = RightDraws(distribution, n);
      for (int64_t k = 0; k < n; k += 200) ids[k] = 0;
      return ids;
    });
    expect_found("every second draw comes twice", [](const Distribution& distribution, int64_t n) {
      std::vector<int64_t> ids = RightDraws(distribution, n);
      for (int64_t k = 1; k < n; k += 2) ids[k] = ids[k - 1];
      return ids;
    });
    expect_found("blocks come twice", [](const Distribution& distribution, int64_t n) {
      std::vector<int64_t> ids = RightDraws(distribution, n);
      for (int64_t k = 0; k < n; ++k) ids[k] = ids[k / 1024 * 1024 + k % 512];
      return ids;
    });
    if (a_case->is_uniform()) continue;
    expect_found("classes are off by one", [&](const Distribution& distribution, int64_t n) {
      std::vector<int64_t> ids = RightDraws(distribution, n);
      for (int64_t& id : ids) id = (id + 1) % range;
      return ids;
    });
    expect_found("weights to the power 0.98", [&](const Distribution&, int64_t n) {
      std::vector<float> weights;
      for (const double p : AllProbabilities(*a_case)) {
        weights.push_back(static_cast<float>(std::pow(p, 0.98)));
      }
      return RightDraws(FixedUnigram(weights.data(), range), n);
    });
  }
}

}  // namespace
}  // namespace candsamp
