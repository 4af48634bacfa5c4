// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/framework/class_id_checks.h"

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"

namespace candsamp {

std::string PlaceIn(const Tensor& tensor, int64_t position) {
  return tensor.dims() == 2 ? absl::StrCat(" in row ", position / tensor.dim_size(1))
                            : absl::StrCat(" at position ", position);
}

absl::Status CheckClassIds(const char* name, const Tensor& ids, const ClassLimit& limit) {
  return ToStatus(CheckClassIds(name, Data<int64_t>(ids), ids.NumElements(), limit,
                                [&ids](int64_t position) { return PlaceIn(ids, position); }));
}

}  // namespace candsamp
