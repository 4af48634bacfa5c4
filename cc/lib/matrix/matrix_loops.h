// Products of blocks of matrices that were packed before, one table of functions per instruction
// set.
#ifndef TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_H_
#define TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_H_

#include <stdint.h>

namespace candsamp {

// How a block lies in memory: as it enters the product, row by row, or its transpose row by row.
enum class Layout { kRows, kTransposed };

// c += left * right for left [m, k] and right [k, n]. A block is packed once into an order that
// only the kernels know, and then takes part in many products. `stride` is the distance between
// the rows of what lies in memory. A: float or double, in which products are summed.
template <typename A>
struct MatrixLoops {
  // How many values of A the packed block needs. Packed blocks are 64-byte aligned.
  int64_t (*left_size)(int64_t m, int64_t k);
  int64_t (*right_size)(int64_t k, int64_t n);

  void (*pack_left)(const A* left, int64_t stride, Layout layout, int64_t m, int64_t k, A* packed);
  void (*pack_right)(const A* right, int64_t stride, Layout layout, int64_t k, int64_t n,
                     A* packed);
  // c: row by row.
  void (*multiply_add)(const A* left, const A* right, int64_t m, int64_t k, int64_t n, A* c,
                       int64_t stride);
};

template <typename A>
const MatrixLoops<A>& ChosenMatrixLoops();

// The same, but what is packed may be rounded to bfloat16 where the machine multiplies that faster.
const MatrixLoops<float>& ChosenBfloat16MatrixKernels();

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_H_
