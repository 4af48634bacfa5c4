// SPDX-License-Identifier: Apache-2.0
// The row and logit loops of every instruction set that this machine has.
#include "cc/lib/rows/row_loops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "cc/lib/core/float_math.h"
#include "cc/lib/core/instruction_set.h"
#include "cc/lib/rows/row_loops_isa.h"
#include "tests/cc/testing/every_isa.h"
#include "tests/cc/testing/flush_denormals.h"
#include "tests/cc/testing/numbers.h"

namespace candsamp {
namespace {

constexpr int64_t kDepths[] = {0, 1, 3, 15, 16, 17, 63, 64, 65, 100, 128, 300};
constexpr int64_t kCounts[] = {0, 1, 2, 7, 16, 40};
constexpr int64_t kGuards = 64;

// Values that end where their memory ends, so that AddressSanitizer sees reads beyond. They start
// at an odd element.
template <typename T>
class Values {
 public:
  explicit Values(int64_t count, int64_t skipped = 1)
      : skipped_(skipped), memory_(new T[skipped + count]) {}
  Values(Values&&) = default;

  T* data() { return memory_.get() + skipped_; }
  T& operator[](int64_t k) { return data()[k]; }

 private:
  int64_t skipped_;
  std::unique_ptr<T[]> memory_;
};

// An output between guard values, at a multiple of 64 bytes.
template <typename T>
class Guarded {
 public:
  explicit Guarded(int64_t count)
      : count_(count),
        values_(static_cast<T*>(::operator new(size() * sizeof(T), std::align_val_t{64}))) {
    std::memset(static_cast<void*>(values_), 0xa5, size() * sizeof(T));
  }
  ~Guarded() { ::operator delete(values_, std::align_val_t{64}); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return values_ + kGuards; }
  T& operator[](int64_t k) { return data()[k]; }

  // The first `skipped` values are guards too.
  bool GuardsAreIntact(int64_t skipped = 0) const {
    T guard;
    std::memset(static_cast<void*>(&guard), 0xa5, sizeof guard);
    for (int64_t k = 0; k < kGuards + skipped; ++k) {
      if (!SameBits(values_[k], guard)) return false;
    }
    for (int64_t k = 0; k < kGuards; ++k) {
      if (!SameBits(values_[kGuards + count_ + k], guard)) return false;
    }
    return true;
  }

 private:
  int64_t size() const { return count_ + 2 * kGuards; }

  const int64_t count_;
  T* const values_;
};

// Integers so small that products and sums of them are exact in the type of the arithmetic, in any
// order, and so large that they are not exact in a narrower type.
template <typename T>
T RandomInteger(std::mt19937& random) {
  const int limit = std::is_same<Accumulator<T>, double>::value ? 1 << 20 : 128;
  T value;
  Narrow(static_cast<Accumulator<T>>(std::uniform_int_distribution<int>(-limit, limit)(random)),
         &value);
  return value;
}

template <typename T>
class RandomRows {
 public:
  RandomRows(int64_t count, int64_t depth, std::mt19937& random) : pointers_(count, 0) {
    for (int64_t k = 0; k < count; ++k) {
      rows_.emplace_back(depth, k % 3);
      for (int64_t d = 0; d < depth; ++d) rows_[k][d] = RandomInteger<T>(random);
      pointers_[k] = rows_[k].data();
    }
  }

  const T* const* pointers() { return pointers_.data(); }
  Accumulator<T> At(int64_t row, int64_t d) { return Widen(rows_[row][d]); }

