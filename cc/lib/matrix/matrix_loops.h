// SPDX-License-Identifier: Apache-2.0
// Products of packed blocks of matrices: a struct of functions for each instruction set.
#ifndef TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_H_
#define TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_H_

#include <stdint.h>

namespace candsamp {

// How a block lies in memory: row by row as it enters the product, or its transpose row by row.
enum class Layout { kRows, kTransposed };

// c += left * right for left [m, k] and right [k, n]. The caller packs a block once, into an order
// that only the loops know, and then multiplies it many times. `stride` is the distance between
// rows in memory, in values. A is float or double, the type in which products are summed.
template <typename A>
struct MatrixLoops {
  // The size of a packed block in values of A. Packed blocks are 64-byte aligned.
  int64_t (*left_size)(int64_t m, int64_t k);
  int64_t (*right_size)(int64_t k, int64_t n);

  void (*pack_left)(const A* left, int64_t stride, Layout layout, int64_t m, int64_t k, A* packed);
  void (*pack_right)(const A* right, int64_t stride, Layout layout, int64_t k, int64_t n,
                     A* packed);
  // c lies row by row.
  void (*multiply_add)(const A* left, const A* right, int64_t m, int64_t k, int64_t n, A* c,
                       int64_t stride);
};

template <typename A>
const MatrixLoops<A>& ChosenMatrixLoops();

// The same, but packing rounds values to bfloat16 on machines that multiply bfloat16 faster.
const MatrixLoops<float>& ChosenBfloat16MatrixLoops();

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_H_
