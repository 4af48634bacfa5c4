// SPDX-License-Identifier: Apache-2.0
// Accuracy and special values of the formulas, against the C library in double.
#include "cc/lib/core/float_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/cc/testing/flush_denormals.h"

namespace candsamp {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The error of `got` in units of the last place of a float next to `exact`.
double ErrorInUlp(float got, double exact) {
  const int exponent = exact == 0 ? -126 : std::max(std::ilogb(exact), -126);
  return std::fabs(got - exact) / std::ldexp(1.0, exponent - 23);
}

struct WorstError {
  double ulp = 0;
  float at = 0;
};

// Every `step`-th float from `first` to `last`, both of one sign and included.
std::vector<float> Grid(float first, float last, uint32_t step) {
  std::vector<float> grid;
  const uint32_t begin = std::min(BitCast<uint32_t>(first), BitCast<uint32_t>(last));
  const uint32_t end = std::max(BitCast<uint32_t>(first), BitCast<uint32_t>(last));
  for (uint32_t bits = begin; bits < end; bits += std::min(step, end - bits)) {
    grid.push_back(BitCast<float>(bits));
  }
  grid.push_back(BitCast<float>(end));
  return grid;
}

// Out of line, so that f runs in the current floating-point mode.
template <typename F>
__attribute__((noinline)) void Map(const std::vector<float>& in, std::vector<float>* out, F f) {
  for (size_t k = 0; k < in.size(); ++k) (*out)[k] = f(in[k]);
}

template <typename F, typename Exact>
WorstError Measure(const std::vector<float>& grid, F f, Exact exact, bool flush_denormals = false) {
  std::vector<float> values(grid.size());
  if (flush_denormals) {
    const FlushDenormals flush;
    Map(grid, &values, f);
  } else {
    Map(grid, &values, f);
  }
  WorstError worst;
  for (size_t k = 0; k < grid.size(); ++k) {
    const double error = ErrorInUlp(values[k], exact(static_cast<double>(grid[k])));
    if (!(error <= worst.ulp)) worst = {error, grid[k]};
  }
  return worst;
}

float FloatExp(float x) { return ExpNonPositive(x); }
float FloatLog1p(float t) { return Log1pUnit(t); }
float FloatSoftplus(float z) { return Softplus(z); }
float FloatSigmoid(float z) { return Sigmoid(z); }
double ExactExp(double x) { return std::exp(x); }
double ExactLog1p(double t) { return std::log1p(t); }
double ExactSoftplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::fabs(z))); }
double ExactSigmoid(double z) {
  return z < 0 ? std::exp(z) / (1 + std::exp(z)) : 1 / (1 + std::exp(-z));
}

// Prime to every power of two, so that the low bits of the grid vary.
constexpr uint32_t kStep = 509;

// On both sides of 0, as far as values change.
template <typename F, typename Exact>
void ExpectAccurateOnBothSides(F f, Exact exact, double bound) {
  for (const auto& grid : {Grid(-0.0f, -87.0f, kStep), Grid(0.0f, 1e6f, kStep)}) {
    const WorstError worst = Measure(grid, f, exact);
    EXPECT_LE(worst.ulp, bound) << "at " << std::hexfloat << worst.at;
  }
}

TEST(FloatMathTest, ExpIsWithinItsStatedBound) {
  const WorstError worst = Measure(Grid(-0.0f, -87.0f, kStep), FloatExp, ExactExp);
  EXPECT_LE(worst.ulp, 1.1) << "at " << std::hexfloat << worst.at;
}

// TensorFlow's threads flush subnormal numbers, but every result here is a normal float.
TEST(FloatMathTest, ExpIsWithinItsStatedBoundWhenDenormalsAreFlushed) {
  const WorstError worst = Measure(Grid(-0.0f, -87.0f, kStep), FloatExp, ExactExp, true);
  EXPECT_LE(worst.ulp, 1.1) << "at " << worst.at;
}

TEST(FloatMathTest, ExpAtSpecialValues) {
  EXPECT_EQ(ExpNonPositive(0.0f), 1.0f);
  EXPECT_EQ(ExpNonPositive(-0.0f), 1.0f);
  EXPECT_GT(ExpNonPositive(-87.0f), 0.0f);
  EXPECT_EQ(ExpNonPositive(std::nextafter(-87.0f, -kInfinity)), 0.0f);
  EXPECT_EQ(ExpNonPositive(-87.01f), 0.0f);
  EXPECT_EQ(ExpNonPositive(-88.0f), 0.0f);
  EXPECT_EQ(ExpNonPositive(-1e10f), 0.0f);
  EXPECT_EQ(ExpNonPositive(std::numeric_limits<float>::lowest()), 0.0f);
  EXPECT_EQ(ExpNonPositive(-kInfinity), 0.0f);
  EXPECT_TRUE(std::isnan(ExpNonPositive(kNan)));
  EXPECT_TRUE(std::isnan(ExpNonPositive(-kNan)));
}

TEST(FloatMathTest, ExpGrowsFromZeroToOne) {
  float next = 1.0f;
  for (const float x : Grid(-0.0f, -90.0f, kStep)) {
    const float value = ExpNonPositive(x);
    ASSERT_GE(value, 0.0f) << x;
    // An error of one unit may swap neighbours, but nothing more.
    ASSERT_LE(value, std::nextafter(next, 2.0f)) << x;
    next = value;
  }
}