 private:
  std::vector<Values<T>> rows_;
  Values<const T*> pointers_;
};

template <typename T>
Values<T> RandomValues(int64_t count, std::mt19937& random) {
  Values<T> values(count);
  for (int64_t k = 0; k < count; ++k) values[k] = RandomInteger<T>(random);
  return values;
}

const RowLoops<float>& RowLoopsOf(InstructionSet set, float) {
  return CANDSAMP_ISA_TABLE(set, kFloatRows);
}
const RowLoops<double>& RowLoopsOf(InstructionSet set, double) {
  return CANDSAMP_ISA_TABLE(set, kDoubleRows);
}
const RowLoops<Bfloat16>& RowLoopsOf(InstructionSet set, Bfloat16) {
  return CANDSAMP_ISA_TABLE(set, kBfloat16Rows);
}
const RowLoops<Half>& RowLoopsOf(InstructionSet set, Half) {
  return CANDSAMP_ISA_TABLE(set, kHalfRows);
}
const LogitLoops<float>& LogitLoopsOf(InstructionSet set, float) {
  return CANDSAMP_ISA_TABLE(set, kFloatLogits);
}
const LogitLoops<double>& LogitLoopsOf(InstructionSet set, double) {
  return CANDSAMP_ISA_TABLE(set, kDoubleLogits);
}

template <typename C>
class RowLoopsTest : public EveryIsaTest<C> {
 protected:
  using W = typename C::Type;
  using A = Accumulator<W>;

