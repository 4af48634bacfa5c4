// SPDX-License-Identifier: Apache-2.0
// Inputs and outputs by name, tensors as plain pointers, and TensorFlow's types for cc/lib's
// element types.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_TENSOR_DATA_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_TENSOR_DATA_H_

#include <cstdint>
#include <initializer_list>
#include <utility>

#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/core/half.h"
#include "tensorflow/core/framework/types.h"

namespace candsamp {

template <typename T>
struct TfType {
  using type = T;
};
template <>
struct TfType<Bfloat16> {
  using type = tensorflow::bfloat16;
};
template <>
struct TfType<Half> {
  using type = Eigen::half;
};

template <typename T>
constexpr tensorflow::DataType DataTypeOf() {
  return tensorflow::DataTypeToEnum<typename TfType<T>::type>::value;
}

// REQUIRES: the tensor is of type T.
template <typename T>
const T* Data(const Tensor& tensor) {
  return static_cast<const T*>(tensor.data());
}

template <typename T>
T* MutableData(Tensor* tensor) {
  return static_cast<T*>(tensor->data());
}

// Finds inputs of an op by their names.
inline absl::Status ReadInputs(
    OpKernelContext* context,
    std::initializer_list<std::pair<const char*, const Tensor**>> inputs) {
  for (const auto& [name, tensor] : inputs) TF_RETURN_IF_ERROR(context->input(name, tensor));
  return absl::OkStatus();
}

struct NewOutput {
  const char* name;
  TensorShape shape;
  Tensor** tensor;
};

// Allocates outputs of an op by their names.
inline absl::Status AllocateOutputs(OpKernelContext* context,
                                    std::initializer_list<NewOutput> outputs) {
  for (const auto& [name, shape, tensor] : outputs) {
    TF_RETURN_IF_ERROR(context->allocate_output(name, shape, tensor));
  }
  return absl::OkStatus();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_TENSOR_DATA_H_
