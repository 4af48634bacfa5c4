// SPDX-License-Identifier: Apache-2.0
// The sampler loops of every instruction set that this machine has, bit by bit against the
// formulas.
#include "cc/lib/sampler_math/sampler_loops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cc/lib/core/instruction_set.h"
#include "cc/lib/sampler_math/expected_count.h"
#include "cc/lib/sampler_math/sampler_loops_isa.h"
#include "cc/lib/sampler_math/variates.h"
#include "tests/cc/testing/every_isa.h"
#include "tests/cc/testing/flush_denormals.h"

namespace candsamp {
namespace {

// Beyond two vectors of the widest set, and every length of a tail.
constexpr int64_t kMostCount = 70;

const int64_t kRanges[] = {1,
                           2,
                           3,
                           1000,
                           int64_t{1} << 20,
                           int64_t{1} << 40,
                           (int64_t{1} << 51) - 1,
                           int64_t{1} << 52,
                           int64_t{1} << 62};

LogUniformRange RangeOf(int64_t range) { return {range, std::log1p(static_cast<double>(range))}; }

// Outputs with a guard behind them.
template <typename T>
class Output {
 public:
  explicit Output(int64_t count) : values_(count + kGuards) {
    std::memset(static_cast<void*>(values_.data()), 0xa5, values_.size() * sizeof(T));
  }
  T* data() { return values_.data(); }

  // `what` describes the input in messages.
  void Expect(const std::vector<T>& expected, const std::string& what) const {
    const size_t count = values_.size() - kGuards;
    ASSERT_EQ(expected.size(), count);
    for (size_t k = 0; k < count; ++k) {
      ASSERT_EQ(std::memcmp(&values_[k], &expected[k], sizeof(T)), 0)
          << what << ": " << values_[k] << " instead of " << expected[k] << " at " << k << " of "
          << count;
    }
    T guard;
    std::memset(static_cast<void*>(&guard), 0xa5, sizeof guard);
    for (size_t k = count; k < values_.size(); ++k) {
      ASSERT_EQ(std::memcmp(&values_[k], &guard, sizeof guard), 0) << what << ": wrote beyond";
    }
  }

 private:
  static constexpr size_t kGuards = 40;
  std::vector<T> values_;
};

class SamplerLoopsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (!CpuHas(GetParam())) GTEST_SKIP() << "this machine cannot run it";
  }

  std::vector<uint64_t> RandomBits(int64_t count) {
    std::vector<uint64_t> bits(count);
    for (uint64_t& value : bits) value = random_();
    return bits;
  }

  // Probabilities of all magnitudes, 0 and 1 among them.
  std::vector<double> RandomProbabilities(int64_t count) {
    const double special[] = {0.0, 1.0, 1.0 - 0x1p-53, 0x1p-53, 0.5, 1e-93};
    std::vector<double> p(count);
    for (double& value : p) {
      const double u = std::ldexp(static_cast<double>(random_() >> 11), -53);
      value = random_() % 5 == 0 ? special[random_() % 6]
                                 : std::ldexp(u, -static_cast<int>(random_() % 60));
    }
    return p;
  }

  const SamplerLoops& loops_ = CANDSAMP_ISA_TABLE(GetParam(), kSamplers);
  std::mt19937_64 random_{1};
};

INSTANTIATE_TEST_SUITE_P(InstructionSets, SamplerLoopsTest,
                         testing::Values(InstructionSet::kBaseline, InstructionSet::kAvx2,
                                         InstructionSet::kAvx512),
                         [](const auto& info) { return InstructionSetName(info.param); });

TEST_P(SamplerLoopsTest, Philox) {
  const uint64_t most = ~uint64_t{0};
  for (const PhiloxStream& stream :
       {PhiloxStream{0, 0, 0}, PhiloxStream{1, 2, 3}, PhiloxStream{most, most, most - 20},
        PhiloxStream{random_(), random_(), random_()}}) {
    for (const uint64_t block : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, most - 20}) {
      for (int64_t count = 0; count <= kMostCount; ++count) {
        Output<uint64_t> out(2 * count);
        loops_.philox(stream, block, count, out.data());
        std::vector<uint64_t> expected;
        for (int64_t b = 0; b < count; ++b) {
          const PhiloxBlock one = PhiloxBlockOf(stream, block + b);
          expected.insert(expected.end(), one.bits, one.bits + 2);
        }
        out.Expect(expected, "block " + std::to_string(block) + " of the stream at " +
                                 std::to_string(stream.low));
      }
    }
  }
}

TEST_P(SamplerLoopsTest, Uniform) {
  for (const int64_t range : {int64_t{1}, int64_t{3}, int64_t{1000}, int64_t{1} << 40,
                              3 * (int64_t{1} << 61), std::numeric_limits<int64_t>::max()}) {
    const UniformRange map = MakeUniformRange(range);
    for (int64_t count = 0; count <= kMostCount; ++count) {
      std::vector<uint64_t> bits = RandomBits(count);
      if (count > 0 && count % 3 == 0) bits[random_() % count] = random_() % 2000;
      std::vector<int64_t> expected;
      bool any_rejected = false;
      for (const uint64_t value : bits) {
        expected.push_back(static_cast<int64_t>(UniformDraw(value, map)));
        any_rejected |= value < map.rejected;
      }
      Output<int64_t> out(count);
      EXPECT_EQ(loops_.uniform(bits.data(), count, map, out.data()), any_rejected) << range;
      out.Expect(expected, "range " + std::to_string(range));
    }
  }
}

