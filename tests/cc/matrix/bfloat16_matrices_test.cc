// SPDX-License-Identifier: Apache-2.0
// Products in bfloat16 against sums in double: with AVX512-BF16 and AMX if the machine has them,
// and with emulated AMX.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "cc/lib/core/half.h"
#include "cc/lib/core/instruction_set.h"
#include "cc/lib/matrix/matrix_loops.h"
#include "tests/cc/matrix/emulated_amx.h"

namespace candsamp {
namespace {

struct Release {
  void operator()(float* memory) const { ::operator delete(memory, std::align_val_t{64}); }
};
using Packed = std::unique_ptr<float[], Release>;

constexpr float kGuard = 12345.0f;

// Room for `size` values, all NaN, and a guard behind them.
Packed Allocate(int64_t size) {
  Packed packed(
      static_cast<float*>(::operator new((size + 1) * sizeof(float), std::align_val_t{64})));
  std::fill_n(packed.get(), size, std::numeric_limits<float>::quiet_NaN());
  packed[size] = kGuard;
  return packed;
}

float Rounded(float value) {
  Bfloat16 half;
  Narrow(value, &half);
  return Widen(half);
}

// A matrix in memory, perhaps transposed, with spare values after each row.
struct Matrix {
  Matrix(int64_t rows, int64_t columns, Layout layout, int64_t spare, std::mt19937* random)
      : transposed(layout == Layout::kTransposed),
        stride((transposed ? rows : columns) + spare),
        values((transposed ? columns : rows) * stride) {
    std::normal_distribution<float> normal;
    for (float& value : values) value = normal(*random);
  }

  double At(int64_t row, int64_t column) const {
    return Rounded(transposed ? values[column * stride + row] : values[row * stride + column]);
  }

  bool transposed;
  int64_t stride;
  std::vector<float> values;
};

void ExpectProduct(const MatrixLoops<float>& loops, int64_t m, int64_t k, int64_t n,
                   std::mt19937* random) {
  for (const Layout left_layout : {Layout::kRows, Layout::kTransposed}) {
    for (const Layout right_layout : {Layout::kRows, Layout::kTransposed}) {
      SCOPED_TRACE(testing::Message() << m << " x " << k << " x " << n << ", transposed "
                                      << (left_layout == Layout::kTransposed) << " and "
                                      << (right_layout == Layout::kTransposed));
      const int64_t spare = (*random)() % 4;
      const Matrix left(m, k, left_layout, spare, random), right(k, n, right_layout, spare, random);
      const int64_t left_size = loops.left_size(m, k), right_size = loops.right_size(k, n);
      const Packed packed_left = Allocate(left_size), packed_right = Allocate(right_size);
      loops.pack_left(left.values.data(), left.stride, left_layout, m, k, packed_left.get());
      loops.pack_right(right.values.data(), right.stride, right_layout, k, n, packed_right.get());
      ASSERT_EQ(packed_left[left_size], kGuard);
      ASSERT_EQ(packed_right[right_size], kGuard);
      const int64_t stride = n + spare;
      std::vector<float> c(m * stride, 0.5f);
      loops.multiply_add(packed_left.get(), packed_right.get(), m, k, n, c.data(), stride);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < stride; ++j) {
          double expected = 0.5, size = 0.5;
          for (int64_t p = 0; j < n && p < k; ++p) {
            const double product = left.At(i, p) * right.At(p, j);
            expected += product;
            size += std::fabs(product);
          }
          // Each of k + 1 sums in float is off by half a unit in the last place at most.
          const double bound = j < n ? (k + 1) * std::ldexp(size, -24) : 0;
          ASSERT_NEAR(c[i * stride + j], expected, bound) << "at " << i << ", " << j;
        }
      }
    }
  }
}

void ExpectProducts(const MatrixLoops<float>& loops) {
  std::mt19937 random(1);
  // Around the sizes of registers, panels and tiles.
  for (const int64_t m : {1, 7, 8, 9, 16, 17, 33, 128}) {
    for (const int64_t k : {0, 1, 2, 31, 32, 33, 65}) {
      for (const int64_t n : {1, 15, 16, 17, 47, 48, 49, 97})
        ExpectProduct(loops, m, k, n, &random);
    }
  }
}

TEST(Bfloat16MatricesTest, MultiplyWhatIsRounded) {
  if (ChosenInstructionSet() < InstructionSet::kAvx512Bf16) {
    GTEST_SKIP() << "This machine multiplies matrices in float only.";
  }
  ExpectProducts(ChosenBfloat16MatrixLoops());
}

TEST(Bfloat16MatricesTest, MultiplyWhatIsRoundedInEmulatedTiles) {
  if (ChosenInstructionSet() < InstructionSet::kAvx512Bf16) {
    GTEST_SKIP() << "The rest of the loops needs AVX512-BF16, which this machine has not.";
  }
  ExpectProducts(emulated_amx::kBfloat16Matrices);
}

TEST(Bfloat16MatricesTest, AreThoseOfFloatOnOtherMachines) {
  if (ChosenInstructionSet() >= InstructionSet::kAvx512Bf16) {
    GTEST_SKIP() << "This machine multiplies matrices in bfloat16.";
  }
  EXPECT_EQ(&ChosenBfloat16MatrixLoops(), &ChosenMatrixLoops<float>());
}

}  // namespace
}  // namespace candsamp
