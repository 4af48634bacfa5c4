// Which matrix kernels go with which inputs.
#ifndef TF_CANDSAMP_CC_KERNELS_MATRIX_KERNELS_FOR_H_
#define TF_CANDSAMP_CC_KERNELS_MATRIX_KERNELS_FOR_H_

#include <type_traits>

#include "cc/lib/half.h"
#include "cc/lib/matrix_kernels.h"

namespace candsamp {

// Inputs in bfloat16 are what a user has who wants products in bfloat16, summed in float.
template <typename T, typename A>
const MatrixKernels<A>& MatrixKernelsFor() {
  if constexpr (std::is_same_v<T, Bfloat16>) {
    return ChosenBfloat16MatrixKernels();
  } else {
    return ChosenMatrixKernels<A>();
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_MATRIX_KERNELS_FOR_H_
