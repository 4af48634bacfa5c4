// SPDX-License-Identifier: Apache-2.0
// Log-uniform draws against the C library.
#include "cc/lib/sampler_math/sampler_formulas.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "cc/lib/sampler_math/sampler_loops.h"

namespace candsamp {
namespace {

// The draw as TensorFlow computes it, with the C library's exp.
int64_t WithLibm(uint64_t bits, const LogUniformRange& range) {
  const double u = std::ldexp(static_cast<double>(UnitMantissa(bits)), -52);
  return (static_cast<int64_t>(std::exp(u * range.log_range)) - 1) % range.range;
}

int64_t CountUnlikeLibm(int64_t range, int64_t draws) {
  constexpr int64_t kBlocks = 1024;
  const SamplerLoops& loops = ChosenSamplerLoops();
  const LogUniformRange map = LogUniformRange{range, std::log1p(static_cast<double>(range))};
  const PhiloxStream stream = {static_cast<uint64_t>(range), 1, 0};
  std::vector<uint64_t> bits(2 * kBlocks);
  std::vector<int64_t> ids(2 * kBlocks);
  int64_t unlike = 0;
  for (int64_t block = 0; 2 * block < draws; block += kBlocks) {
    loops.philox(stream, block, kBlocks, bits.data());
    loops.log_uniform(bits.data(), 2 * kBlocks, map, ids.data());
    for (int64_t k = 0; k < 2 * kBlocks; ++k) unlike += ids[k] != WithLibm(bits[k], map);
  }
  return unlike;
}

TEST(SamplerFormulasTest, LogUniformDrawsAreThoseOfLibm) {
  for (const int64_t range : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{1000}, int64_t{50000},
                              int64_t{1} << 20, int64_t{1} << 40}) {
    EXPECT_EQ(CountUnlikeLibm(range, 10000000), 0) << "range " << range;
  }
}

// Ids of huge ranges have as many bits as doubles. The last bit of exp shows in them, and libm does
// not always round it to nearest.
TEST(SamplerFormulasTest, LogUniformDrawsOfHugeRangesAreNearlyThoseOfLibm) {
  for (const int64_t range : {int64_t{1} << 52, int64_t{1} << 62}) {
    EXPECT_LE(CountUnlikeLibm(range, 10000000), 5000) << "range " << range;
  }
}

}  // namespace
}  // namespace candsamp
