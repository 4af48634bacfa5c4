// SPDX-License-Identifier: Apache-2.0
// Matrix products with Eigen's block kernels, compiled once for each instruction set into namespace
// CANDSAMP_ISA.
//
// Eigen's own product packs its operands at each call. The losses pack a block once and use it many
// times, so this file calls the layer below that product: Eigen::internal's packing and its kernel.
// Eigen's matrices are column by column, so its left operand is the transpose of our right one.
//
// Eigen may change its internals. TensorFlow brings the version, 5.0.1-dev with TensorFlow 2.21.
// matrix_loops_test notices a change: it multiplies every tail, layout and stride, and checks that
// packing stays within left_size and right_size.
#include "cc/lib/matrix/matrix_loops_isa.h"

#include <stdint.h>

#include <Eigen/Core>

#if defined(EIGEN_VECTORIZE_AVX512) && EIGEN_USE_AVX512_GEMM_KERNELS
// Eigen's kernels for a scale other than 1 and for results with gaps are never called here: without
// these lines, compiling them takes half a minute.
namespace Eigen {
namespace internal {

#define CANDSAMP_UNUSED(T, rows, scale_is_1, no_gaps)                            \
  extern template void gemm_kern_avx512<T, rows, 8, scale_is_1, false, no_gaps>( \
      Index, Index, Index, T*, const T*, const T*, T*, Index, Index, Index, Index, Index, Index);
#define CANDSAMP_ALL_UNUSED(T, rows)    \
  CANDSAMP_UNUSED(T, rows, false, true) \
  CANDSAMP_UNUSED(T, rows, true, false) \
  CANDSAMP_UNUSED(T, rows, false, false)

CANDSAMP_ALL_UNUSED(float, 48)
CANDSAMP_ALL_UNUSED(double, 24)

#undef CANDSAMP_ALL_UNUSED
#undef CANDSAMP_UNUSED

}  // namespace internal
}  // namespace Eigen
#endif

namespace candsamp {
namespace CANDSAMP_ISA {
namespace {

namespace internal = Eigen::internal;

template <typename A>
struct Products {
  using Traits = internal::gebp_traits<A, A>;

  template <int kOrder>
  using Source = internal::const_blas_data_mapper<A, int64_t, kOrder>;
  using Result = internal::blas_data_mapper<A, int64_t, Eigen::ColMajor>;

  template <int kOrder>
  using PackLhs =
      internal::gemm_pack_lhs<A, int64_t, Source<kOrder>, Traits::mr, Traits::LhsProgress,
                              typename Traits::LhsPacket4Packing, kOrder>;
  template <int kOrder>
  using PackRhs = internal::gemm_pack_rhs<A, int64_t, Source<kOrder>, Traits::nr, kOrder>;
  using Kernel = internal::gebp_kernel<A, A, int64_t, Result, Traits::mr, Traits::nr>;

  static int64_t LeftSize(int64_t m, int64_t k) { return m * k; }
  static int64_t RightSize(int64_t k, int64_t n) { return k * n; }

  static void PackLeft(const A* left, int64_t stride, Layout layout, int64_t m, int64_t k,
                       A* packed) {
    if (k == 0) return;
    if (layout == Layout::kRows) {
      PackRhs<Eigen::ColMajor>()(packed, Source<Eigen::ColMajor>(left, stride), k, m);
    } else {
      PackRhs<Eigen::RowMajor>()(packed, Source<Eigen::RowMajor>(left, stride), k, m);
    }
  }

  static void PackRight(const A* right, int64_t stride, Layout layout, int64_t k, int64_t n,
                        A* packed) {
    if (k == 0) return;
    if (layout == Layout::kRows) {
      PackLhs<Eigen::ColMajor>()(packed, Source<Eigen::ColMajor>(right, stride), k, n);
    } else {
      PackLhs<Eigen::RowMajor>()(packed, Source<Eigen::RowMajor>(right, stride), k, n);
    }
  }

  static void MultiplyAdd(const A* left, const A* right, int64_t m, int64_t k, int64_t n, A* c,
                          int64_t stride) {
    if (k == 0) return;  // the kernel divides by k
    Kernel()(Result(c, stride), right, left, n, k, m, A(1));
  }

  static constexpr MatrixLoops<A> Make() {
    return {LeftSize, RightSize, PackLeft, PackRight, MultiplyAdd};
  }
};

}  // namespace

extern const MatrixLoops<float> kFloatMatrices = Products<float>::Make();
extern const MatrixLoops<double> kDoubleMatrices = Products<double>::Make();

}  // namespace CANDSAMP_ISA
}  // namespace candsamp
