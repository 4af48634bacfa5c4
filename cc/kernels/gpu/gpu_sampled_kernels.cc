// SPDX-License-Identifier: Apache-2.0
// The dense losses on a GPU, forward and backward. What the host checks on the CPU by reading
// values is defined here instead (docs/gpu.md): a kernel does not wait for a check.
#include <algorithm>

#include "cc/cuda/losses/sampled_launchers.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/gpu/gpu_tables.h"
#include "cc/kernels/gpu/op_device_runtime.h"
#include "cc/kernels/gpu/op_products.h"
#include "cc/kernels/losses/hit_ids.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/sampled_loss_inputs.h"

namespace candsamp {
namespace {

// Slopes are kept in the type that products take, in a tensor of the losses' type whose first
// dimension is the number of columns: so the gradient's op knows it without asking the device.
template <typename T, typename A>
TensorShape ShapeOfSlopes(const SampledBatch& batch, bool keep) {
  if (!keep || batch.columns == 0) return TensorShape({batch.columns, 0});
  const int64_t bytes =
      batch.rows * StrideOf(batch.columns) * static_cast<int64_t>(sizeof(Operand<T>));
  const int64_t row = batch.columns * static_cast<int64_t>(sizeof(A));
  return TensorShape({batch.columns, (bytes + row - 1) / row});
}

template <typename A>
absl::Status ReadCounts(const char* name, const Tensor& counts, const char* of,
                        const Tensor& classes, DeviceCounts<A>* read) {
  read->counts = Data<A>(counts);
  read->columns = classes.dims() == 2 ? classes.dim_size(1) : 1;
  read->size = classes.NumElements();
  return CountStrides(name, counts, of, classes, read->strides);
}

template <typename T, typename W, LossKind kKind>
class GpuSampledLossOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit GpuSampledLossOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, kKind));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    LossArguments<W> arguments;
    TF_RETURN_IF_ERROR(
        arguments.OpenPadded(context, attributes_.partition, attributes_.num_classes));
    const int64_t num_classes = attributes_.LimitOf(arguments.classes()).value;
    const Tensor& inputs = *arguments.inputs;
    const Tensor *labels, *candidates, *true_counts, *sampled_counts;
    TF_RETURN_IF_ERROR(ReadInputs(context, {{"labels", &labels},
                                            {"sampled_candidates", &candidates},
                                            {"true_expected_count", &true_counts},
                                            {"sampled_expected_count", &sampled_counts}}));
    TF_RETURN_IF_ERROR(attributes_.CheckShapes(inputs.dim_size(0), *labels, *candidates));
    DeviceSampledForward<T, W> f = {};
    f.batch = attributes_.BatchOf(kKind, inputs.dim_size(0), candidates->NumElements());
    f.depth = arguments.weights.depth();
    f.inputs = Data<T>(inputs);
    TF_RETURN_IF_ERROR(DeviceTable(context, runtime, arguments.weights, num_classes, &f.weights));
    TF_RETURN_IF_ERROR(DeviceTable(context, runtime, arguments.biases, num_classes, &f.biases));
    TF_RETURN_IF_ERROR(ReadHitShapes(context, &f.batch));

    DeviceCounts<A> of_labels;
    TF_RETURN_IF_ERROR(
        ReadCounts("true_expected_count", *true_counts, "labels", *labels, &of_labels));
    A* const label_log_q = runtime.Allocate<A>(labels->NumElements());
    f.label_log_q = label_log_q;
    TF_RETURN_IF_ERROR(OutputOffsets(context, runtime, *candidates, *sampled_counts, &f));
    TF_RETURN_IF_ERROR(CudaStatus(LaunchLogCounts(runtime, of_labels, label_log_q)));
    TF_RETURN_IF_ERROR(OutputClasses(context, runtime, *labels, *candidates, num_classes, &f));
    TF_RETURN_IF_ERROR(Outputs(context, &f));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "weight_rows", arguments.weights));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "bias_rows", arguments.biases));
    OpProducts products;
    return products.StatusOf(LaunchSampledForward(runtime, products, f));
  }

  absl::Status OutputOffsets(OpKernelContext* context, DeviceRuntime& runtime,
                             const Tensor& candidates, const Tensor& counts,
                             DeviceSampledForward<T, W>* f) const {
    const bool capped = attributes_.options.logit.softcap != 0;
    Tensor *offsets, *biases;
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context,
        {{"sample_offsets", candidates.shape(), &offsets},
         {"sample_biases", TensorShape({capped ? candidates.NumElements() : 0}), &biases}}));
    DeviceOffsets<W> o = {};
    TF_RETURN_IF_ERROR(
        ReadCounts("sampled_expected_count", counts, "sampled_candidates", candidates, &o.counts));
    o.candidates = Data<int64_t>(candidates);
    o.biases = f->biases;
    o.offsets = MutableData<A>(offsets);
    o.biases_under_softcap = capped ? MutableData<A>(biases) : nullptr;
    f->sample_offsets = o.offsets;
    f->sample_biases = o.biases_under_softcap;
    return CudaStatus(LaunchOffsets(runtime, o));
  }

  // Outputs what belongs to classes and labels. Waits for the number of classes, which is a shape.
  absl::Status OutputClasses(OpKernelContext* context, DeviceRuntime& runtime, const Tensor& labels,
                             const Tensor& candidates, int64_t num_classes,
                             DeviceSampledForward<T, W>* f) const {
    Tensor *label_classes, *sample_columns, *label_logit_grad;
    TF_RETURN_IF_ERROR(
        AllocateOutputs(context, {{"label_classes", labels.shape(), &label_classes},
                                  {"sample_columns", candidates.shape(), &sample_columns},
                                  {"label_logit_grad", labels.shape(), &label_logit_grad}}));
    // Parts of what is allocated for as many classes as there could be.
    Tensor class_ids, class_rows;
    const int64_t most = candidates.NumElements() + labels.NumElements();
    TF_RETURN_IF_ERROR(
        context->allocate_temp(tensorflow::DT_INT64, TensorShape({most}), &class_ids));
    TF_RETURN_IF_ERROR(
        context->allocate_temp(DataTypeOf<W>(), TensorShape({most, f->depth}), &class_rows));
    f->ids = {Data<int64_t>(candidates), candidates.NumElements(), Data<int64_t>(labels),
              labels.NumElements(), num_classes};
    f->numbers = {MutableData<int64_t>(sample_columns), MutableData<int64_t>(label_classes),
                  MutableData<int64_t>(&class_ids)};
    f->batch.label_classes = Data<int64_t>(*label_classes);
    f->batch.sample_columns = Data<int64_t>(*sample_columns);
    f->class_rows = MutableData<W>(&class_rows);
    f->label_logit_grad = MutableData<A>(label_logit_grad);
    if (attributes_.options.logit.softcap != 0) {
      f->label_cap_slopes = runtime.Allocate<A>(labels.NumElements());
    }
    int64_t counts[2];
    TF_RETURN_IF_ERROR(CudaStatus(LaunchSampledClasses(runtime, *f, counts)));
    f->batch.columns = counts[0];
    f->batch.classes = counts[1];
    TF_RETURN_IF_ERROR(context->set_output("class_ids", class_ids.Slice(0, counts[1])));
    return context->set_output("class_rows", class_rows.Slice(0, counts[1]));
  }

  absl::Status Outputs(OpKernelContext* context, DeviceSampledForward<T, W>* f) const {
    const SampledBatch& batch = f->batch;
    Tensor *loss, *scales, *slopes, *log_sum_exp, *label_is_top;
    const TensorShape of_stats({batch.options.stats ? batch.rows : 0});
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context, {{"loss", TensorShape({batch.rows}), &loss},
                  {"scales", TensorShape({SegmentsOf(batch.columns), batch.rows}), &scales},
                  {"slopes", ShapeOfSlopes<T, A>(batch, !attributes_.recompute), &slopes},
                  {"log_sum_exp", of_stats, &log_sum_exp},
                  {"label_is_top", of_stats, &label_is_top}}));
    f->loss = MutableData<A>(loss);
    f->scales = MutableData<A>(scales);
    f->slopes =
        attributes_.recompute ? nullptr : reinterpret_cast<Operand<T>*>(MutableData<A>(slopes));
    f->log_sum_exp = MutableData<A>(log_sum_exp);
    f->label_is_top = MutableData<bool>(label_is_top);
    return absl::OkStatus();
  }

  SampledLossAttributes attributes_;
};