// The bits that make a u, rounded down.
uint64_t BitsOfUnit(double u) {
  const uint64_t mantissa = static_cast<uint64_t>(u * 0x1p52);
  return mantissa >> 32 | mantissa << 32;
}

void ExpectLogUniform(const SamplerLoops& loops, const std::vector<uint64_t>& bits, int64_t range) {
  const LogUniformRange map = RangeOf(range);
  const int64_t count = static_cast<int64_t>(bits.size());
  std::vector<int64_t> expected;
  for (const uint64_t value : bits) expected.push_back(LogUniformToNearest(value, map));
  Output<int64_t> out(count);
  loops.log_uniform(bits.data(), count, map, out.data());
  out.Expect(expected, "range " + std::to_string(range));
  const FlushDenormals flush;
  Output<int64_t> flushed(count);
  loops.log_uniform(bits.data(), count, map, flushed.data());
  flushed.Expect(expected, "flushing denormals, range " + std::to_string(range));
}

TEST_P(SamplerLoopsTest, Columns) {
  for (const uint32_t n : {1u, 2u, 3u, 1000u, 1u << 20, 3000000000u, 1u << 31, ~0u}) {
    const ColumnRange range = MakeColumnRange(n);
    for (int64_t count = 0; count <= kMostCount; ++count) {
      std::vector<uint32_t> words(2 * count + 1);
      for (uint32_t& word : words) word = static_cast<uint32_t>(random_());
      if (count > 0 && count % 3 == 0) words[random_() % (2 * count)] = random_() % 2000;
      // Vectors of words begin anywhere.
      for (const int64_t from : {0, 1}) {
        std::vector<int64_t> expected;
        bool any_rejected = false;
        for (int64_t k = 0; k < count - from; ++k) {
          const uint64_t fraction = words[from + 2 * k], word = words[from + 2 * k + 1];
          any_rejected |= word < (uint64_t{1} << 32) % n;
          expected.push_back(static_cast<int64_t>((word % n) << 32 | fraction));
        }
        Output<int64_t> out(expected.size());
        const bool got = loops_.columns(words.data() + from, expected.size(), range, out.data());
        EXPECT_EQ(got, any_rejected) << n;
        out.Expect(expected, "of " + std::to_string(n));
      }
    }
  }
}

TEST_P(SamplerLoopsTest, LogUniform) {
  for (const int64_t range : kRanges) {
    for (int64_t count = 0; count <= kMostCount; ++count) {
      ExpectLogUniform(loops_, RandomBits(count), range);
    }
    ExpectLogUniform(loops_, RandomBits(5000), range);
  }
}

// Draws for which exp(u log(range + 1)) is nearly an integer, and at both ends of the range.
TEST_P(SamplerLoopsTest, LogUniformAtTheBordersOfTheClasses) {
  for (const int64_t range : kRanges) {
    std::vector<uint64_t> bits = {0, ~uint64_t{0}, BitsOfUnit(0.5), BitsOfUnit(1 - 0x1p-52)};
    std::uniform_int_distribution<int64_t> id(1, range);
    for (int k = 0; k < 500; ++k) {
      const int64_t border = k < 100 ? std::min<int64_t>(k + 1, range) : id(random_);
      const double u = std::log(static_cast<double>(border)) / RangeOf(range).log_range;
      for (int step = -3; step <= 3; ++step) {
        bits.push_back(BitsOfUnit(std::min(std::max(u + step * 0x1p-52, 0.0), 1 - 0x1p-52)));
      }
    }
    ExpectLogUniform(loops_, bits, range);
  }
}

TEST_P(SamplerLoopsTest, LearnedUnigram) {
  for (const auto& [blocks, most] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 0}, {1, 1}, {1, 200}, {2, 1}, {37, 3}, {1000, 199}}) {
    for (const int64_t range : {1, 5, 20000}) {
      for (const int shift : {0, 1, 5, 6, 40}) {
        std::vector<uint32_t> classes(blocks * 200 + 1);
        for (uint32_t& one : classes) one = random_() % 4 ? random_() % range : kEmptyPlace;
        std::vector<int64_t> counts(range);
        for (int64_t& count : counts)
          count = static_cast<int64_t>(random_() >> (random_() % 63 + 1));
        counts[0] = (int64_t{1} << shift) - 1;  // so that every draw ends
        std::vector<uint8_t> short_counts;
        for (const int64_t count : counts) short_counts.push_back(ShortCount(count));
        short_counts.resize(range + 7);
        SlotTable table =
            MakeSlotTable({blocks, 200}, most, shift, range, classes.data(), counts.data());
        // Many unfair products, so that some occur.
        table.unfair = random_() >> (HasPairs(table) ? 34 : 2);
        for (const int64_t count : {0, 1, 7, 8, 9, 70, 2047, 2048}) {
          const PhiloxStream stream = {random_(), random_(), random_()};
          const uint64_t first = random_() % 2 ? 12345 : ~uint64_t{0} - 9;
          std::vector<uint64_t> bits = RandomBits(count + 7);
          std::vector<int64_t> expected;
          for (int64_t k = 0; k < count; ++k) {
            expected.push_back(LearnedUnigramDraw(table, stream, first + k, bits[k]));
          }
          Output<int64_t> out(count);
          loops_.learned_unigram(table, HasShortCounts(shift) ? short_counts.data() : nullptr,
                                 stream, first, bits.data(), count, out.data());
          out.Expect(expected, std::to_string(blocks) + " blocks, shift " + std::to_string(shift));
        }
      }
    }
  }
}

