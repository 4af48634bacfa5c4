// SPDX-License-Identifier: Apache-2.0
// Pearson's chi-square test of counts against exact probabilities.
#ifndef TF_CANDSAMP_TESTS_CC_SAMPLERS_CHI_SQUARE_H_
#define TF_CANDSAMP_TESTS_CC_SAMPLERS_CHI_SQUARE_H_

#include <cmath>
#include <cstdint>
#include <vector>

namespace candsamp {

// A test fails below this. Seeds are fixed, so a test either always passes or always fails. After a
// change to another algorithm of the same law, one test in a million fails. There are fewer than a
// hundred.
constexpr double kFalsePositive = 1e-6;

// P(a chi-square variable of `freedom` degrees exceeds x), the incomplete gamma function Q(a, y):
// by its series below the mean, by its continued fraction above.
inline double ChiSquareTail(double x, double freedom) {
  const double a = freedom / 2, y = x / 2;
  if (y <= 0) return 1;
  const double front = std::exp(a * std::log(y) - y - std::lgamma(a));
  if (y < a + 1) {
    double term = 1 / a, sum = term;
    for (int k = 1; term > 1e-17 * sum; ++k) sum += term *= y / (a + k);
    return 1 - front * sum;
  }
  double b = y + 1 - a, c = 1e300, d = 1 / b, fraction = d;
  for (int k = 1; k < 100000; ++k) {
    const double numerator = k * (a - k);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    fraction *= c * d;
    if (std::fabs(c * d - 1) < 1e-15) break;
  }
  return front * fraction;
}

// The chance that counts are this far from their expectation. Merges the cells in which fewer than
// 5 are expected.
inline double ChiSquareP(const std::vector<int64_t>& counts, const std::vector<double>& p) {
  double total = 0, sum = 0;
  for (const int64_t count : counts) total += static_cast<double>(count);
  double small_count = 0, small_expected = 0;
  int cells = 0;
  const auto add = [&](double count, double expected) {
    sum += (count - expected) * (count - expected) / expected;
    ++cells;
  };
  for (size_t k = 0; k < counts.size(); ++k) {
    const double count = static_cast<double>(counts[k]), expected = total * p[k];
    if (p[k] <= 0 && count > 0) return 0;
    if (expected >= 5) {
      add(count, expected);
    } else {
      small_count += count;
      small_expected += expected;
    }
  }
  if (small_expected >= 5) {
    add(small_count, small_expected);
  } else if (small_count > 0) {
    // Too rare for a cell. The chance of this many is Poisson's.
    double chance = 0, term = std::exp(-small_expected);
    for (int k = 0; k < 200; ++k, term *= small_expected / k) chance += k >= small_count ? term : 0;
    if (chance < kFalsePositive / 2) return chance;
  }
  return cells < 2 ? 1 : ChiSquareTail(sum, cells - 1);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_SAMPLERS_CHI_SQUARE_H_
