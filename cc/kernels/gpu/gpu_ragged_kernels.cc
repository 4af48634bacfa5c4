// SPDX-License-Identifier: Apache-2.0
// The ragged losses and the scores of candidates on a GPU. Row splits are in the host's memory,
// where they are checked and rows are cut into chunks; ids are not checked (docs/gpu.md).
#include <algorithm>
#include <vector>

#include "cc/cuda/losses/ragged_launchers.h"
#include "cc/cuda/optimizers/launchers.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/gpu/gpu_tables.h"
#include "cc/kernels/gpu/op_device_runtime.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/ragged_inputs.h"
#include "cc/kernels/losses/sampled_loss_inputs.h"

namespace candsamp {
namespace {

// The batch on the device. The splits of `batch` are in the host's memory, its ids in the device's.
absl::Status DeviceBatch(OpKernelContext* context, DeviceRuntime& runtime, const RaggedBatch& batch,
                         bool with_labels, DeviceRaggedBatch* device) {
  const int64_t size = batch.rows + 1;
  std::vector<int64_t> numbers(3 * size);
  int64_t* const first_chunks = numbers.data() + 2 * size;
  for (int64_t row = 0; row < batch.rows; ++row) {
    const int64_t labels = with_labels ? batch.labels.size(row) : 0;
    first_chunks[row + 1] = first_chunks[row] + ChunksOf(labels + batch.candidates.size(row));
  }
  if (with_labels) std::copy_n(batch.labels.splits, size, numbers.data());
  std::copy_n(batch.candidates.splits, size, numbers.data() + size);
  int64_t* uploaded;
  TF_RETURN_IF_ERROR(UploadNumbers(context, runtime, numbers, &uploaded));
  *device = {batch.rows,
             with_labels ? batch.num_labels() : 0,
             batch.num_candidates(),
             with_labels ? batch.labels.values : nullptr,
             batch.candidates.values,
             uploaded,
             uploaded + size,
             uploaded + 2 * size,
             first_chunks[batch.rows]};
  return absl::OkStatus();
}

// Outputs the rows of classes, [count, depth].
template <typename W>
absl::Status OutputRows(OpKernelContext* context, DeviceRuntime& runtime,
                        const DeviceRowTable<W>& weights, const int64_t* classes, int64_t count) {
  Tensor* rows;
  TF_RETURN_IF_ERROR(context->allocate_output("rows", TensorShape({count, weights.depth}), &rows));
  if (count == 0) return absl::OkStatus();
  return CudaStatus(LaunchGatherRows(runtime, weights, classes, count, MutableData<W>(rows)));
}

template <typename T, typename W, LossKind kKind>
class GpuRaggedLossOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit GpuRaggedLossOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("remove_accidental_hits", &remove_accidental_hits_));
    OP_REQUIRES_OK(context, context->GetAttr("stats", &options_.stats));
    OP_REQUIRES_OK(context, ReadLogitOptions(context, &options_.logit));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    LossArguments<W> arguments;
    TF_RETURN_IF_ERROR(arguments.Open(context));
    const Tensor& inputs = *arguments.inputs;
    const int64_t num_classes = arguments.weights.rows();
    RaggedBatch batch;
    batch.rows = inputs.dim_size(0);
    TF_RETURN_IF_ERROR(ReadLabels(context, &batch));
    TF_RETURN_IF_ERROR(ReadCandidates(context, &batch));
    TF_RETURN_IF_ERROR(
        ReadLogQ(context, "label_log_q", "labels", batch.labels, batch.rows, &batch.label_log_q));
    TF_RETURN_IF_ERROR(ReadLogQ(context, "candidate_log_q", "candidates", batch.candidates,
                                batch.rows, &batch.candidate_log_q));
    if (kKind == LossKind::kSoftmax) {
      TF_RETURN_IF_ERROR(ToStatus(CheckNoEmptyRow("labels", batch.labels, batch.rows)));
    }
    DeviceRaggedForward<T, W> f = {};
    TF_RETURN_IF_ERROR(DeviceBatch(context, runtime, batch, true, &f.batch));
    f.kind = kKind;
    f.remove_accidental_hits = remove_accidental_hits_;
    f.options = options_;
    f.depth = arguments.weights.depth();
    f.inputs = Data<T>(inputs);
    f.label_log_q = batch.label_log_q;
    f.candidate_log_q = batch.candidate_log_q;
    TF_RETURN_IF_ERROR(DeviceTable(context, runtime, arguments.weights, num_classes, &f.weights));
    TF_RETURN_IF_ERROR(DeviceTable(context, runtime, arguments.biases, num_classes, &f.biases));
    TF_RETURN_IF_ERROR(Outputs(context, inputs.shape(), &f));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "weight_rows", arguments.weights));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "bias_rows", arguments.biases));
    TF_RETURN_IF_ERROR(CudaStatus(LaunchRaggedForward(runtime, f)));
    return KeepRows(context, runtime, f, num_classes);
  }

  absl::Status Outputs(OpKernelContext* context, const TensorShape& of_inputs,
                       DeviceRaggedForward<T, W>* f) const {
    Tensor *loss, *label_logit_grad, *candidate_logit_grad, *unscaled_inputs_grad;
    Tensor *log_sum_exp, *label_is_top;
    const TensorShape of_stats({options_.stats ? f->batch.rows : 0});
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context,
        {{"loss", TensorShape({f->batch.rows}), &loss},
         {"log_sum_exp", of_stats, &log_sum_exp},
         {"label_is_top", of_stats, &label_is_top},
         {"label_logit_grad", TensorShape({f->batch.num_labels}), &label_logit_grad},
         {"candidate_logit_grad", TensorShape({f->batch.num_candidates}), &candidate_logit_grad},
         {"unscaled_inputs_grad", of_inputs, &unscaled_inputs_grad}}));
    f->loss = MutableData<A>(loss);
    f->log_sum_exp = MutableData<A>(log_sum_exp);
    f->label_is_top = MutableData<bool>(label_is_top);
    f->label_logit_grad = MutableData<A>(label_logit_grad);
    f->candidate_logit_grad = MutableData<A>(candidate_logit_grad);
    f->unscaled_inputs_grad = MutableData<A>(unscaled_inputs_grad);
    return absl::OkStatus();
  }

  // With `normalize` outputs the rows of distinct classes, and waits for their number.
  static absl::Status KeepRows(OpKernelContext* context, DeviceRuntime& runtime,
                               const DeviceRaggedForward<T, W>& f, int64_t num_classes) {
    if (!f.options.logit.normalize) return OutputRows(context, runtime, f.weights, nullptr, 0);
    const DeviceRaggedGradient<T, A> gradient = {
        f.batch, f.options.logit, f.depth, f.inputs, f.label_logit_grad, f.candidate_logit_grad,
        nullptr};
    RaggedClasses<A> classes;
    int64_t distinct = 0;
    TF_RETURN_IF_ERROR(
        CudaStatus(LaunchGroupRaggedClasses(runtime, gradient, num_classes, &classes, &distinct)));
    int64_t* const class_ids = runtime.Allocate<int64_t>(distinct);
    TF_RETURN_IF_ERROR(CudaStatus(LaunchRankIds(runtime, classes.groups, class_ids, nullptr)));
    return OutputRows(context, runtime, f.weights, class_ids, distinct);
  }

  bool remove_accidental_hits_;
  LossOptions options_;
};

