// SPDX-License-Identifier: Apache-2.0
// Rows and inputs divided by their norms, and gradients through the norms.
#include "cc/lib/logits/unit_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

template <typename W>
class UnitRowsTest : public testing::Test {
 protected:
  using A = Accumulator<W>;

  std::vector<W> RandomRow(int64_t depth, double size) {
    std::normal_distribution<double> normal(0, size);
    std::vector<W> row(depth);
    for (W& w : row) Narrow(static_cast<A>(normal(random_)), &w);
    return row;
  }

  std::mt19937 random_{1};
};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(UnitRowsTest, Types);

long double Norm(const std::vector<long double>& row) {
  long double squares = 0;
  for (const long double w : row) squares += w * w;
  return std::sqrt(squares);
}

template <typename W>
std::vector<long double> Exact(const std::vector<W>& row) {
  std::vector<long double> exact;
  for (const W& w : row) exact.push_back(Widen(w));
  return exact;
}

TYPED_TEST(UnitRowsTest, InverseNorms) {
  for (const double size : {1e-3, 1.0, 50.0}) {
    const std::vector<TypeParam> row = this->RandomRow(37, size);
    const long double epsilon = std::numeric_limits<Accumulator<TypeParam>>::epsilon();
    EXPECT_NEAR(InverseNorm(row.data(), 37) * Norm(Exact(row)), 1, 16 * epsilon);
  }
}

TYPED_TEST(UnitRowsTest, NormsNearTheLimitsOfTheType) {
  using A = Accumulator<TypeParam>;
  if (std::is_same_v<TypeParam, Half>) return;  // whose squares are far from those of float
  for (const double size : {1e-35, 1e-22, 1e22, 1e35}) {
    const std::vector<TypeParam> row = this->RandomRow(9, size);
    EXPECT_NEAR(InverseNorm(row.data(), 9) * Norm(Exact(row)), 1, 1e-6) << size;
  }
  std::vector<TypeParam> row(3);
  for (TypeParam& w : row) Narrow(std::numeric_limits<A>::denorm_min(), &w);
  EXPECT_EQ(InverseNorm(row.data(), 3), A(0));
}

TYPED_TEST(UnitRowsTest, RowsOfZerosStay) {
  using A = Accumulator<TypeParam>;
  std::vector<TypeParam> row(5), out(5);
  for (TypeParam& w : row) Narrow(A(0), &w);
  EXPECT_EQ(InverseNorm(row.data(), 5), A(0));
  EXPECT_EQ(InverseNorm(row.data(), 0), A(0));
  const std::vector<A> gradient = {1, -2, 3, 4, 5};
  WriteGradientOfRow(row.data(), gradient.data(), A(1), 5, out.data());
  for (const TypeParam& w : out) EXPECT_EQ(Widen(w), 0);
}

TYPED_TEST(UnitRowsTest, NanStaysNan) {
  std::vector<TypeParam> row = this->RandomRow(9, 1.0);
  Narrow(kNan<TypeParam>, &row[4]);
  EXPECT_TRUE(std::isnan(InverseNorm(row.data(), 9)));
}

// factor * (I - u u^T) g / |w| in long double, apart and in place.
TYPED_TEST(UnitRowsTest, GradientsOfRows) {
  using A = Accumulator<TypeParam>;
  for (const int64_t depth : {1, 8, 33, 200}) {
    const std::vector<TypeParam> row = this->RandomRow(depth, 0.3);
    std::vector<A> gradient(depth);
    std::normal_distribution<A> normal;
    for (A& g : gradient) g = normal(this->random_);
    const std::vector<long double> w = Exact(row), g = Exact(gradient);
    long double along = 0;
    for (int64_t d = 0; d < depth; ++d) along += w[d] * g[d] / Norm(w);
    std::vector<TypeParam> apart(depth), in_place = row;
    WriteGradientOfRow(row.data(), gradient.data(), A(0.25), depth, apart.data());
    WriteGradientOfRow(in_place.data(), gradient.data(), A(0.25), depth, in_place.data());
    for (int64_t d = 0; d < depth; ++d) {
      const long double exact = 0.25L * (g[d] - w[d] / Norm(w) * along) / Norm(w);
      const long double size = 0.25L * (std::fabs(g[d]) + std::fabs(along)) / Norm(w);
      const long double error = 32 * std::numeric_limits<A>::epsilon() * size +
                                Rounding<TypeParam>() * std::fabs(exact) + std::ldexp(1.0L, -24);
      ASSERT_NEAR(Widen(apart[d]), exact, error) << d << " of " << depth;
      ASSERT_EQ(Widen(in_place[d]), Widen(apart[d]));
    }
  }
}

template <typename A>
class ScaledInputsTest : public testing::Test {};
using SumTypes = testing::Types<float, double>;
TYPED_TEST_SUITE(ScaledInputsTest, SumTypes);

TYPED_TEST(ScaledInputsTest, WithoutOptionsAreTheInputs) {
  TestRuntime runtime = TestRuntime::Whole();
  const std::vector<TypeParam> inputs = {1, 2, 3, 4};
  const ScaledInputs<TypeParam> scaled(runtime, {}, inputs.data(), 2, 2);
  EXPECT_EQ(scaled.values(), inputs.data());
  std::vector<TypeParam> gradient = {5, 6};
  scaled.GradientOfInput(1, gradient.data());
  EXPECT_EQ(gradient, (std::vector<TypeParam>{5, 6}));
}

TYPED_TEST(ScaledInputsTest, DivideByTemperatureAndNorm) {
  TestRuntime runtime = TestRuntime::Whole();
  const std::vector<TypeParam> inputs = {3, 4, 0, 0};
  const ScaledInputs<TypeParam> warm(runtime, {2, 0, false}, inputs.data(), 2, 2);
  EXPECT_EQ(warm.values()[0], TypeParam(1.5));
  std::vector<TypeParam> gradient = {8, 6};
  warm.GradientOfInput(0, gradient.data());
  EXPECT_EQ(gradient, (std::vector<TypeParam>{4, 3}));

  const ScaledInputs<TypeParam> unit(runtime, {0.5, 0, true}, inputs.data(), 2, 2);
  EXPECT_NEAR(unit.values()[0], 1.2, 1e-6);
  EXPECT_NEAR(unit.values()[1], 1.6, 1e-6);
  EXPECT_EQ(unit.values()[2], TypeParam(0));
  gradient = {1, 0};  // less what is along (3, 4): (1 - 9 / 25, -12 / 25), by 2 / 5
  unit.GradientOfInput(0, gradient.data());
  EXPECT_NEAR(gradient[0], 0.256, 1e-6);
  EXPECT_NEAR(gradient[1], -0.192, 1e-6);
}

}  // namespace
}  // namespace candsamp
