// SPDX-License-Identifier: Apache-2.0
// Forward kernels of the ragged losses.
#include <algorithm>

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/ragged_inputs.h"
#include "cc/lib/losses/ragged_backward.h"
#include "cc/lib/losses/ragged_forward.h"

namespace candsamp {
namespace {

// Outputs the rows of classes, which the gradient needs when a variable may have changed.
template <typename W>
absl::Status OutputRows(OpKernelContext* context, OpRuntime& runtime, const RowTable<W>& weights,
                        const int64_t* classes, int64_t count) {
  const int64_t depth = weights.depth();
  Tensor* rows;
  TF_RETURN_IF_ERROR(context->allocate_output("rows", TensorShape({count, depth}), &rows));
  W* out = MutableData<W>(rows);
  runtime.ParallelFor(count, depth, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      if (g + kRowsAhead < end) FetchRow(weights.Row(classes[g + kRowsAhead]), depth);
      std::copy_n(weights.Row(classes[g]), depth, out + g * depth);
    }
  });
  return absl::OkStatus();
}

template <typename T, typename W, LossKind kKind>
class RaggedLossOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit RaggedLossOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("remove_accidental_hits", &remove_accidental_hits_));
    OP_REQUIRES_OK(context, context->GetAttr("stats", &options_.stats));
    OP_REQUIRES_OK(context, ReadLogitOptions(context, &options_.logit));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    LossArguments<W> arguments;
    TF_RETURN_IF_ERROR(arguments.Open(context));
    const RowTable<W>& weights = arguments.weights;
    const RowTable<W>& biases = arguments.biases;
    const Tensor* inputs = arguments.inputs;

    RaggedBatch batch;
    batch.rows = inputs->dim_size(0);
    TF_RETURN_IF_ERROR(ReadLabels(context, &batch));
    TF_RETURN_IF_ERROR(ReadCandidates(context, &batch));
    TF_RETURN_IF_ERROR(
        ReadLogQ(context, "label_log_q", "labels", batch.labels, batch.rows, &batch.label_log_q));
    TF_RETURN_IF_ERROR(ReadLogQ(context, "candidate_log_q", "candidates", batch.candidates,
                                batch.rows, &batch.candidate_log_q));
    TF_RETURN_IF_ERROR(ToStatus(CheckClassIds("labels", batch.labels, batch.rows, weights.rows())));
    TF_RETURN_IF_ERROR(
        ToStatus(CheckClassIds("candidates", batch.candidates, batch.rows, weights.rows())));
    TF_RETURN_IF_ERROR(ToStatus(CheckLabelLogQ(batch.label_log_q, batch.labels, batch.rows)));
    TF_RETURN_IF_ERROR(
        ToStatus(CheckCandidateLogQ(batch.candidate_log_q, batch.candidates, batch.rows)));
    if (kKind == LossKind::kSoftmax) {
      TF_RETURN_IF_ERROR(ToStatus(CheckNoEmptyRow("labels", batch.labels, batch.rows)));
    }

    Tensor *loss, *label_logit_grad, *candidate_logit_grad, *unscaled_inputs_grad;
    Tensor *log_sum_exp, *label_is_top;
    const TensorShape of_stats({options_.stats ? batch.rows : 0});
    const TensorShape of_labels({batch.num_labels()}), of_candidates({batch.num_candidates()});
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context, {{"loss", TensorShape({batch.rows}), &loss},
                  {"log_sum_exp", of_stats, &log_sum_exp},
                  {"label_is_top", of_stats, &label_is_top},
                  {"label_logit_grad", of_labels, &label_logit_grad},
                  {"candidate_logit_grad", of_candidates, &candidate_logit_grad},
                  {"unscaled_inputs_grad", inputs->shape(), &unscaled_inputs_grad}}));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "weight_rows", weights));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "bias_rows", biases));

    RaggedLossForward(
        runtime, kKind, batch, Widened<T>(runtime, *inputs), weights, biases,
        remove_accidental_hits_,
        RaggedLossOutput<A>{MutableData<A>(loss), MutableData<A>(label_logit_grad),
                            MutableData<A>(candidate_logit_grad),
                            MutableData<A>(unscaled_inputs_grad), MutableData<A>(log_sum_exp),
                            MutableData<bool>(label_is_top)},
        options_);
    if (!options_.logit.normalize) return OutputRows(context, runtime, weights, nullptr, 0);
    const auto groups =
        GroupOccurrences<A>(runtime, batch, weights.rows(), Data<A>(*label_logit_grad),
                            Data<A>(*candidate_logit_grad), nullptr);
    return OutputRows(context, runtime, weights, groups.classes(), groups.size());
  }

  bool remove_accidental_hits_;
  LossOptions options_;
};

template <typename T, typename W>
class RaggedLogitsOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit RaggedLogitsOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, ReadLogitOptions(context, &options_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    LossArguments<W> arguments;
    TF_RETURN_IF_ERROR(arguments.Open(context));
    RaggedBatch batch = {};
    batch.rows = arguments.inputs->dim_size(0);
    TF_RETURN_IF_ERROR(ReadCandidates(context, &batch));
    TF_RETURN_IF_ERROR(ToStatus(
        CheckClassIds("candidates", batch.candidates, batch.rows, arguments.weights.rows())));

    Tensor *logits, *slopes;
    const bool capped = options_.softcap != 0;
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context, {{"logits", TensorShape({batch.num_candidates()}), &logits},
                  {"slopes", TensorShape({capped ? batch.num_candidates() : 0}), &slopes}}));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "weight_rows", arguments.weights));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "bias_rows", arguments.biases));
    NarrowedOutput<T> narrowed_logits(runtime, logits);
    RaggedLogits(runtime, batch, Widened<T>(runtime, *arguments.inputs), arguments.weights,
                 arguments.biases, narrowed_logits.values(), options_,
                 capped ? MutableData<A>(slopes) : nullptr);
    narrowed_logits.Store();
    return KeepRows(context, runtime, batch, arguments.weights, arguments.weights_in_variable());
  }

  // Keeps the rows of the candidates for the gradient, by the time of which a variable may have
  // changed.
  static absl::Status KeepRows(OpKernelContext* context, OpRuntime& runtime,
                               const RaggedBatch& batch, const RowTable<W>& weights, bool keep) {
    Tensor* row_ids;
    TF_RETURN_IF_ERROR(context->allocate_output(
        "row_ids", TensorShape({keep ? batch.num_candidates() : 0}), &row_ids));
    if (!keep) return OutputRows(context, runtime, weights, nullptr, 0);
    const auto groups = RankCandidates(runtime, batch.candidates.values, batch.num_candidates(),
                                       weights.rows(), MutableData<int64_t>(row_ids));
    return OutputRows(context, runtime, weights, groups.classes(), groups.size());
  }

  LogitOptions options_;
};

}  // namespace

#define CANDSAMP_REGISTER(T, W)                                                                  \
  CANDSAMP_REGISTER_LOSS(RaggedLossOp, "RaggedSampledSoftmaxLoss", "RaggedNceLoss", T, W)        \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>RaggedCandidateLogits", T, W),         \
                          RaggedLogitsOp<T, W>);                                                 \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>ResourceRaggedCandidateLogits", T, W), \
                          RaggedLogitsOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