template <typename T, typename W>
class GpuRaggedLogitsOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit GpuRaggedLogitsOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, ReadLogitOptions(context, &options_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    LossArguments<W> arguments;
    TF_RETURN_IF_ERROR(arguments.Open(context));
    const int64_t num_classes = arguments.weights.rows();
    RaggedBatch batch = {};
    batch.rows = arguments.inputs->dim_size(0);
    TF_RETURN_IF_ERROR(ReadCandidates(context, &batch));
    DeviceRaggedLogits<T, W> r = {};
    TF_RETURN_IF_ERROR(DeviceBatch(context, runtime, batch, false, &r.batch));
    r.options = options_;
    r.depth = arguments.weights.depth();
    r.inputs = Data<T>(*arguments.inputs);
    TF_RETURN_IF_ERROR(DeviceTable(context, runtime, arguments.weights, num_classes, &r.weights));
    TF_RETURN_IF_ERROR(DeviceTable(context, runtime, arguments.biases, num_classes, &r.biases));
    Tensor *logits, *slopes;
    const bool capped = options_.softcap != 0;
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context, {{"logits", TensorShape({r.batch.num_candidates}), &logits},
                  {"slopes", TensorShape({capped ? r.batch.num_candidates : 0}), &slopes}}));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "weight_rows", arguments.weights));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "bias_rows", arguments.biases));
    r.logits = MutableData<T>(logits);
    r.slopes = capped ? MutableData<A>(slopes) : nullptr;
    TF_RETURN_IF_ERROR(CudaStatus(LaunchRaggedLogits(runtime, r)));
    return KeepRows(context, runtime, r, num_classes, arguments.weights_in_variable());
  }

  // As on the CPU; waits for the number of rows.
  static absl::Status KeepRows(OpKernelContext* context, DeviceRuntime& runtime,
                               const DeviceRaggedLogits<T, W>& r, int64_t num_classes, bool keep) {
    Tensor* row_ids;
    TF_RETURN_IF_ERROR(context->allocate_output(
        "row_ids", TensorShape({keep ? r.batch.num_candidates : 0}), &row_ids));
    if (!keep) return OutputRows(context, runtime, r.weights, nullptr, 0);
    IdGroups groups;
    int64_t distinct = 0;
    TF_RETURN_IF_ERROR(CudaStatus(LaunchGroupRows(
        runtime, r.batch.candidates, r.batch.num_candidates, num_classes, &groups, &distinct)));
    int64_t* const classes = runtime.Allocate<int64_t>(distinct);
    TF_RETURN_IF_ERROR(
        CudaStatus(LaunchRankIds(runtime, groups, classes, MutableData<int64_t>(row_ids))));
    return OutputRows(context, runtime, r.weights, classes, distinct);
  }

  LogitOptions options_;
};

