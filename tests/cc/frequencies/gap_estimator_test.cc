// SPDX-License-Identifier: Apache-2.0
// Gaps are those of the formula, in any order of a batch, and converge to 1 / p.
#include "cc/lib/frequencies/gap_estimator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <vector>

namespace candsamp {
namespace {

struct Estimator {
  GapShape shape;
  double rate;
  std::vector<int64_t> state = std::vector<int64_t>(shape.state_words());

  void Add(const std::vector<int64_t>& ids) {
    std::vector<PlaceInBatch> scratch(ids.size() * shape.hashes);
    AddIds(shape, rate, ids.data(), static_cast<int64_t>(ids.size()), state.data(), scratch.data());
  }
  std::vector<float> Gaps(const std::vector<int64_t>& ids) const {
    std::vector<float> gaps(ids.size());
    MeanGaps(shape, state.data(), ids.data(), static_cast<int64_t>(ids.size()), gaps.data());
    return gaps;
  }
};

// The formula, without hashes.
struct Reference {
  struct Id {
    double last = 0, gap = 0, seen = 0;
  };
  double rate, time = 0;
  std::map<int64_t, Id> ids;

  void Add(const std::vector<int64_t>& batch) {
    time += static_cast<double>(batch.size());
    std::map<int64_t, double> times;
    for (const int64_t id : batch) ++times[id];
    for (const auto& [key, k] : times) {
      Id& id = ids[key];
      const double gap = (id.seen > 0 ? time - id.last : static_cast<double>(batch.size())) / k;
      const double known = std::max(id.seen - 1, 0.0) + k;
      const double step = std::max(1 - std::pow(1 - rate, k), k / known);
      if (id.seen > 0 || k > 1) id.gap += step * (gap - id.gap);
      id.seen += k;
      id.last = time;
    }
  }
  double Gap(int64_t key) {
    const Id id = ids[key];
    const double gap = id.gap > 0 ? std::max(id.gap, (time - id.last) / kFadeGaps) : time;
    return std::max(gap, 1.0);
  }
};

std::vector<int64_t> Zipf(int64_t range, int64_t size, std::mt19937_64& random) {
  std::vector<int64_t> ids(size);
  for (int64_t& id : ids) {
    const double u = std::generate_canonical<double, 53>(random);
    id = std::min(range - 1, static_cast<int64_t>(std::exp(u * std::log1p(range))) - 1);
  }
  return ids;
}

TEST(GapEstimatorTest, GapsAreThoseOfTheFormula) {
  std::mt19937_64 random(1);
  for (const double rate : {0.01, 0.3, 1.0}) {
    Estimator estimator{{1 << 20, 3}, rate};  // 300 ids do not collide in every hash
    Reference reference{rate};
    for (int step = 0; step < 300; ++step) {
      const std::vector<int64_t> ids = Zipf(300, static_cast<int64_t>(random() % 40), random);
      estimator.Add(ids);
      reference.Add(ids);
      std::vector<int64_t> all(310);
      for (size_t id = 0; id < all.size(); ++id) all[id] = static_cast<int64_t>(id);
      const std::vector<float> gaps = estimator.Gaps(all);
      for (const int64_t id : all) {
        const double expected = reference.Gap(id);
        ASSERT_NEAR(gaps[id], expected, 1e-5 * expected) << "id " << id << ", step " << step;
      }
    }
  }
}

TEST(GapEstimatorTest, TheOrderOfABatchDoesNotMatter) {
  std::mt19937_64 random(1);
  Estimator one{{100, 2}, 0.1}, other{{100, 2}, 0.1};  // with collisions
  for (int step = 0; step < 50; ++step) {
    std::vector<int64_t> ids = Zipf(1000, 200, random);
    one.Add(ids);
    std::shuffle(ids.begin(), ids.end(), random);
    other.Add(ids);
    ASSERT_EQ(one.state, other.state);
  }
}

TEST(GapEstimatorTest, AnEmptyBatchChangesNothing) {
  Estimator estimator{{10, 2}, 0.1};
  estimator.Add({1, 2, 3});
  const std::vector<int64_t> before = estimator.state;
  estimator.Add({});
  EXPECT_EQ(estimator.state, before);
}

// Every id of 64 bits has its places.
TEST(GapEstimatorTest, AllIds) {
  Estimator estimator{{7, kMostGapHashes}, 0.1};
  const std::vector<int64_t> ids = {0, -1, std::numeric_limits<int64_t>::min(),
                                    std::numeric_limits<int64_t>::max()};
  estimator.Add(ids);
  EXPECT_EQ(estimator.state[0], 4);
  for (const float gap : estimator.Gaps(ids)) EXPECT_GE(gap, 1);
}

// Ids that are multiples of anything fall on different places, of each hash on others.
TEST(GapEstimatorTest, HashesSpreadIds) {
  for (const int64_t stride : {1, 64, 1 << 20}) {
    Estimator estimator{{1 << 16, 2}, 0.1};
    std::vector<int64_t> ids(1000);
    for (size_t k = 0; k < ids.size(); ++k) ids[k] = static_cast<int64_t>(k) * stride;
    estimator.Add(ids);
    int64_t taken[2] = {0, 0};
    for (int64_t place = 0; place < estimator.shape.places(); ++place) {
      taken[place >> 16] += estimator.state[1 + 2 * place] != 0;
    }
    // 1,000 ids on 65,536 places: 7.6 collide on average, with a deviation of 2.7.
    EXPECT_GT(taken[0], 975);
    EXPECT_GT(taken[1], 975);
  }
}

// A state that somebody else wrote: nothing is read or written outside of it.
TEST(GapEstimatorTest, AnyWordsAreAState) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    Estimator estimator{{5, 2}, 0.5};
    for (int64_t& word : estimator.state) {
      word = round % 2 ? static_cast<int64_t>(random()) : ~static_cast<int64_t>(random() % 12);
    }
    const std::vector<int64_t> ids = Zipf(20, 30, random);
    estimator.Add(ids);
    for (const float gap : estimator.Gaps(ids)) EXPECT_FALSE(gap < 1);
  }
}

// The relative deviation of an estimate is sqrt(rate / 2) = 7% of its gap. The mean over 99 ids
// deviates by 0.7% then; four times as much fails one time in 10,000.
TEST(GapEstimatorTest, GapsConvergeWhateverTheBatches) {
  constexpr int64_t kRange = 1000, kIds = 2000000;
  for (const int64_t batch : {1, 100, 10000}) {
    std::mt19937_64 random(1);
    Estimator estimator{{1 << 18, 2}, 0.01};
    for (int64_t at = 0; at < kIds; at += batch) estimator.Add(Zipf(kRange, batch, random));
    double sum = 0, squares = 0;
    for (int64_t id = 1; id < 100; ++id) {
      const double p = std::log1p(1 / (static_cast<double>(id) + 1)) / std::log1p(kRange);
      const double ratio = estimator.Gaps({id})[0] * p;
      sum += ratio;
      squares += (ratio - 1) * (ratio - 1);
    }
    EXPECT_NEAR(sum / 99, 1, 0.03) << batch;
    EXPECT_NEAR(std::sqrt(squares / 99), 0.07, 0.03) << batch;
  }
}

}  // namespace
}  // namespace candsamp
