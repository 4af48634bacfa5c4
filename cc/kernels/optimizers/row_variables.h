// SPDX-License-Identifier: Apache-2.0
// The variables that an optimizer op updates: a table and its slots.
#ifndef TF_CANDSAMP_CC_KERNELS_OPTIMIZERS_ROW_VARIABLES_H_
#define TF_CANDSAMP_CC_KERNELS_OPTIMIZERS_ROW_VARIABLES_H_

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/optimizers/update_rows.h"

namespace candsamp {

// Holds the variables' locks, exclusive, as long as it lives. Each is locked once, in the order of
// their mutexes, as every op does that locks several.
//
// TensorFlow lets a reader of a variable keep the variable's own tensor (copy-on-write). So a
// tensor that anybody else refers to is replaced by a copy before rows of it are written. In
// copy_on_read_mode readers get copies, and nobody refers to it. The mode stays as it was: under
// an exclusive lock there is no other op that writes into the tensor, whatever the mode.
class RowVariables {
 public:
  // Looks up the variables in the inputs `names`, each a handle or a list of handles, and locks
  // them. The first is the table.
  absl::Status Open(OpKernelContext* context, const std::vector<std::string>& names);

  // Checks that the table is of type `table_type` and the slots of `slot_type`, and that all have
  // one shape, of rank 1 or more.
  absl::Status Check(tensorflow::DataType table_type, tensorflow::DataType slot_type) const;

  int64_t slots() const { return static_cast<int64_t>(variables_.size()) - 1; }
  const TensorShape& shape() const { return variables_[0].variable->tensor()->shape(); }

  // Gives each variable a tensor of its own, by copies where it must. If that fails, the values are
  // as before. REQUIRES: Check succeeded.
  using Copy = std::function<absl::Status(void* to, const void* from, size_t bytes)>;
  absl::Status MakeWritable(OpKernelContext* context, const Copy& copy);

  // REQUIRES: MakeWritable succeeded; slots() <= kMostSlots.
  template <typename W>
  OptimizedTable<W> Table() {
    OptimizedTable<W> table = {};
    table.values = MutableData<W>(variables_[0].variable->tensor());
    for (int64_t k = 0; k < slots(); ++k) {
      table.slots[k] = MutableData<Accumulator<W>>(variables_[k + 1].variable->tensor());
    }
    table.num_rows = shape().dim_size(0);
    table.depth = 1;
    for (int d = 1; d < shape().dims(); ++d) table.depth *= shape().dim_size(d);
    return table;
  }

 private:
  struct Named {
    std::string name;
    RefCountPtr<Var> variable;
  };

  std::vector<Named> variables_;
  std::vector<std::unique_lock<tensorflow::mutex>> locks_;  // released before the variables
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_OPTIMIZERS_ROW_VARIABLES_H_