// Outputs the slices of weights and biases. `rows` are those that the forward op kept. Waits for
// the number of distinct classes.
template <typename T, typename W>
absl::Status OutputSlices(OpKernelContext* context, DeviceRuntime& runtime,
                          const DeviceRaggedGradient<T, Accumulator<W>>& gradient,
                          const DeviceRowTable<W>& rows) {
  constexpr Partition kPartition = Partition::kConsecutive;
  const int64_t depth = gradient.depth;
  ClassTableSlices weights, biases;
  TF_RETURN_IF_ERROR(weights.Open(context, "weight", depth, kPartition));
  TF_RETURN_IF_ERROR(biases.Open(context, "bias", ClassTableSlices::kVector, kPartition));
  const int64_t num_classes = NumClasses(weights, biases);
  RaggedClasses<Accumulator<W>> classes;
  RaggedClassGradients<W> out = {};
  TF_RETURN_IF_ERROR(CudaStatus(
      LaunchGroupRaggedClasses(runtime, gradient, num_classes, &classes, &out.distinct)));
  Tensor class_ids;
  TF_RETURN_IF_ERROR(
      context->allocate_temp(tensorflow::DT_INT64, TensorShape({out.distinct}), &class_ids));
  int64_t* const ids = MutableData<int64_t>(&class_ids);
  TF_RETURN_IF_ERROR(CudaStatus(LaunchRankIds(runtime, classes.groups, ids, nullptr)));
  TF_RETURN_IF_ERROR(SetDeviceClasses(context, runtime, class_ids, &weights));
  TF_RETURN_IF_ERROR(SetDeviceClasses(context, runtime, class_ids, &biases));
  if (weights.shards() == 1) {
    TF_RETURN_IF_ERROR(weights.AllocateValues(0, &out.rows));
  } else {
    out.rows = runtime.Allocate<W>(out.distinct * depth);
  }
  if (biases.shards() == 1) {
    TF_RETURN_IF_ERROR(biases.AllocateValues(0, &out.biases));
  } else if (biases.shards() > 1) {
    out.biases = runtime.Allocate<W>(out.distinct);
  }
  if (gradient.options.normalize) {
    if (rows.ids == out.distinct) {
      out.class_rows = rows.whole;
    } else {  // the table itself, whose rows are looked up
      W* const class_rows = runtime.Allocate<W>(out.distinct * depth);
      TF_RETURN_IF_ERROR(
          CudaStatus(LaunchGatherRows(runtime, rows, ids, out.distinct, class_rows)));
      out.class_rows = class_rows;
    }
  }
  TF_RETURN_IF_ERROR(CudaStatus(LaunchSumRaggedClasses<T, W>(runtime, gradient, classes, out)));
  if (weights.shards() > 1) {
    TF_RETURN_IF_ERROR(CopyDeviceValues(context, runtime, out.rows, out.distinct, depth, &weights));
  }
  if (biases.shards() > 1) {
    TF_RETURN_IF_ERROR(
        CopyDeviceValues(context, runtime, out.biases, out.distinct, int64_t{1}, &biases));
  }
  return absl::OkStatus();
}

