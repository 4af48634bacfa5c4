// SPDX-License-Identifier: Apache-2.0
// The matrix loops of every instruction set that this machine has, against a plain loop.
#include "cc/lib/matrix/matrix_loops.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "cc/lib/matrix/matrix_loops_isa.h"
#include "tests/cc/testing/every_isa.h"
#include "tests/cc/testing/numbers.h"

namespace candsamp {
namespace {

// Around the sizes of register blocks: up to 3 vectors of 16 floats by 8 values, 8 steps at a time.
constexpr int64_t kRowCounts[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 16, 17, 23, 24, 25, 64};
constexpr int64_t kDepths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 64};
constexpr int64_t kColumnCounts[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  11, 12, 13,
                                     15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49, 50,
                                     55, 56, 57, 63, 64, 65, 71, 72, 73, 95, 96, 97, 101};
constexpr int64_t kMostRows = 64, kMostColumns = 101;
constexpr Layout kLayouts[] = {Layout::kRows, Layout::kTransposed};

// Memory before a protected page, so that accesses beyond the end crash.
template <typename A>
class BeforeGuardPage {
 public:
  explicit BeforeGuardPage(int64_t most_bytes) {
    const int64_t page = sysconf(_SC_PAGESIZE);
    bytes_ = (most_bytes + page - 1) / page * page;
    size_ = bytes_ + page;
    memory_ = static_cast<char*>(
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(memory_, MAP_FAILED);
    EXPECT_EQ(mprotect(memory_ + bytes_, page, PROT_NONE), 0);
  }
  ~BeforeGuardPage() { munmap(memory_, size_); }
  BeforeGuardPage(const BeforeGuardPage&) = delete;
  BeforeGuardPage& operator=(const BeforeGuardPage&) = delete;

  // The last `count` values before the page.
  A* Last(int64_t count) const { return reinterpret_cast<A*>(memory_ + bytes_) - count; }

 private:
  int64_t bytes_, size_;
  char* memory_;
};

// Bits that no product of these tests has.
template <typename A>
A Guard() {
  A guard;
  std::memset(&guard, 0xa5, sizeof guard);
  return guard;
}
template <typename A>
bool IsGuard(A value) {
  const A guard = Guard<A>();
  return std::memcmp(&value, &guard, sizeof value) == 0;
}

template <typename A>
struct Matrix {
  Matrix(int64_t rows, int64_t columns) : columns(columns), values(rows * columns) {}
  A& At(int64_t i, int64_t j) { return values[i * columns + j]; }
  A At(int64_t i, int64_t j) const { return values[i * columns + j]; }
  int64_t columns;
  std::vector<A> values;
};

// The first rows and columns of `from`, in that layout and with that stride. NaN lies between the
// rows, and the guard page behind the last one.
template <typename A>
const A* LayOut(const Matrix<A>& from, int64_t rows, int64_t columns, Layout layout, int64_t stride,
                const BeforeGuardPage<A>& memory) {
  const bool transposed = layout == Layout::kTransposed;
  if (transposed) std::swap(rows, columns);
  const int64_t count = rows == 0 ? 0 : (rows - 1) * stride + columns;
  A* out = memory.Last(count);
  std::fill_n(out, count, kNan<A>);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      out[i * stride + j] = transposed ? from.At(j, i) : from.At(i, j);
    }
  }
  return out;
}

template <typename C>
class MatrixLoopsTest : public EveryIsaTest<C> {
 protected:
  using A = typename C::Type;

  // Integers so small that sums of products are exact.
  Matrix<A> Integers(int64_t rows, int64_t columns) {
    std::uniform_int_distribution<int> integer(-128, 128);
    Matrix<A> matrix(rows, columns);
    for (A& value : matrix.values) value = static_cast<A>(integer(this->random_));
    return matrix;
  }

  Matrix<A> Reals(int64_t rows, int64_t columns) {
    std::normal_distribution<A> normal;
    Matrix<A> matrix(rows, columns);
    for (A& value : matrix.values) value = normal(this->random_);
    return matrix;
  }

  // Aligned memory of `count` values, with guards up to the protected page.
  static A* Packed(int64_t count, const BeforeGuardPage<A>& memory) {
    const int64_t line = 64 / sizeof(A);
    const int64_t whole = (count + line - 1) / line * line;
    A* packed = memory.Last(whole);
    std::fill_n(packed, whole, Guard<A>());
    return packed;
  }
  static bool GuardsAreIntact(int64_t count, const BeforeGuardPage<A>& memory) {
    const int64_t behind = -count & (64 / int64_t{sizeof(A)} - 1);
    return std::all_of(memory.Last(behind), memory.Last(0), IsGuard<A>);
  }

