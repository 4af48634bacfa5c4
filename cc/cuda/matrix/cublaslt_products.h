// SPDX-License-Identifier: Apache-2.0
// Products by cuBLASLt.
#ifndef TF_CANDSAMP_CC_CUDA_MATRIX_CUBLASLT_PRODUCTS_H_
#define TF_CANDSAMP_CC_CUDA_MATRIX_CUBLASLT_PRODUCTS_H_

#include <string>

#include "cc/cuda/matrix/cublaslt.h"
#include "cc/cuda/matrix/products.h"

namespace candsamp {

class CublasLtProducts : public MatrixProducts {
 public:
  // `tf32`: whether float factors may be rounded to TF32, by which tensor cores multiply them.
  explicit CublasLtProducts(bool tf32) : tf32_(tf32) {}

  int Multiply(DeviceRuntime& runtime, const MatrixProduct& product) override;

  // What went wrong after Multiply returned kFailed: a sentence for the user.
  static constexpr int kFailed = -1;
  const std::string& error() const { return error_; }

 private:
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // what NVIDIA recommends for Hopper

  int Fail(const std::string& what, int status);

  const bool tf32_;
  void* workspace_ = nullptr;
  std::string error_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_MATRIX_CUBLASLT_PRODUCTS_H_
