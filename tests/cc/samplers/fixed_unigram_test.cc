// SPDX-License-Identifier: Apache-2.0
// Fixed-unigram draws against TensorFlow's algorithm, written down again.
#include "cc/lib/samplers/fixed_unigram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "tests/cc/samplers/chi_square.h"
#include "tests/cc/samplers/distribution_case.h"
#include "tests/cc/testing/flush_denormals.h"

namespace candsamp {
namespace {

// TensorFlow's DistributionSampler and SimplePhilox.
class Reference {
 public:
  explicit Reference(const std::vector<float>& weights)
      : prob_(weights.size()), alt_(weights.size(), -1) {
    const int64_t n = static_cast<int64_t>(weights.size());
    double sum = 0;
    for (const float weight : weights) sum += weight;
    std::vector<double> pr(n);
    std::vector<int64_t> high, low;
    for (int64_t i = 0; i < n; ++i) {
      pr[i] = weights[i] * static_cast<float>(n) / sum;
      // TensorFlow goes on with infinity.
      if (std::isinf(pr[i])) pr[i] = static_cast<double>(weights[i]) * n / sum;
      (pr[i] < 1.0 ? low : high).push_back(i);
    }
    while (!high.empty() && !low.empty()) {
      const int64_t l = low.back(), h = high.back();
      low.pop_back();
      high.pop_back();
      alt_[l] = h;
      pr[h] -= 1.0 - pr[l];
      (pr[h] < 1.0 ? low : high).push_back(h);
    }
    for (int64_t i = 0; i < n; ++i) prob_[i] = static_cast<float>(pr[i]);
    for (const std::vector<int64_t>* rest : {&high, &low}) {
      for (const int64_t i : *rest) {
        prob_[i] = 1;
        alt_[i] = i;
      }
    }
  }

  std::vector<int64_t> Draw(const PhiloxStream& stream, int64_t count) {
    const uint32_t n = static_cast<uint32_t>(prob_.size());
    uint64_t position = 0;
    const auto next_word = [&] {
      const uint64_t pair = PhiloxBlockOf(stream, position / 4).bits[position / 2 % 2];
      return static_cast<uint32_t>(pair >> (position++ % 2 * 32));
    };
    std::vector<int64_t> ids(count);
    for (int64_t& id : ids) {
      const float fraction = std::ldexp(static_cast<float>(next_word() & 0x7fffff), -23);
      uint32_t word = next_word();
      if ((n & (n - 1)) == 0) {
        word &= n - 1;
      } else {
        for (; word < ~uint32_t{0} % n + 1; word = next_word()) ++rejected_;
        word %= n;
      }
      id = fraction < prob_[word] ? word : alt_[word];
    }
    return ids;
  }

  int64_t rejected() const { return rejected_; }