TEST_P(SamplerLoopsTest, LearnedUnigramProbability) {
  for (const int64_t count : {0, 1, 7, 8, 9, 255, 256, 257, 5000}) {
    std::vector<int64_t> counts(300), ids(count);
    std::vector<uint8_t> short_counts;
    for (int64_t& one : counts) {
      one = static_cast<int64_t>(random_() >> (random_() % 2 ? 57 : random_() % 62 + 2));
      short_counts.push_back(ShortCount(one));
    }
    for (int64_t& id : ids) id = static_cast<int64_t>(random_() % counts.size());
    double sum = 0;
    for (const int64_t one : counts) sum += static_cast<double>(one + 1);
    std::vector<double> expected;
    for (const int64_t id : ids)
      expected.push_back(static_cast<double>(counts[id] + 1) * (1 / sum));
    Output<double> out(count);
    loops_.learned_unigram_probability(counts.data(), short_counts.data(), ids.data(), count,
                                       1 / sum, out.data());
    out.Expect(expected, std::to_string(count));
  }
}

TEST_P(SamplerLoopsTest, LogUniformProbabilitiesAndCounts) {
  for (const int64_t range : kRanges) {
    for (int64_t count = 0; count <= kMostCount; ++count) {
      std::vector<int64_t> ids(count);
      std::vector<double> expected(count);
      std::vector<float> expected_counts(count);
      for (int64_t k = 0; k < count; ++k) {
        const int64_t id = static_cast<int64_t>(random_() >> 1) >> (random_() % 63);
        ids[k] = std::min(random_() % 4 ? id : k % 3, range - 1);
        expected[k] = LogUniformCount<double>(ids[k], RangeOf(range), 1.0);
        expected_counts[k] = LogUniformCount<float>(ids[k], RangeOf(range), 700.0);
      }
      Output<double> out(count);
      loops_.log_uniform_probability(ids.data(), count, RangeOf(range), out.data());
      out.Expect(expected, "range " + std::to_string(range));
      Output<float> counts(count);
      loops_.log_uniform_count(ids.data(), count, RangeOf(range), 700.0, counts.data());
      counts.Expect(expected_counts, "range " + std::to_string(range));
    }
  }
}

TEST_P(SamplerLoopsTest, Counts) {
  const double parameters[] = {1.0, 2.0, 1000.5, 0x1p53, 1e18, 1e93, 0.0, 1.7976931348623157e308};
  for (const double parameter : parameters) {
    for (int64_t count = 0; count <= kMostCount; ++count) {
      const std::vector<double> p = RandomProbabilities(count);
      std::vector<float> scaled, within, before;
      for (const double one : p) {
        scaled.push_back(static_cast<float>(one * parameter));
        within.push_back(static_cast<float>(ProbabilityWithinTries(one, parameter)));
        before.push_back(static_cast<float>(ProbabilityBefore(one, parameter)));
      }
      const std::string what = "parameter " + std::to_string(parameter);
      Output<float> out(count), out_within(count), out_before(count);
      loops_.scaled(p.data(), count, parameter, out.data());
      loops_.within_tries(p.data(), count, parameter, out_within.data());
      loops_.before(p.data(), count, parameter, out_before.data());
      out.Expect(scaled, "scaled, " + what);
      out_within.Expect(within, "within_tries, " + what);
      out_before.Expect(before, "before, " + what);
    }
  }
}

TEST_P(SamplerLoopsTest, Clocks) {
  for (int64_t count = 0; count <= kMostCount; ++count) {
    std::vector<uint64_t> bits = RandomBits(count);
    for (size_t k = 0; k < bits.size(); k += 5) bits[k] = k % 2 ? 0 : ~uint64_t{0};
    const std::vector<double> p = RandomProbabilities(count);
    std::vector<double> expected;
    for (int64_t k = 0; k < count; ++k) expected.push_back(ClockOf(bits[k], p[k]));
    Output<double> out(count);
    loops_.clocks(bits.data(), p.data(), count, out.data());
    out.Expect(expected, "clocks");
  }
}

}  // namespace
}  // namespace candsamp
