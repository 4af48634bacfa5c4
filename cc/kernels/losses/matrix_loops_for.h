// SPDX-License-Identifier: Apache-2.0
// Chooses the matrix products of a loss.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_MATRIX_LOOPS_FOR_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_MATRIX_LOOPS_FOR_H_

#include <type_traits>

#include "cc/lib/core/half.h"
#include "cc/lib/matrix/matrix_loops.h"

namespace candsamp {

// bfloat16 inputs select bfloat16 products with float sums, as TensorFlow's mixed precision does.
template <typename T, typename A>
const MatrixLoops<A>& MatrixLoopsFor() {
  if constexpr (std::is_same_v<T, Bfloat16>) {
    return ChosenBfloat16MatrixLoops();
  } else {
    return ChosenMatrixLoops<A>();
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_MATRIX_LOOPS_FOR_H_