  const RowLoops<W>& loops_ = RowLoopsOf(C::kInstructionSet, W());
};

using RowTypes = EveryIsaWith<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(RowLoopsTest, RowTypes, CompiledName);

TYPED_TEST(RowLoopsTest, Dot) {
  using W = typename TestFixture::W;
  using A = typename TestFixture::A;
  for (const int64_t depth : kDepths) {
    for (const int64_t count : kCounts) {
      for (const int64_t more : {int64_t{0}, int64_t{1}, kRowsAhead, kRowsAhead + 5}) {
        RandomRows<W> rows(count + more, depth, this->random_);
        Values<A> x = RandomValues<A>(depth, this->random_);
        Guarded<A> out(count);
        this->loops_.dot(rows.pointers(), count, count + more, x.data(), depth, out.data());
        for (int64_t k = 0; k < count; ++k) {
          A expected = 0;
          for (int64_t d = 0; d < depth; ++d) expected += rows.At(k, d) * x[d];
          ASSERT_EQ(out[k], expected) << "depth " << depth << ", row " << k << " of " << count;
        }
        ASSERT_TRUE(out.GuardsAreIntact()) << "depth " << depth << ", rows " << count;
      }
    }
  }
}

TYPED_TEST(RowLoopsTest, AddWeighted) {
  using W = typename TestFixture::W;
  using A = typename TestFixture::A;
  for (const int64_t depth : kDepths) {
    for (const int64_t count : kCounts) {
      RandomRows<W> rows(count, depth, this->random_);
      Values<A> coefficients = RandomValues<A>(count, this->random_);
      Guarded<A> sum(depth);
      std::vector<A> expected(depth);
      for (int64_t d = 0; d < depth; ++d) {
        expected[d] = sum[d] = RandomInteger<A>(this->random_);
        for (int64_t k = 0; k < count; ++k) expected[d] += coefficients[k] * rows.At(k, d);
      }
      this->loops_.add_weighted(rows.pointers(), coefficients.data(), count, depth, sum.data());
      for (int64_t d = 0; d < depth; ++d) {
        ASSERT_EQ(sum[d], expected[d]) << "depth " << depth << " at " << d << ", rows " << count;
      }
      ASSERT_TRUE(sum.GuardsAreIntact()) << "depth " << depth << ", rows " << count;
    }
  }
}

// Both forms, at every alignment of the output.
TYPED_TEST(RowLoopsTest, WeightedSum) {
  using W = typename TestFixture::W;
  using A = typename TestFixture::A;
  for (const int64_t depth : kDepths) {
    for (const int64_t count : kCounts) {
      RandomRows<A> rows(count, depth, this->random_);
      Values<A> coefficients = RandomValues<A>(count, this->random_);
      std::vector<W> expected(depth);
      for (int64_t d = 0; d < depth; ++d) {
        A sum = 0;
        for (int64_t k = 0; k < count; ++k) sum += coefficients[k] * rows.At(k, d);
        Narrow(sum, &expected[d]);
      }
      for (const auto loop : {this->loops_.weighted_sum, this->loops_.non_temporal_weighted_sum}) {
        for (const int64_t offset : {0, 1, 2, 4, 8, 16}) {
          Guarded<W> out(offset + depth);
          loop(rows.pointers(), coefficients.data(), count, depth, out.data() + offset);
          NonTemporalFence();
          for (int64_t d = 0; d < depth; ++d) {
            ASSERT_TRUE(SameBits(out[offset + d], expected[d]))
                << "depth " << depth << " at " << d << ", rows " << count << ", offset " << offset
                << ": " << Widen(out[offset + d]) << " instead of " << Widen(expected[d]);
          }
          ASSERT_TRUE(out.GuardsAreIntact(offset)) << "depth " << depth << ", rows " << count;
        }
      }
    }
  }
}

TYPED_TEST(RowLoopsTest, Widen) {
  using W = typename TestFixture::W;
  using A = typename TestFixture::A;
  for (const int64_t count : kDepths) {
    Values<W> in = RandomValues<W>(count, this->random_);
    Guarded<A> out(count);
    this->loops_.widen(in.data(), count, out.data());
    for (int64_t k = 0; k < count; ++k) ASSERT_EQ(out[k], Widen(in[k])) << k << " of " << count;
    ASSERT_TRUE(out.GuardsAreIntact()) << count;
  }
}

TYPED_TEST(RowLoopsTest, ScaleAndNarrow) {
  using W = typename TestFixture::W;
  using A = typename TestFixture::A;
  std::normal_distribution<A> normal;
  for (const int64_t count : kDepths) {
    Values<A> in(count);
    for (int64_t k = 0; k < count; ++k) in[k] = normal(this->random_);
    const A factor = normal(this->random_);
    Guarded<W> out(count);
    this->loops_.scale_and_narrow(in.data(), factor, count, out.data());
    for (int64_t k = 0; k < count; ++k) {
      W expected;
      Narrow(in[k] * factor, &expected);
      ASSERT_TRUE(SameBits(out[k], expected)) << k << " of " << count;
    }
    ASSERT_TRUE(out.GuardsAreIntact()) << count;
  }
}

// The losses rescale a sum in place.
TYPED_TEST(RowLoopsTest, ScalesInPlace) {
  using W = typename TestFixture::W;
  if constexpr (std::is_same<W, Accumulator<W>>::value) {
    Guarded<W> values(100);
    for (int64_t k = 0; k < 100; ++k) values[k] = static_cast<W>(k);
    this->loops_.scale_and_narrow(values.data(), W(3), 100, values.data());
    for (int64_t k = 0; k < 100; ++k) ASSERT_EQ(values[k], static_cast<W>(3 * k));
    EXPECT_TRUE(values.GuardsAreIntact());
  }
}

// Real numbers: each column is summed in the order of the rows, whatever the width of the vectors.
TYPED_TEST(RowLoopsTest, EveryInstructionSetGivesTheSameColumns) {
  using W = typename TestFixture::W;
  using A = typename TestFixture::A;
  const RowLoops<W>& baseline = RowLoopsOf(InstructionSet::kBaseline, W());
  std::normal_distribution<A> normal;
  for (const int64_t depth : kDepths) {
    std::vector<W> narrow(depth);
    std::vector<A> wide(depth);
    for (int64_t d = 0; d < depth; ++d) {
      Narrow(normal(this->random_), &narrow[d]);
      wide[d] = normal(this->random_);
    }
    const std::vector<const W*> narrow_rows(7, narrow.data());
    const std::vector<const A*> wide_rows(7, wide.data());
    const A coefficients[] = {A(0.1), A(-0.3), A(0.7), A(1.1), A(-1.3), A(1.7), A(0.9)};
    std::vector<A> sum(depth), expected_sum(depth);
    std::vector<W> out(depth), expected_out(depth);
    this->loops_.add_weighted(narrow_rows.data(), coefficients, 7, depth, sum.data());
    baseline.add_weighted(narrow_rows.data(), coefficients, 7, depth, expected_sum.data());
    EXPECT_EQ(sum, expected_sum) << depth;
    this->loops_.weighted_sum(wide_rows.data(), coefficients, 7, depth, out.data());
    baseline.weighted_sum(wide_rows.data(), coefficients, 7, depth, expected_out.data());
    for (int64_t d = 0; d < depth; ++d) EXPECT_TRUE(SameBits(out[d], expected_out[d])) << depth;
  }
}

// Real numbers of one sign, so that an error is relative to the result.
TYPED_TEST(RowLoopsTest, DotIsAccurate) {
  using W = typename TestFixture::W;
  using A = typename TestFixture::A;
  std::uniform_real_distribution<A> uniform(A(0.5), A(1.5));
  for (const int64_t depth : {300, 100000}) {
    std::vector<W> row(depth);
    std::vector<A> x(depth);
    long double expected = 0;
    for (int64_t d = 0; d < depth; ++d) {
      Narrow(uniform(this->random_), &row[d]);
      x[d] = uniform(this->random_);
      expected += static_cast<long double>(Widen(row[d])) * x[d];
    }
    const W* pointer = row.data();
    A dot;
    this->loops_.dot(&pointer, 1, 1, x.data(), depth, &dot);
    // Errors of both signs add up like the square root of the length.
    EXPECT_NEAR(dot, expected, std::numeric_limits<A>::epsilon() * std::sqrt(depth) / 4 * expected)
        << depth;
  }
}

// Loads every bit pattern, `width` at a time. The width decides which form of the loop runs: for
// several vectors, for one vector of any size, or for single values.
template <typename W>
void ExpectLoadsEveryPattern(const RowLoops<W>& loops, int64_t width) {
  std::vector<W> patterns;
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) patterns.push_back({static_cast<uint16_t>(bits)});
  // Minus zero plus a number is that number, of either sign, and a NaN becomes a quiet one.
  std::vector<float> sums(patterns.size(), -0.0f), expected(sums);
  const volatile float one = 1.0f;
  const float coefficient = one;
  for (size_t k = 0; k < patterns.size(); ++k) expected[k] += Widen(patterns[k]) * coefficient;
  for (size_t k = 0; k < patterns.size(); k += width) {
    const W* row = patterns.data() + k;
    loops.add_weighted(&row, &coefficient, 1, width, sums.data() + k);
  }
  for (size_t k = 0; k < patterns.size(); ++k) {
    ASSERT_EQ(BitCast<uint32_t>(sums[k]), BitCast<uint32_t>(expected[k]))
        << std::hex << k << ", width " << width;
  }
}

TYPED_TEST(RowLoopsTest, VectorsLoadWhatWidenGives) {
  using W = typename TestFixture::W;
  if constexpr (sizeof(W) == 2) {
    for (const int64_t width : {64, 16, 8, 4, 1}) {
      ExpectLoadsEveryPattern(this->loops_, width);
      const FlushDenormals flush;
      ExpectLoadsEveryPattern(this->loops_, width);
    }
  }
}

TYPED_TEST(RowLoopsTest, WidensEveryPattern) {
  using W = typename TestFixture::W;
  if constexpr (sizeof(W) == 2) {
    std::vector<W> patterns;
    for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
      patterns.push_back({static_cast<uint16_t>(bits)});
    }
    std::vector<float> wide(patterns.size());
    this->loops_.widen(patterns.data(), patterns.size(), wide.data());
    for (size_t k = 0; k < patterns.size(); ++k) {
      ASSERT_EQ(BitCast<uint32_t>(wide[k]), BitCast<uint32_t>(Widen(patterns[k]))) << std::hex << k;
    }
  }
}