template <typename T, typename W>
class GpuRaggedLossGradOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit GpuRaggedLossGradOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, ReadLogitOptions(context, &options_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    const Tensor *grad, *rows, *inputs, *label_logit_grad, *candidate_logit_grad, *unscaled;
    TF_RETURN_IF_ERROR(ReadInputs(context, {{"grad", &grad},
                                            {"rows", &rows},
                                            {"inputs", &inputs},
                                            {"label_logit_grad", &label_logit_grad},
                                            {"candidate_logit_grad", &candidate_logit_grad},
                                            {"unscaled_inputs_grad", &unscaled}}));
    if (inputs->dims() != 2 || unscaled->shape() != inputs->shape()) {
      return absl::InvalidArgumentError(
          absl::StrCat("inputs and unscaled_inputs_grad must have one shape of rank 2, got ",
                       inputs->shape().DebugString(), " and ", unscaled->shape().DebugString()));
    }
    RaggedBatch batch = {};
    batch.rows = inputs->dim_size(0);
    const int64_t depth = inputs->dim_size(1);
    TF_RETURN_IF_ERROR(ReadLabels(context, &batch));
    TF_RETURN_IF_ERROR(ReadCandidates(context, &batch));
    TF_RETURN_IF_ERROR(CheckShape("grad", *grad, {batch.rows}));
    TF_RETURN_IF_ERROR(CheckShape("label_logit_grad", *label_logit_grad, {batch.num_labels()}));
    TF_RETURN_IF_ERROR(
        CheckShape("candidate_logit_grad", *candidate_logit_grad, {batch.num_candidates()}));
    if (rows->dims() != 2 || rows->dim_size(1) != depth) {
      return absl::InvalidArgumentError(
          absl::StrCat("rows must have shape [?, ", depth, "], got ", rows->shape().DebugString()));
    }
    DeviceRaggedGradient<T, A> gradient = {};
    TF_RETURN_IF_ERROR(DeviceBatch(context, runtime, batch, true, &gradient.batch));
    gradient.options = options_;
    gradient.depth = depth;
    gradient.inputs = Data<T>(*inputs);
    gradient.label_gradient = Data<A>(*label_logit_grad);
    gradient.candidate_gradient = Data<A>(*candidate_logit_grad);
    gradient.row_factor = Data<A>(*grad);
    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(context->allocate_output("inputs_grad", inputs->shape(), &inputs_grad));
    TF_RETURN_IF_ERROR(
        CudaStatus(LaunchScaleByRow(runtime, Data<A>(*unscaled), Data<A>(*grad), batch.rows, depth,
                                    MutableData<T>(inputs_grad))));
    return OutputSlices<T, W>(context, runtime, gradient,
                              OneShard(Data<W>(*rows), rows->dim_size(0), depth));
  }

  LogitOptions options_;
};

