#include "cc/kernels/table_slices.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "cc/lib/class_groups.h"

namespace candsamp {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;

absl::Status ReadShardStarts(OpKernelContext* context, const std::string& name,
                             std::vector<int64_t>* starts) {
  const Tensor* rows;
  TF_RETURN_IF_ERROR(context->input(name, &rows));
  *starts = {0};
  for (int64_t k = 0; k < rows->NumElements(); ++k) {
    const int64_t count = rows->flat<int64_t>()(k);
    if (count < 0 || count > kMostClasses - starts->back()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " must be numbers of rows, got ", count));
    }
    starts->push_back(starts->back() + count);
  }
  return absl::OkStatus();
}

absl::Status WriteSliceShape(const std::string& prefix, int64_t rows, int64_t depth,
                             Tensor* shape) {
  const int64_t sizes[] = {rows, depth};
  for (int64_t d = 0; d < shape->NumElements(); ++d) {
    if (shape->dtype() == tensorflow::DT_INT64) {
      shape->vec<int64_t>()(d) = sizes[d];
    } else if (sizes[d] <= std::numeric_limits<int32_t>::max()) {
      shape->vec<int32_t>()(d) = static_cast<int32_t>(sizes[d]);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat(prefix, "_shapes of type int32 cannot hold ", sizes[d],
                       ": the table needs a static shape, or Tshape int64"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadPartition(tensorflow::OpKernelConstruction* context, Partition* partition) {
  std::string strategy;
  TF_RETURN_IF_ERROR(context->GetAttr("partition_strategy", &strategy));
  *partition = strategy == "mod" ? Partition::kInTurn : Partition::kConsecutive;
  return absl::OkStatus();
}

}  // namespace candsamp