TYPED_TEST(RowLoopsTest, NarrowsEveryKindOfFloat) {
  using W = typename TestFixture::W;
  if constexpr (sizeof(W) == 2) {
    std::vector<float> floats = {INFINITY, -INFINITY, NAN, -NAN, 65519.99f, 65520.0f, 0.0f, -0.0f};
    for (int k = 0; k < 100000; ++k)
      floats.push_back(BitCast<float>(static_cast<uint32_t>(this->random_())));
    std::vector<W> narrow(floats.size());
    this->loops_.scale_and_narrow(floats.data(), 1.0f, floats.size(), narrow.data());
    for (size_t k = 0; k < floats.size(); ++k) {
      W expected;
      Narrow(floats[k], &expected);
      ASSERT_EQ(narrow[k].bits, expected.bits) << std::hex << BitCast<uint32_t>(floats[k]);
    }
  }
}

template <typename C>
class LogitLoopsTest : public EveryIsaTest<C> {
 protected:
  using A = typename C::Type;

  // At most 0 after the subtraction of 3, and some so small that their exponential is 0.
  Values<A> Logits(int64_t count) {
    Values<A> logits(count);
    std::normal_distribution<A> normal(-10, 10);
    for (int64_t k = 0; k < count; ++k) {
      logits[k] =
          k % 9 == 4 ? -std::numeric_limits<A>::infinity() : std::min(normal(this->random_), A(3));
    }
    return logits;
  }