  const A* PackLeft(const Matrix<A>& left, int64_t m, int64_t k, Layout layout, int64_t more) {
    const int64_t stride = (layout == Layout::kRows ? k : m) + more;
    const A* in = LayOut(left, m, k, layout, stride, source_);
    const int64_t size = loops_.left_size(m, k);
    A* packed = Packed(size, left_);
    loops_.pack_left(in, stride, layout, m, k, packed);
    EXPECT_TRUE(GuardsAreIntact(size, left_)) << "left " << m << " by " << k;
    return packed;
  }
  const A* PackRight(const Matrix<A>& right, int64_t k, int64_t n, Layout layout, int64_t more) {
    const int64_t stride = (layout == Layout::kRows ? n : k) + more;
    const A* in = LayOut(right, k, n, layout, stride, source_);
    const int64_t size = loops_.right_size(k, n);
    A* packed = Packed(size, right_);
    loops_.pack_right(in, stride, layout, k, n, packed);
    EXPECT_TRUE(GuardsAreIntact(size, right_)) << "right " << k << " by " << n;
    return packed;
  }

  // Adds left * right to `initial`, and checks that nothing around the sum was written.
  Matrix<A> MultiplyAdd(const A* left, const A* right, int64_t m, int64_t k, int64_t n,
                        int64_t more, A initial) {
    constexpr int64_t kGuards = 32;
    const int64_t stride = n + more;
    const int64_t count = m == 0 ? 0 : (m - 1) * stride + n;
    A* c = result_.Last(count);
    std::fill_n(c - kGuards, kGuards + count, Guard<A>());
    for (int64_t i = 0; i < m; ++i) std::fill_n(c + i * stride, n, initial);
    loops_.multiply_add(left, right, m, k, n, c, stride);
    EXPECT_TRUE(std::all_of(c - kGuards, c, IsGuard<A>));
    Matrix<A> sum(m, n);
    for (int64_t i = 0; i < m; ++i) {
      std::copy_n(c + i * stride, n, sum.values.data() + i * n);
      if (i + 1 == m) break;
      EXPECT_TRUE(std::all_of(c + i * stride + n, c + (i + 1) * stride, IsGuard<A>));
    }
    return sum;
  }

  static const MatrixLoops<A>& Loops() {
    if constexpr (std::is_same_v<A, float>) {
      return CANDSAMP_ISA_TABLE(C::kInstructionSet, kFloatMatrices);
    } else {
      return CANDSAMP_ISA_TABLE(C::kInstructionSet, kDoubleMatrices);
    }
  }

  const MatrixLoops<A>& loops_ = Loops();
  const BeforeGuardPage<A> source_{1 << 20}, left_{1 << 20}, right_{1 << 20}, result_{1 << 18};
};

using Types = EveryIsaWith<float, double>;
TYPED_TEST_SUITE(MatrixLoopsTest, Types, CompiledName);

template <typename A>
Matrix<long double> Product(const Matrix<A>& left, const Matrix<A>& right) {
  const int64_t m = left.values.size() / std::max<int64_t>(left.columns, 1);
  Matrix<long double> product(m, right.columns);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t l = 0; l < left.columns; ++l) {
      for (int64_t j = 0; j < right.columns; ++j) {
        product.At(i, j) += static_cast<long double>(left.At(i, l)) * right.At(l, j);
      }
    }
  }
  return product;
}

// Every tail, layout and stride, added to a sum that is not zero.
TYPED_TEST(MatrixLoopsTest, MultiplyAddIsExactForIntegers) {
  using A = typename TestFixture::A;
  for (const int64_t k : kDepths) {
    const Matrix<A> left = this->Integers(kMostRows, k), right = this->Integers(k, kMostColumns);
    Matrix<long double> expected(kMostRows, kMostColumns);
    if (k > 0) expected = Product(left, right);
    for (const int64_t n : kColumnCounts) {
      for (const Layout right_layout : kLayouts) {
        for (const int64_t right_more : {0, 3}) {
          const A* packed_right = this->PackRight(right, k, n, right_layout, right_more);
          for (const int64_t m : kRowCounts) {
            const Layout left_layout = kLayouts[this->random_() % 2];
            const int64_t left_more = this->random_() % 2 * 3, more = this->random_() % 2 * 5;
            const A* packed_left = this->PackLeft(left, m, k, left_layout, left_more);
            const Matrix<A> sum =
                this->MultiplyAdd(packed_left, packed_right, m, k, n, more, A(1000));
            for (int64_t i = 0; i < m; ++i) {
              for (int64_t j = 0; j < n; ++j) {
                ASSERT_EQ(sum.At(i, j), 1000 + expected.At(i, j))
                    << i << ", " << j << " of " << m << " by " << k << " by " << n;
              }
            }
            ASSERT_FALSE(this->HasFailure()) << m << " by " << k << " by " << n;
          }
        }
      }
    }
  }
}

