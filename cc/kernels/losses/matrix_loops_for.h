// Which matrix kernels go with which inputs.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_MATRIX_LOOPS_FOR_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_MATRIX_LOOPS_FOR_H_

#include <type_traits>

#include "cc/lib/core/half.h"
#include "cc/lib/matrix/matrix_loops.h"

namespace candsamp {

// Inputs in bfloat16 are what a user has who wants products in bfloat16, summed in float.
template <typename T, typename A>
const MatrixLoops<A>& MatrixLoopsFor() {
  if constexpr (std::is_same_v<T, Bfloat16>) {
    return ChosenBfloat16MatrixKernels();
  } else {
    return ChosenMatrixLoops<A>();
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_MATRIX_LOOPS_FOR_H_
