// What the gradient ops of the losses share about the shards of a table.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_CLASS_TABLE_SLICES_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_CLASS_TABLE_SLICES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cc/lib/rows/row_table.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// The first row of each shard, and the number of all rows, of the table whose shards have as many
// rows as the input `name` says.
absl::Status ReadShardStarts(tensorflow::OpKernelContext* context, const std::string& name,
                             std::vector<int64_t>* starts);

// The dense shape of slices of a shard of `rows` rows, or of a vector if `depth` is -1, into an
// output prefix_shapes.
absl::Status WriteSliceShape(const std::string& prefix, int64_t rows, int64_t depth,
                             tensorflow::Tensor* shape);

// The attribute partition_strategy.
absl::Status ReadPartition(tensorflow::OpKernelConstruction* context, Partition* partition);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_CLASS_TABLE_SLICES_H_