template <typename T, typename W>
class GpuSampledLossGradOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit GpuSampledLossGradOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    SampledGradInputs in;
    TF_RETURN_IF_ERROR(in.Read(context));
    DeviceSampledBackward<T, W> b = {};
    b.batch = in.BatchOf(attributes_);
    b.depth = in.depth();
    std::unique_ptr<Tensor> scratch;
    TF_RETURN_IF_ERROR(ReadSlopes(context, *in.slopes, &b, &scratch));
    TF_RETURN_IF_ERROR(in.CheckShapes(b.batch, SegmentsOf(b.batch.columns)));
    if (attributes_.recompute) TF_RETURN_IF_ERROR(ReadHitShapes(context, &b.batch));
    b.grad = Data<A>(*in.grad);
    b.inputs = Data<T>(*in.inputs);
    b.class_rows = Data<W>(*in.class_rows);
    b.sample_offsets = Data<A>(*in.sample_offsets);
    b.sample_biases = Data<A>(*in.sample_biases);
    b.label_logit_grad = Data<A>(*in.label_logit_grad);
    b.scales = Data<A>(*in.scales);

    ClassTableSlices weights, biases;
    TF_RETURN_IF_ERROR(weights.Open(context, "weight", in.depth(), attributes_.partition));
    TF_RETURN_IF_ERROR(
        biases.Open(context, "bias", ClassTableSlices::kVector, attributes_.partition));
    TF_RETURN_IF_ERROR(SetDeviceClasses(context, runtime, *in.class_ids, &weights));
    TF_RETURN_IF_ERROR(SetDeviceClasses(context, runtime, *in.class_ids, &biases));
    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(context->allocate_output("inputs_grad", in.inputs->shape(), &inputs_grad));
    b.inputs_grad = MutableData<T>(inputs_grad);
    TF_RETURN_IF_ERROR(PlaceRows(context, runtime, weights, *in.class_rows, &b.class_rows_grad));
    if (biases.shards() == 1) {
      TF_RETURN_IF_ERROR(biases.AllocateValues(0, &b.class_biases_grad));
    } else if (biases.shards() > 1) {
      b.class_biases_grad = runtime.Allocate<W>(b.batch.classes);
    }
    OpProducts products;
    TF_RETURN_IF_ERROR(products.StatusOf(LaunchSampledBackward(runtime, products, b)));
    if (weights.shards() > 1) {
      TF_RETURN_IF_ERROR(CopyDeviceValues(context, runtime, b.class_rows_grad, b.batch.classes,
                                          in.depth(), &weights));
    }
    if (biases.shards() > 1) {
      TF_RETURN_IF_ERROR(CopyDeviceValues(context, runtime, b.class_biases_grad, b.batch.classes,
                                          int64_t{1}, &biases));
    }
    return absl::OkStatus();
  }

  // Reads the number of columns and the slopes, which may be overwritten if nobody else holds them.
  absl::Status ReadSlopes(OpKernelContext* context, const Tensor& slopes,
                          DeviceSampledBackward<T, W>* b, std::unique_ptr<Tensor>* scratch) const {
    if (slopes.dims() != 2 || slopes.dim_size(0) > b->batch.num_sampled ||
        slopes.dim_size(0) > b->batch.classes) {
      return absl::InvalidArgumentError(
          absl::StrCat("slopes must be what the loss op kept on this device, got shape ",
                       slopes.shape().DebugString()));
    }
    b->batch.columns = slopes.dim_size(0);
    TF_RETURN_IF_ERROR(CheckShape(
        "slopes", slopes,
        {b->batch.columns, ShapeOfSlopes<T, A>(b->batch, !attributes_.recompute).dim_size(1)}));
    if (attributes_.recompute || b->batch.columns == 0) return absl::OkStatus();
    b->slopes = reinterpret_cast<const Operand<T>*>(Data<A>(slopes));
    int input, input_end;
    TF_RETURN_IF_ERROR(InputRange("slopes", &input, &input_end));
    *scratch = context->forward_input(input, OpKernelContext::Params::kNoReservation,
                                      slopes.dtype(), slopes.shape(), tensorflow::DEVICE_MEMORY,
                                      tensorflow::AllocatorAttributes());
    b->slopes_are_scratch = *scratch != nullptr;
    return absl::OkStatus();
  }

  // Memory for the gradients by class of weights, as on the CPU.
  absl::Status PlaceRows(OpKernelContext* context, DeviceRuntime& runtime,
                         const ClassTableSlices& weights, const Tensor& class_rows,
                         W** gradients) const {
    if (weights.shards() != 1) {
      *gradients = runtime.Allocate<W>(class_rows.NumElements());
      return absl::OkStatus();
    }
    int input, input_end, output, output_end;
    TF_RETURN_IF_ERROR(InputRange("class_rows", &input, &input_end));
    TF_RETURN_IF_ERROR(OutputRange("weight_values", &output, &output_end));
    Tensor* values;
    TF_RETURN_IF_ERROR(
        context->forward_input_or_allocate_output({input}, output, class_rows.shape(), &values));
    *gradients = MutableData<W>(values);
    return absl::OkStatus();
  }

  SampledGradAttributes attributes_;
};

}  // namespace

#define CANDSAMP_GPU_LOSS(name, T, W) \
  CANDSAMP_GPU_BUILDER("Candsamp>" name, T, W).HostMemory("weight_rows").HostMemory("bias_rows")

#define CANDSAMP_REGISTER(T, W)                                                  \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_LOSS("SampledSoftmaxLoss", T, W),         \
                          GpuSampledLossOp<T, W, LossKind::kSoftmax>);           \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_LOSS("ResourceSampledSoftmaxLoss", T, W), \
                          GpuSampledLossOp<T, W, LossKind::kSoftmax>);           \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_LOSS("NceLoss", T, W),                    \
                          GpuSampledLossOp<T, W, LossKind::kNce>);               \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_LOSS("ResourceNceLoss", T, W),            \
                          GpuSampledLossOp<T, W, LossKind::kNce>);               \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_LOSS("SampledLossGrad", T, W)             \
                              .HostMemory("weight_shapes")                       \
                              .HostMemory("bias_shapes"),                        \
                          GpuSampledLossGradOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
