// SPDX-License-Identifier: Apache-2.0
// The learned distribution with a distortion, and halved counts: draws are a function of the counts
// alone, whatever led to them, and follow the law.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "cc/lib/samplers/learned_unigram.h"
#include "tests/cc/samplers/chi_square.h"
#include "tests/cc/samplers/distribution_case.h"

namespace candsamp {
namespace {

constexpr PhiloxStream kStream = {1, 2, 3};
constexpr double kDistortions[] = {0, 0.1f, 0.5, 0.75, 0.999f};
constexpr int64_t kRanges[] = {1, 2, 3, 89, 256, 257, 1000, 4100};

std::vector<int64_t> Frequencies(const LearnedUnigram& unigram, int64_t draws,
                                 const PhiloxStream& stream = kStream) {
  std::vector<int64_t> drawn(unigram.range());
  for (const int64_t id : Drawn(unigram, stream, draws)) ++drawn[id];
  return drawn;
}

std::vector<double> Law(const std::vector<int64_t>& counts, double distortion) {
  double total = 0;
  std::vector<double> p;
  for (const int64_t count : counts) {
    p.push_back(std::pow(static_cast<double>(count) + 1, distortion));
    total += p.back();
  }
  for (double& value : p) value /= total;
  return p;
}

// Zipf's law in random order.
std::vector<int64_t> RandomClasses(int64_t range, int64_t size, std::mt19937_64& random) {
  std::vector<int64_t> classes(size);
  for (int64_t& id : classes) {
    const double u = std::generate_canonical<double, 53>(random);
    id = std::min(range - 1, static_cast<int64_t>(std::exp(u * std::log1p(range))) - 1);
  }
  return classes;
}

void ExpectSame(const LearnedUnigram& grown, std::vector<int64_t> counts) {
  const LearnedUnigram built(counts.data(), grown.range(), grown.distortion());
  ASSERT_EQ(grown.total(), built.total());
  const int64_t draws = std::min<int64_t>(10 * grown.range() + 1000, 20000);
  ASSERT_EQ(Drawn(grown, kStream, draws), Drawn(built, kStream, draws)) << grown.total();
}

TEST(LearnedPowersTest, PowersAreRight) {
  for (const double distortion : kDistortions) {
    int64_t before = 0;
    for (int64_t count = 0; count < int64_t{1} << 50; count += 1 + count / 7) {
      const double expected =
          std::ldexp(std::pow(static_cast<double>(count) + 1, distortion), kPowerBits);
      const int64_t power = PowerOfCount(count, distortion);
      if (expected > 0x1p62) {
        ASSERT_GT(power, kMostLearnedCount);
        break;
      }
      ASSERT_NEAR(static_cast<double>(power), expected, 0.51 + 4e-15 * expected)
          << count << "^" << distortion;
      ASSERT_GE(power, before);
      before = power;
    }
  }
  EXPECT_EQ(PowerOfCount(-7, 0.75), 0);
  EXPECT_EQ(PowerOfCount(0, 0.75), 1 << kPowerBits);
  EXPECT_EQ(PowerOfCount(15, 0.75), 8 << kPowerBits);
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(PowerOfCount(kMax - 1, 1), kMax);
  EXPECT_EQ(PowerOfCount(kMax, 0), 1 << kPowerBits);
}

// An update takes the same time however large the counts are: a power grows by at most a unit of
// weight, with room for rounding.
TEST(LearnedPowersTest, PowersGrowByAtMostOne) {
  for (const double distortion : kDistortions) {
    for (int64_t count = 0; count < 100000; ++count) {
      ASSERT_LE(PowerOfCount(count + 1, distortion) - PowerOfCount(count, distortion),
                (1 << kPowerBits) + 1);
    }
  }
}

TEST(LearnedPowersTest, TheOrderOfUpdatesDoesNotMatter) {
  std::mt19937_64 random(1);
  for (const double distortion : kDistortions) {
    for (const int64_t range : kRanges) {
      std::vector<int64_t> counts(range, 0);
      LearnedUnigram unigram(counts.data(), range, distortion);
      // Small batches, and ones that make the weights double.
      for (const int64_t size :
           {int64_t{1}, int64_t{7}, range, 4 * range, 20 * range, int64_t{3}}) {
        const std::vector<int64_t> classes = RandomClasses(range, size, random);
        ASSERT_TRUE(unigram.Add(classes.data(), size));
        ExpectSame(unigram, counts);
      }
    }
  }
}

TEST(LearnedPowersTest, EveryStepGivesWhatItsCountsGive) {
  std::mt19937_64 random(1);
  for (const int64_t range : {1, 2, 90}) {
    std::vector<int64_t> counts(range, 0);
    LearnedUnigram unigram(counts.data(), range, 0.75);
    for (int64_t step = 0; step < 10 * range + 100; ++step) {
      const int64_t id = random() % 2 ? 0 : static_cast<int64_t>(random() % range);
      unigram.Add(&id, 1);
      ExpectSame(unigram, counts);
    }
  }
}

TEST(LearnedPowersTest, Halve) {
  std::mt19937_64 random(1);
  for (const double distortion : {1.0, 0.75}) {
    for (const int64_t range : kRanges) {
      std::vector<int64_t> counts = ZipfCounts(range, 1 << 20);
      LearnedUnigram unigram(counts.data(), range, distortion);
      for (int step = 0; step < 22; ++step) {  // down to zeros, with updates between
        std::vector<int64_t> expected = counts;
        for (int64_t& count : expected) count /= 2;
        ASSERT_TRUE(unigram.Halve());
        ASSERT_EQ(counts, expected);
        ExpectSame(unigram, expected);
        const std::vector<int64_t> classes = RandomClasses(range, range / 9, random);
        unigram.Add(classes.data(), range / 9);
        ExpectSame(unigram, counts);
      }
    }
  }
}

TEST(LearnedPowersTest, GoesOnWithACopyOfTheCounts) {
  std::vector<int64_t> first = ZipfCounts(500, 3000), counts = first;
  LearnedUnigram unigram(first.data(), 500, 0.75);
  unigram.MoveTo(counts.data());
  first.assign(500, 0);
  const int64_t classes[] = {4, 4, 499};
  unigram.Add(classes, 3);
  EXPECT_EQ(counts[4], 602);
  ExpectSame(unigram, counts);
}

TEST(LearnedPowersTest, CountsThatOthersChange) {
  const int64_t id = 3;
  for (const int64_t other : {int64_t{0}, int64_t{70}, int64_t{1} << 40}) {
    std::vector<int64_t> counts = ZipfCounts(500, 3000);
    LearnedUnigram unigram(counts.data(), 500, 0.75);
    counts[id] = other;
    EXPECT_TRUE(unigram.Add(&id, 1));
    ExpectSame(unigram, counts);
  }
  for (const int64_t other : {int64_t{-1}, int64_t{-5}, std::numeric_limits<int64_t>::min(),
                              std::numeric_limits<int64_t>::max() - 1}) {
    std::vector<int64_t> counts = ZipfCounts(500, 3000);
    LearnedUnigram unigram(counts.data(), 500, 0.75);
    counts[id] = other;
    EXPECT_EQ(unigram.Add(&id, 1), other == -1) << other;  // -1 becomes 0
    for (const int64_t drawn : Drawn(unigram, kStream, 1000)) ASSERT_LT(drawn, 500);
  }
}

TEST(LearnedPowersTest, FirstBadCount) {
  const auto first_bad = [](const std::vector<int64_t>& counts) {
    return LearnedUnigram::FirstBadCount(counts.data(), static_cast<int64_t>(counts.size()), 0.75);
  };
  // To the power of 0.75 it is 5 * 10^7 units less than 2^42.
  constexpr int64_t kMost = (int64_t{1} << 56) - (1 << 20);
  EXPECT_EQ(first_bad({0, 5, 1000000}), -1);
  EXPECT_EQ(first_bad({3, -1}), 1);
  EXPECT_EQ(first_bad({kMost}), -1);
  EXPECT_EQ(first_bad({kMost, 0}), -1);
  EXPECT_EQ(first_bad({kMost, 1 << 20}), 1);
  EXPECT_EQ(first_bad({kMost * 2}), 0);
  EXPECT_EQ(first_bad({std::numeric_limits<int64_t>::max()}), 0);
}

TEST(LearnedPowersTest, ThereIsRoomForCountsUpToTheLimit) {
  std::vector<int64_t> counts = {(int64_t{1} << 56) - 1 - (int64_t{1} << 20), 0};
  LearnedUnigram unigram(counts.data(), 2, 0.75);
  EXPECT_GE(unigram.room(), 0);
  EXPECT_LE(unigram.room(), kMostLearnedCount - unigram.total());
  std::vector<int64_t> classes(std::min<int64_t>(unigram.room(), 1000), 1);
  EXPECT_TRUE(unigram.Add(classes.data(), static_cast<int64_t>(classes.size())));
  EXPECT_LE(unigram.total(), kMostLearnedCount);
  ExpectSame(unigram, counts);
}

TEST(LearnedPowersTest, Probabilities) {
  for (const double distortion : kDistortions) {
    std::vector<int64_t> counts = ZipfCounts(1000, 100000);
    const std::vector<double> law = Law(counts, distortion);
    const std::vector<double> p = AllProbabilities(LearnedUnigram(counts.data(), 1000, distortion));
    // Each weight is rounded to 2^-21 of the smallest.
    for (int64_t id = 0; id < 1000; ++id) ASSERT_NEAR(p[id] / law[id], 1, 1e-6);
  }
}

TEST(LearnedPowersStatisticsTest, FrequenciesFit) {
  std::mt19937_64 random(1);
  for (const double distortion : kDistortions) {
    for (const int64_t range : kRanges) {
      std::vector<int64_t> counts(range, 0);
      LearnedUnigram unigram(counts.data(), range, distortion);
      for (const int64_t size : {int64_t{0}, range, 50 * range}) {
        const std::vector<int64_t> classes = RandomClasses(range, size, random);
        unigram.Add(classes.data(), size);
        EXPECT_GT(ChiSquareP(Frequencies(unigram, 200000), Law(counts, distortion)), kFalsePositive)
            << distortion << ", " << range << ", " << size;
      }
      // One class has nearly all counts.
      counts.assign(range, 0);
      counts[range / 2] = int64_t{1} << 40;
      EXPECT_GT(ChiSquareP(Frequencies(LearnedUnigram(counts.data(), range, distortion), 200000),
                           Law(counts, distortion)),
                kFalsePositive);
    }
  }
}

TEST(LearnedPowersStatisticsTest, AnotherDistortionIsFound) {
  std::vector<int64_t> counts = ZipfCounts(89, 5000);
  const LearnedUnigram unigram(counts.data(), 89, 0.75);
  EXPECT_LT(ChiSquareP(Frequencies(unigram, 2000000), Law(counts, 0.74)), kFalsePositive);
  EXPECT_LT(ChiSquareP(Frequencies(unigram, 2000000), Law(counts, 1)), kFalsePositive);
}

}  // namespace
}  // namespace candsamp
