// SPDX-License-Identifier: Apache-2.0
// The gradient of a class table as an op outputs it: tf.IndexedSlices of every shard.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_CLASS_TABLE_SLICES_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_CLASS_TABLE_SLICES_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// The slices of a table are three lists of outputs with one tensor for each shard:
//   prefix_indices: the rows of the shard that have a gradient,
//   prefix_values: these gradients,
//   prefix_shapes: the shape of the shard.
// A class's row depends on how many rows each shard has, which the input prefix_rows says.
class ClassTableSlices {
 public:
  // The depth of a table that is a vector.
  static constexpr int64_t kVector = -1;

  // Reads the input prefix_rows. `prefix` is "weight" or "bias".
  absl::Status Open(OpKernelContext* context, const std::string& prefix, int64_t depth,
                    Partition partition);

  int64_t shards() const { return static_cast<int64_t>(first_row_.size()) - 1; }

  // How many classes have a row.
  int64_t num_classes() const { return CountIds(first_row_, partition_); }

  // Deals out distinct classes to the shards, and outputs prefix_indices and prefix_shapes.
  // REQUIRES: 0 <= classes[k] < num_classes(), if there is any shard.
  absl::Status SetClasses(const int64_t* classes, int64_t size);

  // The parts of SetClasses, for a device whose memory the host cannot write: which classes are in
  // which shard, a shard's indices, and all shapes.
  void Deal(const int64_t* classes, int64_t size);
  absl::Status AllocateIndices(int64_t shard, int64_t** indices);
  absl::Status OutputShapes();

  struct Member {
    int64_t position;  // among the classes
    int64_t row;       // in the shard
  };
  // Those of a shard, if there are several.
  const std::vector<Member>& members(int64_t shard) const { return members_[shard]; }

  // How many of the classes are in a shard.
  int64_t size(int64_t shard) const {
    return shards() > 1 ? static_cast<int64_t>(members_[shard].size()) : size_;
  }

  // Allocates the output prefix_values of a shard.
  template <typename W>
  absl::Status AllocateValues(int64_t shard, W** values) {
    TensorShape shape({size(shard)});
    if (depth_ != kVector) shape.AddDim(depth_);
    Tensor* output;
    TF_RETURN_IF_ERROR(values_.allocate(static_cast<int>(shard), shape, &output));
    *values = MutableData<W>(output);
    return absl::OkStatus();
  }

  // Outputs the values of all shards, copied from one row for each class. REQUIRES: shards() > 1.
  template <typename W>
  absl::Status CopyValues(OpRuntime& runtime, const W* by_class) {
    const int64_t depth = depth_ == kVector ? 1 : depth_;
    for (int64_t shard = 0; shard < shards(); ++shard) {
      W* values;
      TF_RETURN_IF_ERROR(AllocateValues(shard, &values));
      const std::vector<Member>& members = members_[shard];
      runtime.ParallelFor(size(shard), depth, [&](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) {
          std::copy_n(by_class + members[k].position * depth, depth, values + k * depth);
        }
      });
    }
    return absl::OkStatus();
  }

 private:
  absl::Status OutputShape(int64_t shard);

  std::string prefix_;
  int64_t depth_ = kVector;
  Partition partition_ = Partition::kConsecutive;
  std::vector<int64_t> first_row_ = {0};  // of each shard, and the number of all rows
  OpOutputList indices_, values_, shapes_;
  int64_t size_ = 0;
  std::vector<std::vector<Member>> members_;  // of each shard, if there are several
};

// How many classes both tables have rows for. A table without shards does not count.
inline int64_t NumClasses(const ClassTableSlices& weights, const ClassTableSlices& biases) {
  return biases.shards() == 0 ? weights.num_classes()
                              : std::min(weights.num_classes(), biases.num_classes());
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_CLASS_TABLE_SLICES_H_
