// SPDX-License-Identifier: Apache-2.0
// A class table among an op's inputs: dense tensors, or variables that are read in place.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_CLASS_TABLE_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_CLASS_TABLE_H_

#include <shared_mutex>
#include <string>
#include <vector>

#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// Reads the attribute partition_strategy.
absl::Status ReadPartition(OpKernelConstruction* context, Partition* partition);

// The variables that an op reads, locked together: each once, in the order of their mutexes, so
// that two ops with the same variables in another order do not wait for each other.
class VariableLocks {
 public:
  void Add(RefCountPtr<Var> variable);
  void Lock();

 private:
  std::vector<RefCountPtr<Var>> variables_;
  std::vector<std::shared_lock<tensorflow::mutex>> locks_;  // released before the variables
};

// The list input `name` of the kernel: shards of a matrix or of a vector.
class ClassTable {
 public:
  // Looks up the shards and hands variables to `locks`.
  absl::Status Open(OpKernelContext* context, const std::string& name, tensorflow::DataType type,
                    VariableLocks* locks);

  // Checks the type and the shape of each shard: rank 2, or 1 when the table is a vector.
  // REQUIRES: the locks are held, and stay held as long as the table is read.
  absl::Status Check(int rank) const;

  // Checks that each shard has a row for each of its classes, which are dealt out in turn.
  // REQUIRES: Check succeeded.
  absl::Status CheckDealt(int64_t num_classes) const;

  bool has_variable() const { return has_variable_; }

  // REQUIRES: Check succeeded.
  template <typename W>
  RowTable<W> Rows(Partition partition = Partition::kConsecutive) const {
    const int64_t depth =
        shards_.empty() || shards_[0].tensor().dims() < 2 ? 1 : shards_[0].tensor().dim_size(1);
    RowTable<W> table(depth, partition);
    for (const Shard& shard : shards_) {
      table.AddShard(Data<W>(shard.tensor()), shard.tensor().dim_size(0));
    }
    return table;
  }

 private:
  struct Shard {
    const Tensor* dense;  // or nullptr
    Var* variable;        // or nullptr; kept alive by the locks
    const Tensor& tensor() const { return dense ? *dense : *variable->tensor(); }
  };

  std::string NameOf(size_t shard) const;

  std::string name_;
  tensorflow::DataType type_ = tensorflow::DT_INVALID;
  bool has_variable_ = false;
  std::vector<Shard> shards_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_CLASS_TABLE_H_
