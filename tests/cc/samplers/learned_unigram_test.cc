// SPDX-License-Identifier: Apache-2.0
// The learned distribution: its law, and that its draws are a function of the counts alone.
#include "cc/lib/samplers/learned_unigram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "cc/lib/core/golden_ratio.h"
#include "tests/cc/samplers/chi_square.h"
#include "tests/cc/samplers/distribution_case.h"

namespace candsamp {
namespace {

constexpr PhiloxStream kStream = {1, 2, 3};
// Ranges around the size at which the table becomes several blocks.
constexpr int64_t kRanges[] = {1, 2, 3, 89, 255, 256, 257, 820, 1000, 4095, 4100, 1 << 16};

std::vector<int64_t> Counts(const LearnedUnigram& unigram, int64_t draws,
                            const PhiloxStream& stream = kStream) {
  std::vector<int64_t> counts(unigram.range());
  for (const int64_t id : Drawn(unigram, stream, draws)) ++counts[id];
  return counts;
}

std::vector<double> Weights(const std::vector<int64_t>& counts) {
  double total = 0;
  for (const int64_t count : counts) total += static_cast<double>(count) + 1;
  std::vector<double> p;
  for (const int64_t count : counts) p.push_back((static_cast<double>(count) + 1) / total);
  return p;
}

using MakeCounts = std::function<std::vector<int64_t>(int64_t range, std::mt19937_64& random)>;
struct Shape {
  std::string name;
  MakeCounts make;
};

// Counts that make few or many slots, for one class or for all.
std::vector<Shape> Shapes() {
  return {
      {"zeros", [](int64_t range, std::mt19937_64&) { return std::vector<int64_t>(range, 0); }},
      {"ones", [](int64_t range, std::mt19937_64&) { return std::vector<int64_t>(range, 1); }},
      {"nearly twice the range",
       [](int64_t range, std::mt19937_64&) {
         std::vector<int64_t> counts(range, 2);
         counts[0] = 1;
         return counts;
       }},
      {"one heavy class",
       [](int64_t range, std::mt19937_64&) {
         std::vector<int64_t> counts(range, 0);
         counts[range / 2] = 10 * range;
         return counts;
       }},
      {"random",
       [](int64_t range, std::mt19937_64& random) {
         std::vector<int64_t> counts(range);
         for (int64_t& count : counts) count = random() % 20;
         return counts;
       }},
      {"skewed",
       [](int64_t range, std::mt19937_64& random) {
         std::vector<int64_t> counts(range);
         for (int64_t& count : counts) {
           count = static_cast<int64_t>(std::exp(static_cast<double>(random() % 1000) / 200));
         }
         return counts;
       }},
      {"powers of two",
       [](int64_t range, std::mt19937_64& random) {
         std::vector<int64_t> counts(range);
         for (int64_t& count : counts) count = (int64_t{1} << random() % 8) - 1;
         return counts;
       }},
  };
}

void ExpectSame(const LearnedUnigram& grown, const std::vector<int64_t>& counts) {
  std::vector<int64_t> copy = counts;
  const LearnedUnigram built(copy.data(), static_cast<int64_t>(copy.size()));
  ASSERT_EQ(grown.total(), built.total());
  ASSERT_EQ(AllProbabilities(grown), AllProbabilities(built));
  // Enough draws to hit nearly every place of the table.
  const int64_t draws = std::min<int64_t>(10 * grown.range() + 1000, 100000);
  ASSERT_EQ(Drawn(grown, kStream, draws), Drawn(built, kStream, draws)) << grown.total();
}

// Adds the counts in random order, in batches of random sizes.
void Grow(const std::vector<int64_t>& final_counts, int64_t checks, std::mt19937_64& random) {
  const int64_t range = static_cast<int64_t>(final_counts.size());
  std::vector<int64_t> classes;
  for (int64_t id = 0; id < range; ++id) classes.insert(classes.end(), final_counts[id], id);
  std::shuffle(classes.begin(), classes.end(), random);
  std::vector<int64_t> counts(range, 0);
  LearnedUnigram unigram(counts.data(), range);
  const int64_t total = static_cast<int64_t>(classes.size());
  int64_t next_check = 0;
  for (int64_t at = 0; at < total;) {
    const int64_t most = std::max<int64_t>(1, total / (random() % 2 ? 5 : 500));
    const int64_t batch = std::min<int64_t>(1 + random() % most, total - at);
    unigram.Add(classes.data() + at, batch);
    at += batch;
    if (at < next_check) continue;
    ExpectSame(unigram, counts);
    next_check = at + total / checks;
  }
  ASSERT_EQ(counts, final_counts);
  ExpectSame(unigram, final_counts);
}

TEST(LearnedUnigramTest, TheOrderOfUpdatesDoesNotMatter) {
  std::mt19937_64 random(1);
  for (const int64_t range : kRanges) {
    for (const Shape& shape : Shapes()) {
      SCOPED_TRACE(shape.name + " of " + std::to_string(range));
      Grow(shape.make(range, random), range > 10000 ? 3 : 15, random);
    }
  }
}

// Adds one at a time, past every size at which the table is built anew.
TEST(LearnedUnigramTest, EveryStepGivesWhatItsCountsGive) {
  std::mt19937_64 random(1);
  for (const int64_t range : {1, 2, 3, 90, 256}) {
    std::vector<int64_t> counts(range, 0);
    LearnedUnigram unigram(counts.data(), range);
    for (int64_t step = 0; step < 10 * range + 20; ++step) {
      const int64_t id = random() % 2 ? 0 : static_cast<int64_t>(random() % range);
      unigram.Add(&id, 1);
      ExpectSame(unigram, counts);
    }
  }
}

// Adds to classes whose first block is the first one of the table, until it overflows and another
// salt lays out all slots anew. The test uses the hash and the sizes of slot_table.h. With others
// it would test less.
TEST(LearnedUnigramTest, ABlockThatOverflowsChangesNothing) {
  constexpr int64_t kRange = 20000, kCapacity = kRange / 4, kBlocks = (kCapacity + 159) / 160;
  std::vector<int64_t> crowd;
  for (uint64_t id = 0; id < kRange; ++id) {
    const uint64_t multiple = id * kGoldenRatio;
    if (static_cast<uint64_t>(static_cast<unsigned __int128>(multiple) * kBlocks >> 64) == 0) {
      crowd.push_back(static_cast<int64_t>(id));
    }
  }
  ASSERT_GT(crowd.size(), 256u);
  ASSERT_LT(2 * static_cast<int64_t>(crowd.size()), kCapacity);
  std::vector<int64_t> counts(kRange, 0);
  LearnedUnigram unigram(counts.data(), kRange);
  for (size_t k = 0; k < crowd.size(); ++k) {
    const int64_t classes[] = {crowd[k], static_cast<int64_t>(k)};
    unigram.Add(classes, 2);
    if (k > 200 && k < 300) ExpectSame(unigram, counts);
  }
  EXPECT_GT(ChiSquareP(Counts(unigram, 1000000), Weights(counts)), kFalsePositive);
}

TEST(LearnedUnigramTest, AnEmptyUpdateChangesNothing) {
  std::vector<int64_t> counts = {3, 0, 5};
  LearnedUnigram unigram(counts.data(), 3);
  unigram.Add(nullptr, 0);
  ExpectSame(unigram, {3, 0, 5});
}

TEST(LearnedUnigramTest, GoesOnWithACopyOfTheCounts) {
  std::vector<int64_t> counts = ZipfCounts(500, 3000);
  auto first = std::make_unique<std::vector<int64_t>>(counts);
  LearnedUnigram unigram(first->data(), 500);
  unigram.MoveTo(counts.data());
  first.reset();
  ExpectSame(unigram, ZipfCounts(500, 3000));
  std::vector<int64_t> classes(5000);
  for (size_t k = 0; k < classes.size(); ++k) classes[k] = static_cast<int64_t>(k * k % 500);
  unigram.Add(classes.data(), 5000);
  std::vector<int64_t> expected = ZipfCounts(500, 3000);
  for (const int64_t id : classes) ++expected[id];
  EXPECT_EQ(counts, expected);
  ExpectSame(unigram, expected);
}

TEST(LearnedUnigramTest, FirstBadCount) {
  const auto first_bad = [](const std::vector<int64_t>& counts) {
    return LearnedUnigram::FirstBadCount(counts.data(), static_cast<int64_t>(counts.size()));
  };
  constexpr int64_t kMost = kMostLearnedCount, kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(first_bad({0}), -1);
  EXPECT_EQ(first_bad({1, 2, 0, 3}), -1);
  EXPECT_EQ(first_bad({1, -1, 0, -3}), 1);
  EXPECT_EQ(first_bad({std::numeric_limits<int64_t>::min()}), 0);
  EXPECT_EQ(first_bad({kMost - 1}), -1);
  EXPECT_EQ(first_bad({kMost}), 0);
  EXPECT_EQ(first_bad({kMax}), 0);
  EXPECT_EQ(first_bad({kMost / 2, kMost / 2 - 2}), -1);
  EXPECT_EQ(first_bad({kMost / 2, kMost / 2 - 1}), 1);
  EXPECT_EQ(first_bad({5, kMax, kMax, kMax}), 1);
  EXPECT_EQ(first_bad({kMost - 4, 0, 0, 0}), -1);
  EXPECT_EQ(first_bad({kMost - 4, 0, 0, 1}), 3);
}

TEST(LearnedUnigramTest, HugeCounts) {
  std::vector<int64_t> counts = {int64_t{1} << 61, int64_t{1} << 60, 0, int64_t{1} << 59};
  LearnedUnigram unigram(counts.data(), 4);
  EXPECT_EQ(unigram.total(), 7 * (int64_t{1} << 59) + 4);
  EXPECT_GT(ChiSquareP(Counts(unigram, 100000), Weights(counts)), kFalsePositive);
  EXPECT_EQ(Counts(unigram, 100000)[2], 0);
  const std::vector<int64_t> classes = {2, 2, 3};
  unigram.Add(classes.data(), 3);
  EXPECT_EQ(counts[2], 2);
  ExpectSame(unigram, counts);
  // The largest counts that fit.
  std::vector<int64_t> full = {kMostLearnedCount - 3, 0};
  LearnedUnigram last(full.data(), 2);
  const int64_t zero = 0;
  last.Add(&zero, 1);
  EXPECT_EQ(last.total(), kMostLearnedCount);
  ExpectSame(last, full);
}

TEST(LearnedUnigramTest, ProbabilitiesAreThoseOfTheCounts) {
  std::mt19937_64 random(1);
  for (const int64_t range : kRanges) {
    for (const Shape& shape : Shapes()) {
      std::vector<int64_t> counts = shape.make(range, random);
      const std::vector<double> expected = Weights(counts);
      const std::vector<double> p = AllProbabilities(LearnedUnigram(counts.data(), range));
      for (int64_t id = 0; id < range; ++id) ASSERT_DOUBLE_EQ(p[id], expected[id]) << shape.name;
    }
  }
}

using Draw = std::function<std::vector<int64_t>(std::vector<int64_t> counts, int64_t draws)>;

std::vector<int64_t> RightDraw(std::vector<int64_t> counts, int64_t draws) {
  return Counts(LearnedUnigram(counts.data(), static_cast<int64_t>(counts.size())), draws);
}

double FrequencyP(const std::vector<int64_t>& counts, int64_t draws, const Draw& draw) {
  return ChiSquareP(draw(counts, draws), Weights(counts));
}

TEST(LearnedUnigramStatisticsTest, FrequenciesFitTheCounts) {
  std::mt19937_64 random(1);
  for (const int64_t range : kRanges) {
    for (const Shape& shape : Shapes()) {
      const std::vector<int64_t> counts = shape.make(range, random);
      EXPECT_GT(FrequencyP(counts, range == 89 ? 2000000 : 300000, RightDraw), kFalsePositive)
          << shape.name << " of " << range;
    }
  }
}

// Updates between the draws, so that the counts grow.
TEST(LearnedUnigramStatisticsTest, FrequenciesFitAfterUpdates) {
  std::mt19937_64 random(1);
  for (const int64_t range : {3, 90, 257, 1000}) {
    std::vector<int64_t> counts(range, 0);
    LearnedUnigram unigram(counts.data(), range);
    for (uint64_t step = 0; step < 8; ++step) {
      std::vector<int64_t> classes(range);
      for (int64_t& id : classes) id = std::min<int64_t>(random() % range, random() % range);
      unigram.Add(classes.data(), range);
      EXPECT_GT(ChiSquareP(Counts(unigram, 300000, {step, 0, 0}), Weights(counts)), kFalsePositive)
          << range << " after " << step;
    }
  }
}

TEST(LearnedUnigramStatisticsTest, WrongSamplersAreFound) {
  std::mt19937_64 random(1);
  const auto expect_found = [&](const char* what, const Draw& draw) {
    for (const Shape& shape : Shapes()) {
      if (shape.name == "zeros" || shape.name == "ones") continue;
      EXPECT_LT(FrequencyP(shape.make(89, random), 2000000, draw), kFalsePositive)
          << what << ", " << shape.name;
    }
  };
  expect_found("weights without the 1", [](std::vector<int64_t> counts, int64_t draws) {
    const std::vector<float> weights(counts.begin(), counts.end());
    std::vector<int64_t> drawn(counts.size());
    for (const int64_t id : Drawn(*FixedCase(weights), kStream, draws)) ++drawn[id];
    return drawn;
  });
  expect_found("a count that was not added", [](std::vector<int64_t> counts, int64_t draws) {
    *std::max_element(counts.begin(), counts.end()) *= 0.9;
    return RightDraw(counts, draws);
  });
  expect_found("partial slots taken for full ones", [](std::vector<int64_t> counts, int64_t draws) {
    const int64_t mean = std::accumulate(counts.begin(), counts.end(), int64_t{0}) /
                             static_cast<int64_t>(counts.size()) +
                         1;
    for (int64_t& count : counts) count += mean / 10 + 1;
    return RightDraw(counts, draws);
  });
}

// If somebody else changes the counts, draws still end, and are classes.
void ExpectClasses(const LearnedUnigram& unigram) {
  for (const int64_t id : Drawn(unigram, kStream, 5000)) {
    ASSERT_GE(id, 0);
    ASSERT_LT(id, unigram.range());
  }
}

// Adds classes, some at a time, until the table has been built anew several times. Returns whether
// all were added.
bool AddUntilBuilt(LearnedUnigram& unigram) {
  const int64_t range = unigram.range();
  std::mt19937_64 random(1);
  std::vector<int64_t> classes(100);
  for (int64_t added = 0; added < 8 * range; added += 100) {
    for (int64_t& id : classes) id = static_cast<int64_t>(random() % range);
    if (!unigram.Add(classes.data(), 100)) return false;
    ExpectClasses(unigram);
  }
  return true;
}

TEST(LearnedUnigramTest, CountsThatOthersMakeLargerAreTakenUp) {
  for (const int64_t range : {3, 257, 5000}) {
    std::vector<int64_t> counts(range, 7);
    LearnedUnigram unigram(counts.data(), range);
    // More slots than the table has places, in one class or in all together.
    counts[range / 2] += 100 * range;
    ExpectClasses(unigram);
    for (int64_t& count : counts) count += 1000;
    ExpectClasses(unigram);
    ASSERT_TRUE(AddUntilBuilt(unigram)) << range;
    LearnedUnigram built(counts.data(), range);
    EXPECT_EQ(unigram.total(), built.total());
    EXPECT_EQ(Drawn(unigram, kStream, 1000), Drawn(built, kStream, 1000)) << range;
  }
}

TEST(LearnedUnigramTest, CountsThatOthersMakeSmallerEndInTime) {
  for (const int64_t range : {3, 257, 5000}) {
    std::vector<int64_t> counts(range, (int64_t{1} << 40) - 1);
    LearnedUnigram unigram(counts.data(), range);
    std::fill(counts.begin(), counts.end(), 0);
    ExpectClasses(unigram);
  }
}

TEST(LearnedUnigramTest, CountsThatOthersMakeBadAreReported) {
  for (const int64_t range : {3, 257, 5000}) {
    for (const int64_t bad : {int64_t{-1000000}, std::numeric_limits<int64_t>::min(),
                              std::numeric_limits<int64_t>::max() - 100 * range}) {
      std::vector<int64_t> counts(range, 7);
      LearnedUnigram unigram(counts.data(), range);
      counts[range / 2] = bad;
      ExpectClasses(unigram);
      EXPECT_FALSE(AddUntilBuilt(unigram)) << bad << " of " << range;
    }
  }
}

}  // namespace
}  // namespace candsamp
