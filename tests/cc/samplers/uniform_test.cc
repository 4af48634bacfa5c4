// SPDX-License-Identifier: Apache-2.0
// Uniform draws against divisions, one after the other.
#include "cc/lib/samplers/uniform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "tests/cc/samplers/distribution_case.h"

namespace candsamp {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

std::vector<int64_t> Ranges() {
  std::vector<int64_t> ranges = {1, 2, 3, 5, 1000, 3 * (int64_t{1} << 61),
                                 // 2^64 / 3 + 1: a third of all bits is rejected.
                                 6148914691236517206};
  for (int bits = 4; bits < 63; ++bits) {
    for (const int64_t step : {-1, 0, 1}) ranges.push_back((int64_t{1} << bits) + step);
  }
  ranges.push_back(kMost);
  return ranges;
}

// 2^64 mod n.
uint64_t Rejected(uint64_t n) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(1) << 64) % n);
}

TEST(UniformTest, MapsBitsToTheirRemainder) {
  std::mt19937_64 random(1);
  for (const int64_t range : Ranges()) {
    const uint64_t n = static_cast<uint64_t>(range);
    const UniformRange map = MakeUniformRange(n);
    ASSERT_EQ(map.rejected, Rejected(n)) << n;
    std::vector<uint64_t> bits = {0, 1, n - 1, n, n + 1, ~uint64_t{0}, ~uint64_t{0} - n};
    for (int k = 0; k < 1000; ++k) {
      const uint64_t multiple = random() / n * n;
      for (const uint64_t value : {random(), multiple, multiple - 1, multiple + 1}) {
        bits.push_back(value);
      }
    }
    for (const uint64_t value : bits) ASSERT_EQ(UniformDraw(value, map), value % n) << n;
  }
}

// TensorFlow's draws: the pieces of the stream in order, without rejected ones.
std::vector<int64_t> Expected(int64_t range, const PhiloxStream& stream, int64_t count) {
  const uint64_t n = static_cast<uint64_t>(range);
  std::vector<int64_t> ids;
  for (uint64_t piece = 0; static_cast<int64_t>(ids.size()) < count; ++piece) {
    const uint64_t bits = PhiloxBlockOf(stream, piece / 2).bits[piece % 2];
    if (bits >= Rejected(n)) ids.push_back(static_cast<int64_t>(bits % n));
  }
  return ids;
}

TEST(UniformTest, DrawsAreTheRemaindersThatAreNotRejected) {
  for (const int64_t range : Ranges()) {
    const Uniform uniform(range);
    const PhiloxStream stream = {static_cast<uint64_t>(range), 5, ~uint64_t{0} - 100};
    ASSERT_EQ(Drawn(uniform, stream, 3000), Expected(range, stream, 3000)) << range;
  }
}

// One rejection in 2^20 draws: so rare that the sampler assumes none, and starts again if it is
// wrong.
TEST(UniformTest, RareRejectionsAreFound) {
  constexpr int64_t kRange = (int64_t{1} << 50) - (int64_t{1} << 30), kCount = 4000000;
  ASSERT_EQ(Rejected(kRange), uint64_t{1} << 44);
  const PhiloxStream stream = {1, 2, 3};
  int64_t rejected = 0;
  for (uint64_t piece = 0; piece < kCount; ++piece) {
    rejected += PhiloxBlockOf(stream, piece / 2).bits[piece % 2] < Rejected(kRange);
  }
  ASSERT_GT(rejected, 0);
  EXPECT_EQ(Drawn(Uniform(kRange), stream, kCount), Expected(kRange, stream, kCount));
}

TEST(UniformTest, ProbabilitiesAreEqual) {
  for (const int64_t range : Ranges()) {
    const Uniform uniform(range);
    EXPECT_EQ(uniform.support(), range);
    EXPECT_EQ(ProbabilityOf(uniform, 0), 1.0 / static_cast<double>(range));
    EXPECT_EQ(ProbabilityOf(uniform, range - 1), 1.0 / static_cast<double>(range));
  }
}

}  // namespace
}  // namespace candsamp