  const LogitLoops<A>& loops_ = LogitLoopsOf(C::kInstructionSet, A());
};

using LogitTypes = EveryIsaWith<float, double>;
TYPED_TEST_SUITE(LogitLoopsTest, LogitTypes, CompiledName);

constexpr int64_t kMostLogits = 40;

TYPED_TEST(LogitLoopsTest, ExpMinus) {
  using A = typename TestFixture::A;
  for (int64_t count = 0; count <= kMostLogits; ++count) {
    Values<A> z = this->Logits(count);
    Guarded<A> out(count);
    const A sum = this->loops_.exp_minus(z.data(), count, A(3), out.data());
    double expected_sum = 0;
    for (int64_t k = 0; k < count; ++k) {
      ASSERT_EQ(out[k], ExpNonPositive(z[k] - A(3))) << k << " of " << count;
      expected_sum += out[k];
    }
    ASSERT_NEAR(sum, expected_sum, 8 * std::numeric_limits<A>::epsilon() * expected_sum) << count;
    ASSERT_TRUE(out.GuardsAreIntact()) << count;
  }
}

TYPED_TEST(LogitLoopsTest, ScaledExpMinusInPlaceToo) {
  using A = typename TestFixture::A;
  for (int64_t count = 0; count <= kMostLogits; ++count) {
    Values<A> z = this->Logits(count);
    Guarded<A> out(count), in_place(count);
    std::copy_n(z.data(), count, in_place.data());
    this->loops_.scaled_exp_minus(z.data(), count, A(3), A(0.7), out.data());
    this->loops_.scaled_exp_minus(in_place.data(), count, A(3), A(0.7), in_place.data());
    for (int64_t k = 0; k < count; ++k) {
      const A expected = A(0.7) * ExpNonPositive(z[k] - A(3));
      ASSERT_EQ(out[k], expected) << k << " of " << count;
      ASSERT_EQ(in_place[k], expected) << k << " of " << count;
    }
    ASSERT_TRUE(out.GuardsAreIntact()) << count;
    ASSERT_TRUE(in_place.GuardsAreIntact()) << count;
  }
}

TYPED_TEST(LogitLoopsTest, SigmoidSoftplusInPlaceToo) {
  using A = typename TestFixture::A;
  for (int64_t count = 0; count <= kMostLogits; ++count) {
    Values<A> z = this->Logits(count);
    for (int64_t k = 0; k < count; k += 2) z[k] = -z[k];
    Guarded<A> out(count), in_place(count);
    std::copy_n(z.data(), count, in_place.data());
    const A sum = this->loops_.sigmoid_softplus(z.data(), count, out.data());
    const A sum_in_place = this->loops_.sigmoid_softplus(in_place.data(), count, in_place.data());
    double expected_sum = 0;
    for (int64_t k = 0; k < count; ++k) {
      ASSERT_EQ(out[k], Sigmoid(z[k])) << k << " of " << count;
      ASSERT_EQ(in_place[k], out[k]) << k << " of " << count;
      expected_sum += Softplus(z[k]);
    }
    if (std::isinf(expected_sum)) {
      ASSERT_EQ(sum, expected_sum) << count;
    } else {
      ASSERT_NEAR(sum, expected_sum, 8 * std::numeric_limits<A>::epsilon() * expected_sum) << count;
    }
    ASSERT_EQ(sum_in_place, sum) << count;
    ASSERT_TRUE(out.GuardsAreIntact()) << count;
    ASSERT_TRUE(in_place.GuardsAreIntact()) << count;
  }
}