float FloatExpm1(float x) { return Expm1NonPositive(x); }
double ExactExpm1(double x) { return std::expm1(x); }

TEST(FloatMathTest, Expm1IsAccurateOnBothSidesOfItsReduction) {
  for (const bool flush : {false, true}) {
    const WorstError worst = Measure(Grid(-1e-30f, -87.0f, kStep), FloatExpm1, ExactExpm1, flush);
    EXPECT_LE(worst.ulp, 2) << "at " << std::hexfloat << worst.at;
  }
}

TEST(FloatMathTest, Expm1AtSpecialValues) {
  EXPECT_EQ(Expm1NonPositive(0.0f), 0.0f);
  EXPECT_EQ(Expm1NonPositive(-0.0f), 0.0f);
  EXPECT_EQ(Expm1NonPositive(-88.0f), -1.0f);
  EXPECT_EQ(Expm1NonPositive(-kInfinity), -1.0f);
  EXPECT_TRUE(std::isnan(Expm1NonPositive(kNan)));
}

TEST(FloatMathTest, Log1pIsWithinItsStatedBound) {
  const WorstError worst = Measure(Grid(0.0f, 1.0f, kStep), FloatLog1p, ExactLog1p);
  EXPECT_LE(worst.ulp, 1.4) << "at " << std::hexfloat << worst.at;
}

TEST(FloatMathTest, Log1pAtSpecialValues) {
  EXPECT_EQ(Log1pUnit(0.0f), 0.0f);
  EXPECT_EQ(Log1pUnit(1e-30f), 1e-30f);
  EXPECT_LE(ErrorInUlp(Log1pUnit(1.0f), std::log(2.0)), 1.0);
  EXPECT_TRUE(std::isnan(Log1pUnit(kNan)));
}

// float_math.h states no bound. The errors of exp and log1p add up.
TEST(FloatMathTest, SoftplusIsAccurate) {
  ExpectAccurateOnBothSides(FloatSoftplus, ExactSoftplus, 3.0);
}

TEST(FloatMathTest, SoftplusAtSpecialValues) {
  EXPECT_LE(ErrorInUlp(Softplus(0.0f), std::log(2.0)), 1.0);
  EXPECT_EQ(Softplus(0.0f), Softplus(-0.0f));
  EXPECT_EQ(Softplus(-88.0f), 0.0f);
  EXPECT_EQ(Softplus(-kInfinity), 0.0f);
  EXPECT_EQ(Softplus(88.0f), 88.0f);
  EXPECT_EQ(Softplus(std::numeric_limits<float>::max()), std::numeric_limits<float>::max());
  EXPECT_EQ(Softplus(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Softplus(kNan)));
}

TEST(FloatMathTest, SigmoidIsAccurate) {
  ExpectAccurateOnBothSides(FloatSigmoid, ExactSigmoid, 2.5);
}

TEST(FloatMathTest, SigmoidAtSpecialValues) {
  EXPECT_EQ(Sigmoid(0.0f), 0.5f);
  EXPECT_EQ(Sigmoid(-0.0f), 0.5f);
  EXPECT_EQ(Sigmoid(-88.0f), 0.0f);
  EXPECT_EQ(Sigmoid(88.0f), 1.0f);
  EXPECT_EQ(Sigmoid(-kInfinity), 0.0f);
  EXPECT_EQ(Sigmoid(kInfinity), 1.0f);
  EXPECT_TRUE(std::isnan(Sigmoid(kNan)));
}

TEST(FloatMathTest, SigmoidStaysInTheUnitInterval) {
  for (const float z : Grid(0.0f, kInfinity, 4099)) {
    ASSERT_GE(Sigmoid(z), 0.5f) << z;
    ASSERT_LE(Sigmoid(z), 1.0f) << z;
    ASSERT_GE(Sigmoid(-z), 0.0f) << z;
    ASSERT_LE(Sigmoid(-z), 0.5f) << z;
  }
}

TEST(FloatMathTest, DoublesAreThoseOfTheCLibrary) {
  for (double z = -750; z <= 750; z += 0.37) {
    const long double exact_exp = std::exp(-std::fabs(static_cast<long double>(z)));
    const double tolerance = 8 * std::numeric_limits<double>::epsilon();
    EXPECT_EQ(ExpNonPositive(-std::fabs(z)), std::exp(-std::fabs(z)));
    const long double softplus = std::max<long double>(z, 0) + std::log1p(exact_exp);
    EXPECT_NEAR(Softplus(z), softplus, tolerance * softplus + 1e-320) << z;
    const long double sigmoid = (z < 0 ? exact_exp : 1) / (1 + exact_exp);
    EXPECT_NEAR(Sigmoid(z), sigmoid, tolerance * sigmoid + 1e-320) << z;
  }
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(ExpNonPositive(-infinity), 0.0);
  EXPECT_EQ(Log1pUnit(1.0), std::log1p(1.0));
  EXPECT_EQ(Softplus(infinity), infinity);
  EXPECT_EQ(Softplus(-infinity), 0.0);
  EXPECT_EQ(Sigmoid(infinity), 1.0);
  EXPECT_EQ(Sigmoid(-infinity), 0.0);
  EXPECT_TRUE(std::isnan(Softplus(std::nan(""))));
  EXPECT_TRUE(std::isnan(Sigmoid(std::nan(""))));
}

}  // namespace
}  // namespace candsamp
