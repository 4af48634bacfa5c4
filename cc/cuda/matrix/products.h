// SPDX-License-Identifier: Apache-2.0
// Products of matrices on a device, behind an interface: cuBLASLt's (cublaslt_products.h) there,
// and plain loops where threads of the host stand for a device (tests/cuda/host).
#ifndef TF_CANDSAMP_CC_CUDA_MATRIX_PRODUCTS_H_
#define TF_CANDSAMP_CC_CUDA_MATRIX_PRODUCTS_H_

#include <type_traits>

#include "cc/cuda/core/device_runtime.h"
#include "cc/lib/core/half.h"

namespace candsamp {

// The type of both factors. Sums, and the product, are double for double, else float. Floats of
// kTf32 may always be rounded to TF32, those of kFloat where the user allows it.
enum class FactorType { kFloat, kTf32, kDouble, kBfloat16 };

// What products take of inputs of type T. Gradients of halves would vanish in half: they are
// floats, rounded to TF32, which has all bits of a half and the range of float.
template <typename T>
struct OperandOf {
  using type = T;
  static constexpr FactorType kType = FactorType::kFloat;
};
template <>
struct OperandOf<double> {
  using type = double;
  static constexpr FactorType kType = FactorType::kDouble;
};
template <>
struct OperandOf<Bfloat16> {
  using type = Bfloat16;
  static constexpr FactorType kType = FactorType::kBfloat16;
};
template <>
struct OperandOf<Half> {
  using type = float;
  static constexpr FactorType kType = FactorType::kTf32;
};
template <typename T>
using Operand = typename OperandOf<T>::type;
template <typename T>
constexpr FactorType kFactorType = OperandOf<T>::kType;

// Whether a product of inputs of type T can be written as values of type W: as its sums or, where
// kIsNarrow, in the type of its factors.
template <typename W>
constexpr bool kIsNarrow = !std::is_same_v<W, Accumulator<W>>;
template <typename T, typename W>
constexpr bool kWritesProducts = !kIsNarrow<W> || std::is_same_v<W, Operand<T>>;

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
  bool narrow = false;  // whether it is written in the type of factors, each sum rounded once
};

class MatrixProducts {
 public:
  virtual ~MatrixProducts() = default;

  // Puts the product on the runtime's stream. Returns 0 or an error, see launch.h.
  virtual int Multiply(DeviceRuntime& runtime, const MatrixProduct& product) = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_MATRIX_PRODUCTS_H_
