// SPDX-License-Identifier: Apache-2.0
// Products of matrices on a device, behind an interface: cuBLASLt's (cublaslt_products.h) there, and
// plain loops where threads of the host stand for a device (tests/cuda/host).
#ifndef TF_CANDSAMP_CC_CUDA_MATRIX_PRODUCTS_H_
#define TF_CANDSAMP_CC_CUDA_MATRIX_PRODUCTS_H_

#include "cc/cuda/core/device_runtime.h"
#include "cc/lib/core/half.h"

namespace candsamp {

// The type of both factors. Sums, and the product, are double for double, else float.
enum class FactorType { kFloat, kDouble, kBfloat16, kHalf };

template <typename T>
constexpr FactorType kFactorType = FactorType::kFloat;
template <>
constexpr FactorType kFactorType<double> = FactorType::kDouble;
template <>
constexpr FactorType kFactorType<Bfloat16> = FactorType::kBfloat16;
template <>
constexpr FactorType kFactorType<Half> = FactorType::kHalf;

// A matrix that lies row by row, `stride` values from one to the next. Where `transposed`, its
// columns are the rows of the factor.
struct Factor {
  const void* values;
  int64_t stride;
  bool transposed;
};

// product = alpha * left * right + (adds ? product : 0), [rows, columns]; left is [rows, inner] and
// right [inner, columns].
struct MatrixProduct {
  FactorType type;
  int64_t rows, columns, inner;
  Factor left, right;
  void* product;
  int64_t stride;  // of the product
  double alpha;
  bool adds;
};

class MatrixProducts {
 public:
  virtual ~MatrixProducts() = default;

  // Puts the product on the runtime's stream. Returns 0 or an error, see launch.h.
  virtual int Multiply(DeviceRuntime& runtime, const MatrixProduct& product) = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_MATRIX_PRODUCTS_H_
