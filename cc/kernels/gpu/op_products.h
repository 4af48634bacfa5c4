// SPDX-License-Identifier: Apache-2.0
// Products of matrices in an op that runs on a GPU.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_OP_PRODUCTS_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_OP_PRODUCTS_H_

#include "cc/cuda/matrix/cublaslt_products.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/kernels/gpu/cuda_stream.h"
#include "tensorflow/core/platform/tensor_float_32_utils.h"

namespace candsamp {

// The products of an op, as TensorFlow's own switch for TF32 says.
class OpProducts : public CublasLtProducts {
 public:
  OpProducts() : CublasLtProducts(tensorflow::tensor_float_32_execution_enabled()) {}

  absl::Status StatusOf(int error) const {
    if (error == kFailed) return absl::FailedPreconditionError(this->error());
    return CudaStatus(error);
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_OP_PRODUCTS_H_
