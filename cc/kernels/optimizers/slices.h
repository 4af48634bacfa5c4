// SPDX-License-Identifier: Apache-2.0
// The slices of a gradient among an op's inputs: `indices` and `gradient`.
#ifndef TF_CANDSAMP_CC_KERNELS_OPTIMIZERS_SLICES_H_
#define TF_CANDSAMP_CC_KERNELS_OPTIMIZERS_SLICES_H_

#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/rows/row_loops.h"

namespace candsamp {

struct Slices {
  const Tensor* indices;   // [N]
  const Tensor* gradient;  // [N, ...]

  int64_t size() const { return indices->NumElements(); }
};

// Reads the inputs, and checks that there is a gradient for each index.
absl::Status ReadSlices(OpKernelContext* context, Slices* slices);

// An error for a tensor that is not of the type of the arithmetic, A, or a half under float.
template <typename A>
absl::Status WrongType(const char* name, const Tensor& tensor) {
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must be of type ", tensorflow::DataTypeString(DataTypeOf<A>()),
                   DataTypeOf<A>() == tensorflow::DT_FLOAT ? ", bfloat16 or half" : "", ", got ",
                   tensorflow::DataTypeString(tensor.dtype())));
}

// The values of a tensor in the type of the arithmetic: in place if they have it, and halves as a
// copy in scratch memory. Fails for other types.
template <typename A>
absl::Status InTypeOfArithmetic(OpRuntime& runtime, const char* name, const Tensor& tensor,
                                const A** values) {
  if (tensor.dtype() == DataTypeOf<A>()) {
    *values = Data<A>(tensor);
    return absl::OkStatus();
  }
  const auto widened = [&](auto half) {
    using H = decltype(half);
    const H* const in = Data<H>(tensor);
    float* const out = runtime.Allocate<float>(tensor.NumElements());
    runtime.ParallelFor(tensor.NumElements(), 1, [&](int64_t begin, int64_t end) {
      ChosenRowLoops<H>().widen(in + begin, end - begin, out + begin);
    });
    return out;
  };
  if constexpr (DataTypeOf<A>() == tensorflow::DT_FLOAT) {
    if (tensor.dtype() == tensorflow::DT_BFLOAT16) {
      *values = widened(Bfloat16());
      return absl::OkStatus();
    }
    if (tensor.dtype() == tensorflow::DT_HALF) {
      *values = widened(Half());
      return absl::OkStatus();
    }
  }
  return WrongType<A>(name, tensor);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_OPTIMIZERS_SLICES_H_
