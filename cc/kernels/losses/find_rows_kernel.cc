// SPDX-License-Identifier: Apache-2.0
// The kernel that finds the rows of a table that lies elsewhere. It is given their numbers alone.
#include <algorithm>
#include <string>

#include "cc/kernels/framework/class_id_checks.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/losses/class_table.h"
#include "cc/lib/classes/class_groups.h"
#include "cc/lib/classes/sharded_rows.h"
#include "cc/lib/rows/table_shape.h"

namespace candsamp {
namespace {

class FindRowsOp : public StatusKernel {
 public:
  explicit FindRowsOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("names", &names_));
    OP_REQUIRES_OK(context, context->GetAttr("table", &table_));
    OP_REQUIRES_OK(context, context->GetAttr("num_classes", &num_classes_));
    OP_REQUIRES_OK(context, ReadPartition(context, &partition_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    tensorflow::OpInputList ids;
    const Tensor* shard_rows;
    TF_RETURN_IF_ERROR(context->input_list("ids", &ids));
    TF_RETURN_IF_ERROR(context->input("shard_rows", &shard_rows));
    std::vector<int64_t> first_row;
    TF_RETURN_IF_ERROR(ReadShards(*shard_rows, context->num_outputs() - ids.size(), &first_row));
    const int64_t classes = CountIds(first_row, partition_);
    if (classes < num_classes_) {
      return absl::InvalidArgumentError(
          absl::StrCat(table_, " must have a row for each of num_classes = ", num_classes_,
                       " classes, got shards of ", shard_rows->SummarizeValue(-1), " rows"));
    }
    const std::string reason = absl::StrCat(", the rows of ", table_);
    const ClassLimit limit = num_classes_ == kUnknownSize
                                 ? ClassLimit{classes, "", reason.c_str()}
                                 : ClassLimit{num_classes_, "num_classes = "};

    tensorflow::OpOutputList rows, places;
    TF_RETURN_IF_ERROR(context->output_list("rows", &rows));
    TF_RETURN_IF_ERROR(context->output_list("places", &places));
    std::vector<IdsAndPlaces> lists;
    for (int k = 0; k < ids.size(); ++k) {
      const std::string name = k < static_cast<int>(names_.size()) ? names_[k] : "ids";
      TF_RETURN_IF_ERROR(CheckClassIds(name.c_str(), ids[k], limit));
      Tensor* place;
      TF_RETURN_IF_ERROR(places.allocate(k, ids[k].shape(), &place));
      lists.push_back({Data<int64_t>(ids[k]), ids[k].NumElements(), MutableData<int64_t>(place)});
    }
    const ShardedRows found = FindRows(runtime, lists, first_row, partition_);
    for (int shard = 0; shard < rows.size(); ++shard) {
      const int64_t begin = found.first[shard], count = found.first[shard + 1] - begin;
      Tensor* of_shard;
      TF_RETURN_IF_ERROR(rows.allocate(shard, TensorShape({count}), &of_shard));
      std::copy_n(found.rows + begin, count, MutableData<int64_t>(of_shard));
    }
    return absl::OkStatus();
  }

  // Sums up how many rows the shards before each have.
  static absl::Status ReadShards(const Tensor& shard_rows, int shards,
                                 std::vector<int64_t>* first_row) {
    if (shard_rows.shape() != TensorShape({shards})) {
      return absl::InvalidArgumentError(absl::StrCat("shard_rows must have shape [", shards,
                                                     "], got ", shard_rows.shape().DebugString()));
    }
    first_row->assign(1, 0);
    for (int shard = 0; shard < shards; ++shard) {
      const int64_t rows = Data<int64_t>(shard_rows)[shard];
      if (rows < 0 || rows > kMostClasses) {
        return absl::InvalidArgumentError(
            absl::StrCat("shard_rows must be in [0, ", kMostClasses, "], got ", rows));
      }
      first_row->push_back(first_row->back() + rows);
    }
    return absl::OkStatus();
  }

  std::vector<std::string> names_;
  std::string table_;
  int64_t num_classes_;
  Partition partition_;
};

#define CANDSAMP_REGISTER(device)                       \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>FindRows")     \
                              .Device(device)           \
                              .HostMemory("ids")        \
                              .HostMemory("shard_rows") \
                              .HostMemory("rows")       \
                              .HostMemory("places"),    \
                          FindRowsOp)

CANDSAMP_REGISTER(tensorflow::DEVICE_CPU);
// The host does the work wherever the op is placed.
CANDSAMP_REGISTER(tensorflow::DEVICE_GPU);

}  // namespace
}  // namespace candsamp
