// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/losses/class_table_slices.h"

#include <limits>

#include "cc/lib/classes/class_groups.h"

namespace candsamp {
namespace {

// Reads how many rows each shard has, into the first row of each and the number of all.
absl::Status ReadFirstRows(OpKernelContext* context, const std::string& name,
                           std::vector<int64_t>* first_row) {
  const Tensor* rows;
  TF_RETURN_IF_ERROR(context->input(name, &rows));
  if (rows->dims() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " must be a vector, got shape ", rows->shape().DebugString()));
  }
  const int64_t* sizes = Data<int64_t>(*rows);
  *first_row = {0};
  for (int64_t k = 0; k < rows->NumElements(); ++k) {
    if (sizes[k] < 0 || sizes[k] > kMostClasses - first_row->back()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " must be numbers of rows, got ", sizes[k]));
    }
    first_row->push_back(first_row->back() + sizes[k]);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ClassTableSlices::Open(OpKernelContext* context, const std::string& prefix,
                                    int64_t depth, Partition partition) {
  prefix_ = prefix;
  depth_ = depth;
  partition_ = partition;
  TF_RETURN_IF_ERROR(ReadFirstRows(context, prefix + "_rows", &first_row_));
  TF_RETURN_IF_ERROR(context->output_list(prefix + "_indices", &indices_));
  TF_RETURN_IF_ERROR(context->output_list(prefix + "_values", &values_));
  TF_RETURN_IF_ERROR(context->output_list(prefix + "_shapes", &shapes_));
  if (indices_.size() == shards()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(prefix, "_rows must have ", indices_.size(), " values, got ", shards()));
}

absl::Status ClassTableSlices::SetClasses(const int64_t* classes, int64_t size) {
  Deal(classes, size);
  for (int64_t shard = 0; shard < shards(); ++shard) {
    int64_t* rows;
    TF_RETURN_IF_ERROR(AllocateIndices(shard, &rows));
    if (shards() == 1) {
      std::copy_n(classes, size, rows);
    } else {
      std::transform(members_[shard].begin(), members_[shard].end(), rows,
                     [](const Member& member) { return member.row; });
    }
  }
  return OutputShapes();
}

void ClassTableSlices::Deal(const int64_t* classes, int64_t size) {
  size_ = size;
  if (shards() <= 1) return;
  members_.assign(shards(), {});
  for (int64_t k = 0; k < size; ++k) {
    const ShardRow at = ShardRowOf(first_row_, partition_, classes[k]);
    members_[at.shard].push_back({k, at.row});
  }
}

absl::Status ClassTableSlices::AllocateIndices(int64_t shard, int64_t** indices) {
  Tensor* output;
  TF_RETURN_IF_ERROR(
      indices_.allocate(static_cast<int>(shard), TensorShape({size(shard)}), &output));
  *indices = MutableData<int64_t>(output);
  return absl::OkStatus();
}

absl::Status ClassTableSlices::OutputShapes() {
  for (int64_t shard = 0; shard < shards(); ++shard) TF_RETURN_IF_ERROR(OutputShape(shard));
  return absl::OkStatus();
}

absl::Status ClassTableSlices::OutputShape(int64_t shard) {
  const int64_t sizes[] = {first_row_[shard + 1] - first_row_[shard], depth_};
  const int rank = depth_ == kVector ? 1 : 2;
  Tensor* shape;
  TF_RETURN_IF_ERROR(shapes_.allocate(static_cast<int>(shard), TensorShape({rank}), &shape));
  for (int d = 0; d < rank; ++d) {
    if (shape->dtype() == tensorflow::DT_INT64) {
      MutableData<int64_t>(shape)[d] = sizes[d];
    } else if (sizes[d] <= std::numeric_limits<int32_t>::max()) {
      MutableData<int32_t>(shape)[d] = static_cast<int32_t>(sizes[d]);
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat(prefix_, "_shapes of type int32 cannot hold ", sizes[d],
                       ": the table needs a static shape, or Tshape int64"));
    }
  }
  return absl::OkStatus();
}

}  // namespace candsamp