TYPED_TEST(LogitLoopsTest, LargestAnywhere) {
  using A = typename TestFixture::A;
  const A infinity = std::numeric_limits<A>::infinity();
  EXPECT_EQ(this->loops_.largest(nullptr, 0), -infinity);
  for (int64_t count = 1; count <= 2 * kMostLogits; ++count) {
    for (int64_t at = 0; at < count; ++at) {
      for (const A largest : {A(-100), std::numeric_limits<A>::lowest(), infinity}) {
        Values<A> z(count);
        std::fill_n(z.data(), count, -infinity);
        z[at] = largest;
        EXPECT_EQ(this->loops_.largest(z.data(), count), largest) << at << " of " << count;
      }
    }
    Values<A> z = this->Logits(count);
    ASSERT_EQ(this->loops_.largest(z.data(), count), *std::max_element(z.data(), z.data() + count));
  }
}

TYPED_TEST(LogitLoopsTest, LargestLeavesNanOut) {
  using A = typename TestFixture::A;
  const A nan = std::numeric_limits<A>::quiet_NaN();
  for (int64_t at = 0; at < kMostLogits; ++at) {
    std::vector<A> z(kMostLogits);
    for (int64_t k = 0; k < kMostLogits; ++k) z[k] = static_cast<A>(k % 7);
    z[at] = nan;
    EXPECT_EQ(this->loops_.largest(z.data(), kMostLogits), A(6)) << at;
  }
  const std::vector<A> z(kMostLogits, nan);
  EXPECT_EQ(this->loops_.largest(z.data(), kMostLogits), -std::numeric_limits<A>::infinity());
}

TYPED_TEST(LogitLoopsTest, ScaleAndAddInPlaceToo) {
  using A = typename TestFixture::A;
  for (int64_t count = 0; count <= 2 * kMostLogits; ++count) {
    Values<A> in = this->Logits(count), before(count);
    for (int64_t k = 0; k < count; ++k) before[k] = static_cast<A>(k) - A(3.3);
    Guarded<A> out(count), in_place(count), sums(count), sums_in_place(count);
    std::copy_n(in.data(), count, in_place.data());
    std::copy_n(before.data(), count, sums.data());
    std::copy_n(before.data(), count, sums_in_place.data());
    this->loops_.scale_and_add(in.data(), A(-0.7), count, out.data(), sums.data());
    this->loops_.scale_and_add(in_place.data(), A(-0.7), count, in_place.data(),
                               sums_in_place.data());
    for (int64_t k = 0; k < count; ++k) {
      ASSERT_EQ(out[k], A(-0.7) * in[k]) << k << " of " << count;
      ASSERT_EQ(sums[k], before[k] + out[k]) << k << " of " << count;
      ASSERT_EQ(in_place[k], out[k]) << k << " of " << count;
      ASSERT_EQ(sums_in_place[k], sums[k]) << k << " of " << count;
    }
    for (const Guarded<A>* one : {&out, &in_place, &sums, &sums_in_place}) {
      ASSERT_TRUE(one->GuardsAreIntact()) << count;
    }
  }
}

TYPED_TEST(LogitLoopsTest, NanSpreadsToTheSum) {
  using A = typename TestFixture::A;
  const A nan = std::numeric_limits<A>::quiet_NaN();
  for (int64_t at = 0; at < 20; ++at) {
    std::vector<A> z(20, A(-1)), out(20);
    z[at] = nan;
    EXPECT_TRUE(std::isnan(this->loops_.exp_minus(z.data(), 20, A(0), out.data())));
    for (int64_t k = 0; k < 20; ++k) EXPECT_EQ(std::isnan(out[k]), k == at);
    EXPECT_TRUE(std::isnan(this->loops_.sigmoid_softplus(z.data(), 20, out.data())));
    for (int64_t k = 0; k < 20; ++k) EXPECT_EQ(std::isnan(out[k]), k == at);
    EXPECT_TRUE(std::isnan(this->loops_.exp_minus(z.data(), at, nan, out.data())) || at == 0);
  }
}

}  // namespace
}  // namespace candsamp
