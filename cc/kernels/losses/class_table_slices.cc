#include "cc/kernels/losses/class_table_slices.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "cc/lib/classes/class_groups.h"

namespace candsamp {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;

absl::Status ReadShardStarts(OpKernelContext* context, const std::string& name,
                             std::vector<int64_t>* starts) {
  const Tensor* rows;
  TF_RETURN_IF_ERROR(context->input(name, &rows));
  if (rows->dims() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " must be a vector, got shape ", rows->shape().DebugString()));
  }
  const int64_t shards = rows->NumElements();
  const int64_t* counts = static_cast<const int64_t*>(rows->data());
  *starts = {0};
  for (int64_t k = 0; k < shards; ++k) {
    if (counts[k] < 0 || counts[k] > kMostClasses - starts->back()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " must be numbers of rows, got ", counts[k]));
    }
    starts->push_back(starts->back() + counts[k]);
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