TYPED_TEST(MatrixLoopsTest, EveryLayoutOfEveryTailPacksTheSame) {
  using A = typename TestFixture::A;
  for (const int64_t k : kDepths) {
    for (const int64_t n : kColumnCounts) {
      const Matrix<A> left = this->Integers(n, k), right = this->Integers(k, n);
      const auto copy = [](const A* packed, int64_t size) {
        return std::vector<A>(packed, packed + size);
      };
      const auto expected_left =
          copy(this->PackLeft(left, n, k, Layout::kRows, 0), this->loops_.left_size(n, k));
      const auto expected_right =
          copy(this->PackRight(right, k, n, Layout::kRows, 0), this->loops_.right_size(k, n));
      for (const Layout layout : kLayouts) {
        for (const int64_t more : {0, 1, 7}) {
          EXPECT_EQ(copy(this->PackLeft(left, n, k, layout, more), this->loops_.left_size(n, k)),
                    expected_left)
              << n << " by " << k << ", " << more;
          EXPECT_EQ(copy(this->PackRight(right, k, n, layout, more), this->loops_.right_size(k, n)),
                    expected_right)
              << k << " by " << n << ", " << more;
        }
      }
    }
  }
}

TYPED_TEST(MatrixLoopsTest, MultiplyAddIsAccurate) {
  using A = typename TestFixture::A;
  for (const int64_t k : {1, 19, 300, 1500}) {
    const int64_t m = 37, n = 83;
    const Matrix<A> left = this->Reals(m, k), right = this->Reals(k, n);
    const Matrix<long double> expected = Product(left, right);
    Matrix<A> left_size = left, right_size = right;
    for (A& value : left_size.values) value = std::fabs(value);
    for (A& value : right_size.values) value = std::fabs(value);
    const Matrix<long double> size = Product(left_size, right_size);
    const Matrix<A> sum =
        this->MultiplyAdd(this->PackLeft(left, m, k, Layout::kRows, 0),
                          this->PackRight(right, k, n, Layout::kTransposed, 0), m, k, n, 0, A(0));
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        // Errors of both signs add up like the square root of the length.
        ASSERT_NEAR(sum.At(i, j), expected.At(i, j),
                    std::numeric_limits<A>::epsilon() * (1 + std::sqrt(k) / 4) * size.At(i, j))
            << i << ", " << j << " of depth " << k;
      }
    }
  }
}

TYPED_TEST(MatrixLoopsTest, PackedBlocksServeManyProducts) {
  using A = typename TestFixture::A;
  const int64_t m = 13, k = 21, n = 51;
  const Matrix<A> left = this->Integers(m, k), right = this->Integers(k, n);
  const Matrix<long double> product = Product(left, right);
  const A* packed_left = this->PackLeft(left, m, k, Layout::kTransposed, 0);
  const A* packed_right = this->PackRight(right, k, n, Layout::kRows, 0);
  std::vector<A> sum(m * n);
  for (int times = 1; times <= 4; ++times) {
    this->loops_.multiply_add(packed_left, packed_right, m, k, n, sum.data(), n);
    for (int64_t e = 0; e < m * n; ++e) ASSERT_EQ(sum[e], times * product.values[e]);
  }
}

// In the losses, a bad row of inputs must spoil no other.
TYPED_TEST(MatrixLoopsTest, NanStaysInItsRowAndColumn) {
  using A = typename TestFixture::A;
  for (const int64_t m : {1, 3, 4, 9, 13}) {
    for (const int64_t n : {1, 5, 16, 49, 63}) {
      const int64_t k = 11;
      for (const A bad : {kNan<A>, std::numeric_limits<A>::infinity()}) {
        for (int64_t at = 0; at < std::max(m, n); ++at) {
          Matrix<A> left = this->Integers(m, k), right = this->Integers(k, n);
          const int64_t row = at % m, column = at % n;
          for (A& value : left.values) value += A(0.5);
          left.At(row, at % k) = bad;
          for (A& value : right.values) value += A(0.5);
          right.At(at % k, column) = bad;
          const Matrix<A> sum =
              this->MultiplyAdd(this->PackLeft(left, m, k, Layout::kRows, 0),
                                this->PackRight(right, k, n, Layout::kRows, 0), m, k, n, 0, A(0));
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n; ++j) {
              ASSERT_EQ(std::isfinite(sum.At(i, j)), i != row && j != column)
                  << i << ", " << j << " of " << m << " by " << n << ", bad at " << at;
            }
          }
        }
      }
    }
  }
}

// The losses reserve room for their largest blocks, and keep a packed left block in a plain array.
TYPED_TEST(MatrixLoopsTest, SmallerBlocksFitWhereLargerOnesDo) {
  for (const int64_t k : kDepths) {
    for (const int64_t n : kColumnCounts) {
      EXPECT_LE(this->loops_.left_size(n, k), n * k);
      EXPECT_LE(this->loops_.right_size(k, n), this->loops_.right_size(k, n + 1));
      EXPECT_LE(this->loops_.right_size(k, n), this->loops_.right_size(k + 1, n));
    }
  }
}

}  // namespace
}  // namespace candsamp
