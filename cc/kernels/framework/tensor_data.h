// Maps cc/lib's element types to TensorFlow's, and tensors to plain pointers.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_TENSOR_DATA_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_TENSOR_DATA_H_

#include <cstdint>

#include "cc/lib/core/half.h"
#include "tensorflow/core/framework/tensor.h"
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
const T* Data(const tensorflow::Tensor& tensor) {
  return static_cast<const T*>(tensor.data());
}

template <typename T>
T* MutableData(tensorflow::Tensor* tensor) {
  return static_cast<T*>(tensor->data());
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_TENSOR_DATA_H_