 private:
  std::vector<float> prob_;
  std::vector<int64_t> alt_;
  int64_t rejected_ = 0;
};

void ExpectAsReference(const std::vector<float>& weights, int64_t count) {
  const PhiloxStream stream = {weights.size(), 5, ~uint64_t{0} - 100};
  ASSERT_EQ(Drawn(*FixedCase(weights), stream, count), Reference(weights).Draw(stream, count))
      << weights.size() << " weights";
}

std::vector<float> RandomWeights(int64_t range, double zeros, std::mt19937_64& random) {
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<float> weights(range);
  for (float& weight : weights) {
    weight = unit(random) < zeros ? 0.0f : static_cast<float>(std::pow(unit(random), 4) * 100);
  }
  weights[random() % range] = 1;
  return weights;
}

TEST(FixedUnigramTest, DrawsAreThoseOfTheReference) {
  std::mt19937_64 random(1);
  for (const int64_t range : {1, 2, 3, 4, 5, 7, 8, 100, 1000, 1024, 4097, 100000}) {
    ExpectAsReference(std::vector<float>(range, 0.1f), 5000);
    ExpectAsReference(ZipfWeights(range), 5000);
    for (const double zeros : {0.0, 0.3, 0.9}) {
      ExpectAsReference(RandomWeights(range, zeros, random), 5000);
    }
  }
}

TEST(FixedUnigramTest, DrawsOfExtremeWeightsAreThoseOfTheReference) {
  const float most = std::numeric_limits<float>::max();
  const float least = std::numeric_limits<float>::min();
  ExpectAsReference({most, most / 2, 0, most / 3, 1}, 5000);
  ExpectAsReference({most, 1, 1, 1, 1, 1, 1}, 5000);
  ExpectAsReference(std::vector<float>(1000, most), 5000);
  ExpectAsReference({least, 2 * least, 3 * least, 0}, 5000);
  ExpectAsReference({least, 1, most}, 5000);
  ExpectAsReference({0, 0, 0, 1}, 5000);
  ExpectAsReference({1, 0, 0, 0}, 5000);
}

// 2^32 mod 3,000,001 is at most 1/1,500 of 2^32, so a few columns are drawn again.
TEST(FixedUnigramTest, ColumnsThatAreRejectedAreDrawnAgain) {
  const std::vector<float> weights = ZipfWeights(2999999);
  const PhiloxStream stream = {1, 2, 3};
  Reference reference(weights);
  const std::vector<int64_t> expected = reference.Draw(stream, 200000);
  ASSERT_GT(reference.rejected(), 10);
  const DistributionCase a_case = FixedCase(weights);
  EXPECT_EQ(Drawn(*a_case, stream, 200000), expected);
  TestRuntime threads = TestRuntime::Threads(2);
  EXPECT_EQ(Drawn(threads, *a_case, stream, 200000), expected);
}

TEST(FixedUnigramTest, AClassWithoutWeightIsNeverDrawn) {
  std::mt19937_64 random(1);
  for (int repeat = 0; repeat < 3000; ++repeat) {
    const std::vector<float> weights = RandomWeights(1 + random() % 30, 0.5, random);
    for (const int64_t id : Drawn(*FixedCase(weights), {random(), 1, 2}, 300)) {
      ASSERT_GT(weights[id], 0) << id << " of " << weights.size();
    }
  }
}

TEST(FixedUnigramTest, SupportIsTheNumberOfPositiveWeights) {
  EXPECT_EQ(FixedCase({0, 1, 0, 2})->support(), 2);
  EXPECT_EQ(FixedCase({3})->support(), 1);
  EXPECT_EQ(FixedCase({std::numeric_limits<float>::min(), -0.0f, 1})->support(), 2);
}

// Subnormal weights count as zeros in every respect, whether or not the thread flushes them.
TEST(FixedUnigramTest, SubnormalWeightsCountAsZeros) {
  const float least = std::numeric_limits<float>::min();
  for (const std::vector<float>& weights :
       {std::vector<float>{least / 2, least, 2 * least, least / 4, 0},
        std::vector<float>{1e-45f, 1, 1e-39f, 3, 0}}) {
    std::vector<float> flushed = weights;
    for (float& weight : flushed) weight = weight < least ? 0 : weight;
    const DistributionCase expected = FixedCase(flushed);
    const auto expect_same = [&] {
      const DistributionCase a_case = FixedCase(weights);
      EXPECT_EQ(a_case->support(), 2);
      EXPECT_EQ(AllProbabilities(*a_case), AllProbabilities(*expected));
      EXPECT_EQ(Drawn(*a_case, {1, 2, 3}, 100000), Drawn(*expected, {1, 2, 3}, 100000));
    };
    expect_same();
    const FlushDenormals flush;
    expect_same();
  }
}

TEST(FixedUnigramTest, ProbabilitiesAreSharesOfTheWeights) {
  const std::vector<float> weights = ZipfWeights(5000);
  long double sum = 0;
  for (const float weight : weights) sum += weight;
  const DistributionCase a_case = FixedCase(weights);
  for (int64_t id = 0; id < 5000; ++id) {
    const long double exact = weights[id] / sum;
    ASSERT_NEAR(ProbabilityOf(*a_case, id), exact, 1e-13 * exact) << id;
  }
  // The sum of the weights is beyond float.
  const float most = std::numeric_limits<float>::max();
  EXPECT_DOUBLE_EQ(ProbabilityOf(*FixedCase({most, most, most, most}), 2), 0.25);
}

// The reference rounds too, but that does not show in a million draws.
TEST(FixedUnigramTest, FrequenciesFitTheWeights) {
  std::mt19937_64 random(1);
  for (const int64_t range : {2, 5, 30, 1000}) {
    const DistributionCase a_case = FixedCase(RandomWeights(range, 0.2, random));
    std::vector<int64_t> counts(range);
    for (const int64_t id : Drawn(*a_case, {1, 2, 3}, 1000000)) ++counts[id];
    EXPECT_GT(ChiSquareP(counts, AllProbabilities(*a_case)), kFalsePositive) << range;
  }
}

}  // namespace
}  // namespace candsamp
