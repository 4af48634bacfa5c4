// SPDX-License-Identifier: Apache-2.0
// Accuracy and special values of the formulas, against quadruple precision.
#include "cc/lib/core/double_math.h"

#include <gtest/gtest.h>
#include <quadmath.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "tests/cc/testing/flush_denormals.h"

namespace candsamp {
namespace {

using Quad = __float128;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLeast = std::numeric_limits<double>::min();  // normal
constexpr double kMost = std::numeric_limits<double>::max();
constexpr double kLog2 = 0.693147180559945309417;
constexpr int kRandom = 200000;

// The error of `got` in units of the last place of a double next to `exact`.
double ErrorInUlp(double got, Quad exact) {
  if (exact == 0) return got == 0 ? 0 : kInfinity;
  const int exponent = std::max(ilogbq(exact), -1022);
  return static_cast<double>(fabsq(got - exact) / ldexpq(1, exponent - 52));
}

struct WorstError {
  double ulp = 0;
  double at = 0;
};

// Out of line, so that f runs in the current floating-point mode.
template <typename F>
__attribute__((noinline)) void Map(const std::vector<double>& in, std::vector<double>* out, F f) {
  for (size_t k = 0; k < in.size(); ++k) (*out)[k] = f(in[k]);
}

template <typename F, typename Exact>
WorstError Measure(const std::vector<double>& xs, F f, Exact exact) {
  std::vector<double> values(xs.size());
  Map(xs, &values, f);
  WorstError worst;
  for (size_t k = 0; k < xs.size(); ++k) {
    const double error = ErrorInUlp(values[k], exact(static_cast<Quad>(xs[k])));
    if (!(error <= worst.ulp)) worst = {error, xs[k]};
  }
  return worst;
}

std::vector<double> UniformBetween(double low, double high, int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> x(low, high);
  std::vector<double> xs(count);
  for (double& value : xs) value = x(random);
  return xs;
}

// Random numbers of all magnitudes from 2^low to 2^high, times `sign`.
std::vector<double> AllMagnitudes(int low, int high, double sign, int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> exponent(low, high - 1);
  std::vector<double> xs(count);
  for (double& value : xs) {
    value = sign * std::ldexp(1.0 + std::ldexp(static_cast<double>(random() >> 12), -52),
                              exponent(random));
  }
  return xs;
}

// x and the `count` doubles on either side of it.
void AddNeighbours(double x, int count, std::vector<double>* xs) {
  double below = x, above = x;
  xs->push_back(x);
  for (int k = 0; k < count; ++k) {
    xs->push_back(below = std::nextafter(below, -kInfinity));
    xs->push_back(above = std::nextafter(above, kInfinity));
  }
}

std::vector<double> Joined(std::vector<double> a, const std::vector<double>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(DoubleMathTest, DoubleOfIntegerIsTheNearest) {
  std::mt19937_64 random(1);
  for (int bits = 0; bits < 63; ++bits) {
    const int64_t power = int64_t{1} << bits;
    for (int64_t k = std::max<int64_t>(power - 2000, 0); k < power + 2000; ++k) {
      ASSERT_EQ(DoubleOfInteger(k), static_cast<double>(k)) << k;
    }
    for (int repeat = 0; repeat < 2000; ++repeat) {
      const int64_t k = static_cast<int64_t>(random() >> (63 - bits) >> 1);
      ASSERT_EQ(DoubleOfInteger(k), static_cast<double>(k)) << k;
    }
  }
  const int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(DoubleOfInteger(most), 0x1p63);
  EXPECT_EQ(DoubleOfInteger(0), 0.0);
}

TEST(DoubleMathTest, ExpIsWithinItsStatedBound) {
  std::vector<double> xs =
      Joined(UniformBetween(-700, 700, kRandom, 1), AllMagnitudes(-60, 9, 1, kRandom / 4, 2));
  xs = Joined(xs, AllMagnitudes(-60, 9, -1, kRandom / 4, 3));
  // The borders of the reduction.
  for (int n = -1000; n <= 1000; ++n) AddNeighbours((n + 0.5) * kLog2, 3, &xs);
  for (int n = -1000; n <= 1000; ++n) AddNeighbours(n * kLog2, 3, &xs);
  xs.erase(std::remove_if(xs.begin(), xs.end(), [](double x) { return std::fabs(x) >= 700; }),
           xs.end());
  const auto precise = [](double x) { return PreciseExp::Of(ReduceExp<FastMultiplyAdd>(x)); };
  const auto brief = [](double x) { return ShortExp::Of(ReduceExp<FastMultiplyAdd>(x)); };
  const WorstError worst = Measure(xs, precise, expq);
  EXPECT_LE(worst.ulp, PreciseExp::error / 0x1p-52) << "at " << std::hexfloat << worst.at;
  EXPECT_EQ(precise(0.0), 1.0);
  const WorstError worst_brief = Measure(xs, brief, expq);
  EXPECT_LE(worst_brief.ulp, ShortExp::error / 0x1p-52) << "at " << std::hexfloat << worst_brief.at;
  EXPECT_EQ(brief(0.0), 1.0);
}

std::vector<double> NonPositive() {
  std::vector<double> xs =
      Joined(UniformBetween(-61, 0, kRandom, 1), AllMagnitudes(-1022, 1023, -1, kRandom / 2, 2));
  xs = Joined(xs, AllMagnitudes(-60, 6, -1, kRandom / 2, 3));
  for (int n = -87; n < 0; ++n) AddNeighbours((n + 0.5) * kLog2, 20, &xs);
  AddNeighbours(-60.0, 100, &xs);
  return xs;
}

TEST(DoubleMathTest, Expm1IsWithinItsStatedBound) {
  const auto formula = [](double x) { return Expm1NonPositive(x); };
  const WorstError worst = Measure(NonPositive(), formula, expm1q);
  EXPECT_LE(worst.ulp, 3.0) << "at " << std::hexfloat << worst.at;
  EXPECT_EQ(Expm1NonPositive(0.0), 0.0);
  EXPECT_EQ(Expm1NonPositive(-0.0), 0.0);
  EXPECT_EQ(Expm1NonPositive(-1000.0), -1.0);
  EXPECT_EQ(Expm1NonPositive(-kMost), -1.0);
  EXPECT_EQ(Expm1NonPositive(-kInfinity), -1.0);
}

TEST(DoubleMathTest, LogIsWithinItsStatedBound) {
  std::vector<double> xs =
      Joined(AllMagnitudes(-1022, 1023, 1, kRandom, 1), UniformBetween(0.5, 2, kRandom, 2));
  for (const double x : {1.0, std::sqrt(2.0), std::sqrt(0.5), 2.0, 0.5}) {
    AddNeighbours(x, 1000, &xs);
  }
  for (const double delta : AllMagnitudes(-52, -3, 1, kRandom / 4, 3)) {
    xs.push_back(1 + delta);
    xs.push_back(1 - delta);
  }
  xs.push_back(kLeast);
  xs.push_back(kMost);
  const WorstError worst = Measure(xs, [](double x) { return Log(x); }, logq);
  EXPECT_LE(worst.ulp, 2.0) << "at " << std::hexfloat << worst.at;
  EXPECT_EQ(Log(1.0), 0.0);
}

std::vector<double> BetweenMinusOneAndZero() {
  std::vector<double> xs =
      Joined(AllMagnitudes(-1022, 0, -1, kRandom / 4, 2), AllMagnitudes(-60, 0, -1, kRandom, 3));
  xs = Joined(xs, UniformBetween(-1, 0, kRandom, 4));
  for (const double x : {std::sqrt(0.5) - 1, -0.5}) AddNeighbours(x, 1000, &xs);
  double close = -1.0;
  for (int k = 0; k < 1000; ++k) xs.push_back(close = std::nextafter(close, 0.0));
  return xs;
}

TEST(DoubleMathTest, Log1pIsWithinItsStatedBound) {
  const WorstError worst =
      Measure(BetweenMinusOneAndZero(), [](double x) { return Log1p(x); }, log1pq);
  EXPECT_LE(worst.ulp, 4.0) << "at " << std::hexfloat << worst.at;
  EXPECT_EQ(Log1p(0.0), 0.0);
  EXPECT_EQ(Log1p(-0.0), 0.0);
}

TEST(DoubleMathTest, HalfLogOfNextRatioIsWithinItsStatedBound) {
  std::vector<double> xs;
  for (int k = 0; k < kRandom; ++k) xs.push_back(k);
  for (const double x : AllMagnitudes(10, 63, 1, kRandom, 1)) xs.push_back(std::floor(x));
  xs.push_back(0x1p63);
  const auto error_of = [](double half, double x) {
    const Quad exact = log1pq(1 / (static_cast<Quad>(x) + 1));
    return std::fabs(static_cast<double>(2 * half / exact - 1));
  };
  double worst = 0, worst_of_float = 0;
  for (const double x : xs) {
    const double s = 1 / (2 * x + 3);
    worst = std::max(worst, error_of(HalfLogOfNextRatio<double>(s), x));
    worst_of_float = std::max(worst_of_float, error_of(HalfLogOfNextRatio<float>(s), x));
  }
  EXPECT_LE(worst, 2e-13);
  EXPECT_LE(worst_of_float, 4e-10);
}

// TensorFlow's threads flush subnormal numbers. Normal results must stay the same.
TEST(DoubleMathTest, FlushingDenormalsChangesNothing) {
  const auto expect_same = [](const std::vector<double>& xs, auto f) {
    std::vector<double> plain(xs.size()), flushed(xs.size());
    Map(xs, &plain, f);
    {
      const FlushDenormals flush;
      Map(xs, &flushed, f);
    }
    for (size_t k = 0; k < xs.size(); ++k) ASSERT_EQ(plain[k], flushed[k]) << xs[k];
  };
  expect_same(NonPositive(), [](double x) { return Expm1NonPositive(x); });
  expect_same(BetweenMinusOneAndZero(), [](double x) { return Log1p(x); });
  expect_same(UniformBetween(0, 64, 20000, 1), [](double x) { return ExpToNearest(x); });
}

TEST(DoubleMathTest, SumsAndProductsAreExact) {
  const std::vector<double> as = AllMagnitudes(-20, 20, 1, kRandom, 1);
  const std::vector<double> bs = AllMagnitudes(-20, 20, -1, kRandom, 2);
  for (size_t k = 0; k < as.size(); ++k) {
    const DoubleDouble sum = ExactSum(as[k], bs[k]), product = ExactProduct(as[k], bs[k]);
    ASSERT_EQ(sum.high, as[k] + bs[k]);
    ASSERT_TRUE(static_cast<Quad>(sum.high) + sum.low == static_cast<Quad>(as[k]) + bs[k]);
    ASSERT_EQ(product.high, as[k] * bs[k]);
    ASSERT_TRUE(static_cast<Quad>(product.high) + product.low == static_cast<Quad>(as[k]) * bs[k]);
  }
}

// The magnitudes that ExpToNearest works with: sums above 1, arguments below 1/2.
TEST(DoubleMathTest, DoubleDoublesHaveAHundredBits) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> unit(0, 1);
  const auto quad = [](DoubleDouble x) { return static_cast<Quad>(x.high) + x.low; };
  const auto normalized = [](DoubleDouble x) {
    return std::fabs(x.low) <= std::ldexp(std::fabs(x.high), -52) / 2;
  };
  const auto error = [&](DoubleDouble got, Quad exact) {
    return static_cast<double>(fabsq(quad(got) - exact) / fabsq(exact));
  };
  double worst = 0;
  for (int k = 0; k < kRandom; ++k) {
    const DoubleDouble a = ExactSum(1 + unit(random), std::ldexp(unit(random) - 0.5, -52));
    const DoubleDouble b = ExactSum(unit(random) - 0.5, std::ldexp(unit(random) - 0.5, -55));
    const double c = 1 + 24 * unit(random);
    worst = std::max({worst, error(Plus(a, c), quad(a) + c), error(Times(a, b), quad(a) * quad(b)),
                      error(Over(a, c), quad(a) / c)});
    ASSERT_TRUE(normalized(Plus(a, c)) && normalized(Times(a, b)) && normalized(Over(a, c)));
  }
  EXPECT_LT(worst, 0x1p-100);
}

TEST(DoubleMathTest, ExpToNearestIsCorrectlyRounded) {
  std::vector<double> xs = UniformBetween(0, 64, 1000000, 1);
  xs = Joined(xs, AllMagnitudes(-60, 6, 1, kRandom, 2));
  for (int n = 0; n < 92; ++n) AddNeighbours((n + 0.5) * kLog2, 5, &xs);
  for (int n = 1; n < 92; ++n) AddNeighbours(n * kLog2, 5, &xs);
  xs.push_back(0);
  xs.push_back(std::nextafter(64.0, 0.0));
  int64_t unlike_libm = 0;
  for (const double x : xs) {
    if (x >= 64) continue;
    const double value = ExpToNearest(x);
    // The error of expq, 2^-112, rounds wrongly once in 2^58 times.
    ASSERT_EQ(value, static_cast<double>(expq(x))) << std::hexfloat << x;
    unlike_libm += value != std::exp(x);
  }
  // The C library is right to 0.511 ulp or so.
  EXPECT_LT(unlike_libm, static_cast<int64_t>(xs.size() / 500)) << "of " << xs.size();
}

}  // namespace
}  // namespace candsamp