template <typename T, typename W>
class GpuRaggedLogitsGradOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit GpuRaggedLogitsGradOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, ReadLogitOptions(context, &options_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
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
    TF_RETURN_IF_ERROR(CheckShape("grad", *grad, {batch.num_candidates()}));
    TF_RETURN_IF_ERROR(CheckShape("row_ids", *row_ids, {batch.num_candidates()}));
    RowTable<W> table(depth);
    for (const Tensor& shard : rows) {
      if (shard.dims() != 2 || shard.dim_size(1) != depth) {
        return absl::InvalidArgumentError(absl::StrCat("rows must have shape [?, ", depth,
                                                       "], got ", shard.shape().DebugString()));
      }
      table.AddShard(Data<W>(shard), shard.dim_size(0));
    }
    DeviceRaggedScoresBackward<T, W> b = {};
    TF_RETURN_IF_ERROR(DeviceBatch(context, runtime, batch, false, &b.batch));
    b.options = options_;
    b.grad = Data<T>(*grad);
    if (options_.softcap != 0) {
      TF_RETURN_IF_ERROR(CheckShape("slopes", *slopes, {batch.num_candidates()}));
      b.slopes = Data<A>(*slopes);
    }
    b.inputs = Data<T>(*inputs);
    TF_RETURN_IF_ERROR(DeviceTable(context, runtime, table, table.rows(), &b.rows));
    b.row_ids = Data<int64_t>(*row_ids);
    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(context->allocate_output("inputs_grad", inputs->shape(), &inputs_grad));
    b.inputs_grad = MutableData<T>(inputs_grad);
    b.gradient = runtime.Allocate<A>(batch.num_candidates());
    TF_RETURN_IF_ERROR(CudaStatus(LaunchRaggedScoresBackward(runtime, b)));
    DeviceRaggedGradient<T, A> gradient = {};
    gradient.batch = b.batch;
    gradient.options = options_;
    gradient.depth = depth;
    gradient.inputs = b.inputs;
    gradient.candidate_gradient = b.gradient;
    return OutputSlices<T, W>(context, runtime, gradient, b.rows);
  }

  LogitOptions options_;
};

}  // namespace

#define CANDSAMP_GPU_RAGGED(name, T, W)        \
  CANDSAMP_GPU_BUILDER("Candsamp>" name, T, W) \
      .HostMemory("candidate_splits")          \
      .HostMemory("weight_rows")               \
      .HostMemory("bias_rows")
#define CANDSAMP_GPU_RAGGED_LOSS(name, T, W) \
  CANDSAMP_GPU_RAGGED(name, T, W)            \
      .HostMemory("label_splits")            \
      .HostMemory("label_log_q_splits")      \
      .HostMemory("candidate_log_q_splits")

#define CANDSAMP_REGISTER(T, W)                                                               \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RAGGED_LOSS("RaggedSampledSoftmaxLoss", T, W),         \
                          GpuRaggedLossOp<T, W, LossKind::kSoftmax>);                         \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RAGGED_LOSS("ResourceRaggedSampledSoftmaxLoss", T, W), \
                          GpuRaggedLossOp<T, W, LossKind::kSoftmax>);                         \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RAGGED_LOSS("RaggedNceLoss", T, W),                    \
                          GpuRaggedLossOp<T, W, LossKind::kNce>);                             \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RAGGED_LOSS("ResourceRaggedNceLoss", T, W),            \
                          GpuRaggedLossOp<T, W, LossKind::kNce>);                             \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RAGGED("RaggedCandidateLogits", T, W),                 \
                          GpuRaggedLogitsOp<T, W>);                                           \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RAGGED("ResourceRaggedCandidateLogits", T, W),         \
                          GpuRaggedLogitsOp<T, W>);                                           \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RAGGED("RaggedLossGrad", T, W)                         \
                              .HostMemory("label_splits")                                     \
                              .HostMemory("weight_shapes")                                    \
                              .HostMemory("bias_shapes"),                                     \
                          GpuRaggedLossGradOp<T, W>);                                         \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RAGGED("RaggedCandidateLogitsGrad", T, W)              \
                              .HostMemory("weight_shapes")                                    \
                              .HostMemory("bias_shapes"),                                     \
                          GpuRaggedLogitsGradOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
