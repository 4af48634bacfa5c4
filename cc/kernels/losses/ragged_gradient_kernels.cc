// SPDX-License-Identifier: Apache-2.0
// Backward kernels of the ragged losses: dense gradients of inputs, slices of the class tables.
#include "cc/kernels/framework/class_id_checks.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/losses/class_table_slices.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/ragged_inputs.h"
#include "cc/lib/logits/logit_option_loops.h"
#include "cc/lib/logits/unit_row_gradients.h"
#include "cc/lib/logits/unit_rows.h"
#include "cc/lib/losses/ragged_backward.h"

namespace candsamp {
namespace {

absl::Status CheckSize(const char* name, const Tensor& tensor, int64_t expected) {
  if (tensor.dims() == 1 && tensor.NumElements() == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " must have shape [", expected,
                                                 "], got shape ", tensor.shape().DebugString()));
}

// Outputs the values of a table's slices: sum(first, last, values) writes those of some of the
// groups. The groups of a shard are consecutive, since both are in the order of their classes.
template <typename W, typename Sum>
absl::Status OutputSums(ClassTableSlices* slices, Sum sum) {
  for (int64_t shard = 0, first = 0; shard < slices->shards(); ++shard) {
    W* values;
    TF_RETURN_IF_ERROR(slices->AllocateValues(shard, &values));
    const int64_t last = first + slices->size(shard);
    sum(first, last, values);
    first = last;
  }
  return absl::OkStatus();
}

// The row of each distinct class, in ascending order, in a table of these rows or of all classes.
template <typename W>
class RowsOfGroups {
 public:
  RowsOfGroups(const RowTable<W>& table, const int64_t* classes, int64_t count)
      : table_(table), classes_(table.rows() == count ? nullptr : classes), count_(count) {}

  bool Complete() const { return !classes_ || count_ == 0 || classes_[count_ - 1] < table_.rows(); }

  const W* Row(int64_t group) const { return table_.Row(classes_ ? classes_[group] : group); }

 private:
  const RowTable<W>& table_;
  const int64_t* classes_;  // nullptr: the table has the rows of the distinct classes alone
  int64_t count_;
};

// Outputs the slices of weights and biases: sums over the occurrences of each class. Without
// label_gradient only the candidates occur. `inputs` are scaled as the options say. If rows are
// divided by their norms, `rows` are those rows.
template <typename W>
absl::Status OutputSlices(OpKernelContext* context, OpRuntime& runtime, const RaggedBatch& batch,
                          const LogitOptions& options, const RowTable<W>& rows,
                          const Accumulator<W>* inputs, int64_t depth,
                          const Accumulator<W>* label_gradient,
                          const Accumulator<W>* candidate_gradient,
                          const Accumulator<W>* row_factor) {
  constexpr Partition kPartition = Partition::kConsecutive;
  ClassTableSlices weights, biases;
  TF_RETURN_IF_ERROR(weights.Open(context, "weight", depth, kPartition));
  TF_RETURN_IF_ERROR(biases.Open(context, "bias", ClassTableSlices::kVector, kPartition));
  const int64_t num_classes = NumClasses(weights, biases);
  if (label_gradient) {
    TF_RETURN_IF_ERROR(ToStatus(CheckClassIds("labels", batch.labels, batch.rows, num_classes)));
  }
  TF_RETURN_IF_ERROR(
      ToStatus(CheckClassIds("candidates", batch.candidates, batch.rows, num_classes)));
  const auto groups =
      GroupOccurrences(runtime, batch, num_classes, label_gradient, candidate_gradient, row_factor);
  TF_RETURN_IF_ERROR(weights.SetClasses(groups.classes(), groups.size()));
  const RowsOfGroups<W> rows_of_groups(rows, groups.classes(), groups.size());
  if (options.normalize && !rows_of_groups.Complete()) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows must hold the rows of ", groups.size(), " classes, got ", rows.rows()));
  }
  TF_RETURN_IF_ERROR(OutputSums<W>(&weights, [&](int64_t first, int64_t last, W* values) {
    if (!options.normalize) {
      return SumClassRows(runtime, groups, first, last, inputs, depth, values);
    }
    SumUnitClassRows<W>(
        runtime, groups, first, last, inputs, depth,
        [&](int64_t g) { return rows_of_groups.Row(g); }, values);
  }));
  TF_RETURN_IF_ERROR(biases.SetClasses(groups.classes(), groups.size()));
  return OutputSums<W>(&biases, [&](int64_t first, int64_t last, W* values) {
    SumClassBiases(runtime, groups, first, last, values);
  });
}

