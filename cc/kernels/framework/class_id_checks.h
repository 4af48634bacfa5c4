// SPDX-License-Identifier: Apache-2.0
// Checks tensors of class ids.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_CLASS_ID_CHECKS_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_CLASS_ID_CHECKS_H_

#include <string>

#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/classes/class_ids.h"

namespace candsamp {

// Describes the place of an element for an error message: a matrix's row, else the position.
std::string PlaceIn(const Tensor& tensor, int64_t position);

// Checks that every id of the argument `name` is below the limit and none is negative.
// REQUIRES: ids are int64, in the host's memory.
absl::Status CheckClassIds(const char* name, const Tensor& ids, const ClassLimit& limit);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_CLASS_ID_CHECKS_H_
