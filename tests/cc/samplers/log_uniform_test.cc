// SPDX-License-Identifier: Apache-2.0
// Log-uniform draws and probabilities against the C library.
#include "cc/lib/samplers/log_uniform.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/cc/samplers/distribution_case.h"

namespace candsamp {
namespace {

const int64_t kRanges[] = {1, 2, 3, 1000, 50000, int64_t{1} << 20, int64_t{1} << 40};

// TensorFlow's draw: a double u from two words, then (int64)exp(u log(range + 1)) - 1 mod range.
std::vector<int64_t> Expected(int64_t range, const PhiloxStream& stream, int64_t count) {
  const double log_range = std::log1p(static_cast<double>(range));
  std::vector<int64_t> ids(count);
  for (int64_t k = 0; k < count; ++k) {
    const uint64_t mantissa = UnitMantissa(PhiloxBlockOf(stream, k / 2).bits[k % 2]);
    const double u = std::ldexp(static_cast<double>(mantissa), -52);
    ids[k] = (static_cast<int64_t>(std::exp(u * log_range)) - 1) % range;
  }
  return ids;
}

TEST(LogUniformTest, DrawsAreThoseOfTheFormula) {
  for (const int64_t range : kRanges) {
    const PhiloxStream stream = {static_cast<uint64_t>(range), 5, ~uint64_t{0} - 100};
    ASSERT_EQ(Drawn(LogUniform(range), stream, 100000), Expected(range, stream, 100000)) << range;
  }
}

TEST(LogUniformTest, ProbabilitiesAreThoseOfTheFormula) {
  for (const int64_t range : kRanges) {
    const LogUniform log_uniform(range);
    EXPECT_EQ(log_uniform.support(), range);
    for (int64_t id = 0; id < range; id += 1 + id / 20) {
      const long double exact =
          std::log1p(1 / (static_cast<long double>(id) + 1)) / std::log1p(1.0L * range);
      ASSERT_NEAR(ProbabilityOf(log_uniform, id), exact, 2e-13 * exact) << id << " of " << range;
    }
  }
}

}  // namespace
}  // namespace candsamp
