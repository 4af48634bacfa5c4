// SPDX-License-Identifier: Apache-2.0
// The names of TensorFlow that most kernels use.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_TF_NAMES_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_TF_NAMES_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/tensor.h"

namespace candsamp {

using tensorflow::OpInputList;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::OpOutputList;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::Var;
using tensorflow::core::RefCountPtr;

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_TF_NAMES_H_
