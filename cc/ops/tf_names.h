// SPDX-License-Identifier: Apache-2.0
// The names of TensorFlow that every op and its shape function use.
#ifndef TF_CANDSAMP_CC_OPS_TF_NAMES_H_
#define TF_CANDSAMP_CC_OPS_TF_NAMES_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace candsamp {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_OPS_TF_NAMES_H_
