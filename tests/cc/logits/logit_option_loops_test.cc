// SPDX-License-Identifier: Apache-2.0
// The loops of every instruction set that this machine has, beside what they stand for.
#include "cc/lib/logits/logit_option_loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "cc/lib/logits/logit_option_loops_isa.h"
#include "cc/lib/logits/softcap.h"
#include "tests/cc/testing/every_isa.h"
#include "tests/cc/testing/numbers.h"

namespace candsamp {
namespace {

constexpr int64_t kDepths[] = {0, 1, 3, 15, 31, 32, 33, 63, 64, 65, 100, 300};

template <typename W>
const UnitLoops<W>& UnitLoopsOf(InstructionSet set) {
  if constexpr (std::is_same_v<W, float>) return CANDSAMP_ISA_TABLE(set, kFloatUnits);
  if constexpr (std::is_same_v<W, double>) return CANDSAMP_ISA_TABLE(set, kDoubleUnits);
  if constexpr (std::is_same_v<W, Bfloat16>) return CANDSAMP_ISA_TABLE(set, kBfloat16Units);
  if constexpr (std::is_same_v<W, Half>) return CANDSAMP_ISA_TABLE(set, kHalfUnits);
}

template <typename A>
const SoftcapLoops<A>& SoftcapLoopsOf(InstructionSet set) {
  if constexpr (std::is_same_v<A, float>) return CANDSAMP_ISA_TABLE(set, kFloatSoftcaps);
  if constexpr (std::is_same_v<A, double>) return CANDSAMP_ISA_TABLE(set, kDoubleSoftcaps);
}

// Vectors have exactly their size, so that AddressSanitizer sees what is beyond.
template <typename T>
std::vector<T> Random(int64_t count, std::mt19937& random) {
  std::normal_distribution<Accumulator<T>> normal;
  std::vector<T> values(count);
  for (T& value : values) Narrow(normal(random), &value);
  return values;
}

template <typename C>
class UnitLoopsTest : public EveryIsaTest<C> {};
using StoredTypes = EveryIsaWith<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(UnitLoopsTest, StoredTypes, CompiledName);

TYPED_TEST(UnitLoopsTest, Squares) {
  using W = typename TypeParam::Type;
  const UnitLoops<W>& loops = UnitLoopsOf<W>(TypeParam::kInstructionSet);
  for (const int64_t depth : kDepths) {
    const std::vector<W> row = Random<W>(depth, this->random_);
    long double sum = 0;
    for (const W& w : row) sum += static_cast<long double>(Widen(w)) * Widen(w);
    const long double epsilon = std::numeric_limits<Accumulator<W>>::epsilon();
    ASSERT_NEAR(loops.squares(row.data(), depth), sum, 16 * epsilon * sum) << depth;
  }
}

TYPED_TEST(UnitLoopsTest, ScaleAndProject) {
  using W = typename TypeParam::Type;
  using A = Accumulator<W>;
  const UnitLoops<W>& loops = UnitLoopsOf<W>(TypeParam::kInstructionSet);
  for (const int64_t depth : kDepths) {
    const std::vector<W> row = Random<W>(depth, this->random_);
    const std::vector<A> gradient = Random<A>(depth, this->random_);
    const A factor = A(0.7), coefficient = A(-1.3);
    std::vector<A> scaled(depth);
    std::vector<W> projected(depth), in_place = row;
    loops.scale(row.data(), factor, depth, scaled.data());
    loops.project(gradient.data(), row.data(), coefficient, factor, depth, projected.data());
    loops.project(gradient.data(), in_place.data(), coefficient, factor, depth, in_place.data());
    for (int64_t d = 0; d < depth; ++d) {
      ASSERT_EQ(scaled[d], factor * Widen(row[d]));
      W expected;
      Narrow(factor * (gradient[d] - coefficient * Widen(row[d])), &expected);
      ASSERT_EQ(Widen(projected[d]), Widen(expected));
      ASSERT_EQ(Widen(in_place[d]), Widen(expected));
    }
  }
}

template <typename C>
class SoftcapLoopsTest : public EveryIsaTest<C> {};
using SumTypes = EveryIsaWith<float, double>;
TYPED_TEST_SUITE(SoftcapLoopsTest, SumTypes, CompiledName);

TYPED_TEST(SoftcapLoopsTest, EqualTheFormula) {
  using A = typename TypeParam::Type;
  const SoftcapLoops<A>& loops = SoftcapLoopsOf<A>(TypeParam::kInstructionSet);
  for (const int64_t count : kDepths) {
    std::vector<A> z = Random<A>(count, this->random_), shifts = Random<A>(count, this->random_);
    if (count > 3) z[1] = kInfinity<A>, z[2] = kNan<A>, shifts[3] = -kInfinity<A>;
    const std::vector<A> before = z;
    std::vector<A> slopes(count);
    loops.softcap(z.data(), shifts.data(), count, A(1.5), slopes.data());
    for (int64_t k = 0; k < count; ++k) {
      A slope;
      const A expected = Softcap(before[k], A(1.5), &slope) + shifts[k];
      if (std::isnan(before[k])) {
        ASSERT_TRUE(std::isnan(z[k]) && std::isnan(slopes[k]));
      } else {
        ASSERT_EQ(z[k], expected) << k;
        ASSERT_EQ(slopes[k], slope) << k;
      }
    }
  }
}

TYPED_TEST(SoftcapLoopsTest, Multiply) {
  using A = typename TypeParam::Type;
  const SoftcapLoops<A>& loops = SoftcapLoopsOf<A>(TypeParam::kInstructionSet);
  for (const int64_t count : kDepths) {
    const std::vector<A> factors = Random<A>(count, this->random_);
    std::vector<A> values = Random<A>(count, this->random_);
    const std::vector<A> before = values;
    loops.multiply(factors.data(), count, values.data());
    for (int64_t k = 0; k < count; ++k) ASSERT_EQ(values[k], before[k] * factors[k]);
  }
}

}  // namespace
}  // namespace candsamp
