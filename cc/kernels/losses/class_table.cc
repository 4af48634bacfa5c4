// SPDX-License-Identifier: Apache-2.0
// Opens, locks and checks class tables.
#include "cc/kernels/losses/class_table.h"

#include <algorithm>

#include "cc/kernels/framework/lookup_variable.h"
#include "cc/lib/classes/class_groups.h"

namespace candsamp {

absl::Status ReadPartition(OpKernelConstruction* context, Partition* partition) {
  std::string strategy;
  TF_RETURN_IF_ERROR(context->GetAttr("partition_strategy", &strategy));
  *partition = strategy == "mod" ? Partition::kInTurn : Partition::kConsecutive;
  return absl::OkStatus();
}

void VariableLocks::Add(RefCountPtr<Var> variable) { variables_.push_back(std::move(variable)); }

void VariableLocks::Lock() {
  std::vector<tensorflow::mutex*> mutexes;
  for (const auto& variable : variables_) mutexes.push_back(variable->mu());
  std::sort(mutexes.begin(), mutexes.end());
  mutexes.erase(std::unique(mutexes.begin(), mutexes.end()), mutexes.end());
  for (tensorflow::mutex* mutex : mutexes) locks_.emplace_back(*mutex);
}

absl::Status ClassTable::Open(OpKernelContext* context, const std::string& name,
                              tensorflow::DataType type, VariableLocks* locks) {
  name_ = name;
  type_ = type;
  OpInputList list;
  TF_RETURN_IF_ERROR(context->input_list(name, &list));
  for (const Tensor& input : list) {
    if (input.dtype() != tensorflow::DT_RESOURCE) {
      shards_.push_back({&input, nullptr});
      continue;
    }
    if (input.NumElements() != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          NameOf(shards_.size()), " must be one variable, got ", input.NumElements(), " handles"));
    }
    RefCountPtr<Var> variable;
    TF_RETURN_IF_ERROR(LookupVariable(context, NameOf(shards_.size()),
                                      *Data<tensorflow::ResourceHandle>(input), &variable));
    has_variable_ = true;
    shards_.push_back({nullptr, variable.get()});
    locks->Add(std::move(variable));
  }
  return absl::OkStatus();
}

absl::Status ClassTable::Check(int rank) const {
  int64_t rows = 0;
  for (size_t k = 0; k < shards_.size(); ++k) {
    if (shards_[k].variable && !shards_[k].variable->is_initialized) {
      return absl::FailedPreconditionError(
          absl::StrCat(NameOf(k), " is a variable that is not initialized"));
    }
    const Tensor& tensor = shards_[k].tensor();
    if (tensor.dtype() != type_) {
      return absl::InvalidArgumentError(absl::StrCat(NameOf(k), " must be of type ",
                                                     tensorflow::DataTypeString(type_), ", got ",
                                                     tensorflow::DataTypeString(tensor.dtype())));
    }
    if (tensor.dims() != rank) {
      return absl::InvalidArgumentError(absl::StrCat(NameOf(k), " must have rank ", rank,
                                                     ", got shape ", tensor.shape().DebugString()));
    }
    const Tensor& first = shards_[0].tensor();
    if (rank == 2 && tensor.dim_size(1) != first.dim_size(1)) {
      return absl::InvalidArgumentError(
          absl::StrCat(NameOf(k), " must have the depth of the first shard, ", first.dim_size(1),
                       ", got shape ", tensor.shape().DebugString()));
    }
    if (tensor.dim_size(0) > kMostClasses - rows) {
      return absl::InvalidArgumentError(absl::StrCat(name_, " must have at most ", kMostClasses,
                                                     " rows, got shape ",
                                                     tensor.shape().DebugString()));
    }
    rows += tensor.dim_size(0);
  }
  return absl::OkStatus();
}

absl::Status ClassTable::CheckDealt(int64_t num_classes) const {
  const int64_t count = static_cast<int64_t>(shards_.size());
  for (int64_t k = 0; k < count; ++k) {
    const int64_t expected = RowsInTurn(num_classes, count, k);
    if (shards_[k].tensor().dim_size(0) < expected) {
      return absl::InvalidArgumentError(absl::StrCat(
          NameOf(k), " must have at least ", expected, " rows, its part of num_classes = ",
          num_classes, " that are dealt out in turn (partition_strategy 'mod'), got shape ",
          shards_[k].tensor().shape().DebugString()));
    }
  }
  return absl::OkStatus();
}

std::string ClassTable::NameOf(size_t shard) const {
  return shards_.size() > 1 ? absl::StrCat(name_, "[", shard, "]") : name_;
}

}  // namespace candsamp