template <typename T, typename W>
class RaggedLossGradOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit RaggedLossGradOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, ReadLogitOptions(context, &options_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    const Tensor *grad, *inputs, *label_logit_grad, *candidate_logit_grad, *unscaled_inputs_grad;
    const Tensor* rows;
    TF_RETURN_IF_ERROR(ReadInputs(context, {{"grad", &grad},
                                            {"rows", &rows},
                                            {"inputs", &inputs},
                                            {"label_logit_grad", &label_logit_grad},
                                            {"candidate_logit_grad", &candidate_logit_grad},
                                            {"unscaled_inputs_grad", &unscaled_inputs_grad}}));
    if (inputs->dims() != 2 || unscaled_inputs_grad->shape() != inputs->shape()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "inputs and unscaled_inputs_grad must have one shape of rank 2, got ",
          inputs->shape().DebugString(), " and ", unscaled_inputs_grad->shape().DebugString()));
    }
    RaggedBatch batch = {};
    batch.rows = inputs->dim_size(0);
    const int64_t depth = inputs->dim_size(1);
    TF_RETURN_IF_ERROR(ReadLabels(context, &batch));
    TF_RETURN_IF_ERROR(ReadCandidates(context, &batch));
    TF_RETURN_IF_ERROR(CheckSize("grad", *grad, batch.rows));
    TF_RETURN_IF_ERROR(CheckSize("label_logit_grad", *label_logit_grad, batch.num_labels()));
    TF_RETURN_IF_ERROR(
        CheckSize("candidate_logit_grad", *candidate_logit_grad, batch.num_candidates()));

    if (rows->dims() != 2 || rows->dim_size(1) != depth) {
      return absl::InvalidArgumentError(
          absl::StrCat("rows must have shape [?, ", depth, "], got ", rows->shape().DebugString()));
    }
    RowTable<W> table(depth);
    table.AddShard(Data<W>(*rows), rows->dim_size(0));

    const A* row_factor = Data<A>(*grad);
    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(context->allocate_output("inputs_grad", inputs->shape(), &inputs_grad));
    const A* unscaled = Data<A>(*unscaled_inputs_grad);
    T* out = MutableData<T>(inputs_grad);
    runtime.ParallelFor(batch.rows, depth, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        ChosenRowLoops<T>().scale_and_narrow(unscaled + i * depth, row_factor[i], depth,
                                             out + i * depth);
      }
    });
    const ScaledInputs<A> scaled(runtime, options_, Widened<T>(runtime, *inputs), batch.rows,
                                 depth);
    return OutputSlices<W>(context, runtime, batch, options_, table, scaled.values(), depth,
                           Data<A>(*label_logit_grad), Data<A>(*candidate_logit_grad), row_factor);
  }

  LogitOptions options_;
};

template <typename T, typename W>
class RaggedLogitsGradOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit RaggedLogitsGradOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, ReadLogitOptions(context, &options_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    const Tensor *grad, *inputs, *row_ids, *slopes;
    OpInputList rows;
    TF_RETURN_IF_ERROR(ReadInputs(
        context,
        {{"grad", &grad}, {"inputs", &inputs}, {"row_ids", &row_ids}, {"slopes", &slopes}}));
    TF_RETURN_IF_ERROR(context->input_list("rows", &rows));
    if (inputs->dims() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("inputs must have rank 2, got shape ", inputs->shape().DebugString()));
    }
    RaggedBatch batch = {};
    batch.rows = inputs->dim_size(0);
    const int64_t depth = inputs->dim_size(1);
    TF_RETURN_IF_ERROR(ReadCandidates(context, &batch));
    TF_RETURN_IF_ERROR(CheckSize("grad", *grad, batch.num_candidates()));
    TF_RETURN_IF_ERROR(CheckSize("row_ids", *row_ids, batch.num_candidates()));
    RowTable<W> table(depth);
    for (const Tensor& shard : rows) {
      if (shard.dims() != 2 || shard.dim_size(1) != depth) {
        return absl::InvalidArgumentError(absl::StrCat("rows must have shape [?, ", depth,
                                                       "], got ", shard.shape().DebugString()));
      }
      table.AddShard(Data<W>(shard), shard.dim_size(0));
    }
    const RaggedIds ids = {Data<int64_t>(*row_ids), batch.candidates.splits};
    TF_RETURN_IF_ERROR(
        CheckClassIds("row_ids", *row_ids, {table.rows(), "", ", the rows of the kept weights"}));

    const ScaledInputs<A> scaled(runtime, options_, Widened<T>(runtime, *inputs), batch.rows,
                                 depth);
    const A* gradient = Widened<T>(runtime, *grad);
    if (options_.softcap != 0) {
      TF_RETURN_IF_ERROR(CheckSize("slopes", *slopes, batch.num_candidates()));
      gradient = Products(runtime, gradient, batch.num_candidates(),
                          [&](int64_t k) { return Data<A>(*slopes)[k]; });
    }
    const A* of_rows = gradient;
    if (options_.normalize) {
      of_rows = Products(runtime, gradient, batch.num_candidates(),
                         [&](int64_t k) { return InverseNorm(table.Row(ids.values[k]), depth); });
    }
    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(context->allocate_output("inputs_grad", inputs->shape(), &inputs_grad));
    NarrowedOutput<T> narrowed(runtime, inputs_grad);
    SumCandidateRows(runtime, ids, batch.rows, of_rows, table, narrowed.values());
    runtime.ParallelFor(batch.rows, depth, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        scaled.GradientOfInput(i, narrowed.values() + i * depth);
      }
    });
    narrowed.Store();
    return OutputSlices<W>(context, runtime, batch, options_, table, scaled.values(), depth,
                           nullptr, gradient, nullptr);
  }

  // gradient[k] * factor(k) for each candidate.
  template <typename Factor>
  static const A* Products(OpRuntime& runtime, const A* gradient, int64_t count, Factor factor) {
    A* products = runtime.Allocate<A>(count);
    runtime.ParallelFor(count, 64, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) products[k] = gradient[k] * factor(k);
    });
    return products;
  }

  LogitOptions options_;
};

}  // namespace

#define CANDSAMP_REGISTER(T, W)                                                              \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>RaggedLossGrad", T, W),            \
                          RaggedLossGradOp<T, W>);                                           \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>RaggedCandidateLogitsGrad", T, W), \
                          RaggedLogitsGradOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
