// SPDX-License-Identifier: Apache-2.0
// The ops that score all classes on a GPU. Labels and excluded classes are not checked
// (docs/gpu.md); k and row splits are in the host's memory.
#include <string>
#include <vector>

#include "cc/cuda/core/copies.h"
#include "cc/cuda/exact/launchers.h"
#include "cc/kernels/exact/scoring_inputs.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/gpu/gpu_tables.h"
#include "cc/kernels/gpu/op_device_runtime.h"
#include "cc/kernels/gpu/op_products.h"
#include "cc/kernels/losses/sampled_loss_inputs.h"

namespace candsamp {
namespace {

// The tables and inputs of an op, on the device.
template <typename T, typename W>
absl::Status Score(OpKernelContext* context, DeviceRuntime& runtime,
                   const ScoringArguments<T, W>& in, const ScoringAttributes& attributes,
                   DeviceScoring<T, W>* scoring) {
  const LossArguments<W>& arguments = in.arguments();
  scoring->rows = in.rows();
  scoring->num_classes = in.num_classes();
  scoring->inputs = Data<T>(*arguments.inputs);
  scoring->options = attributes.options;
  TF_RETURN_IF_ERROR(
      DeviceTable(context, runtime, arguments.weights, in.num_classes(), &scoring->weights));
  return DeviceTable(context, runtime, arguments.biases, in.num_classes(), &scoring->biases);
}

absl::Status CheckLabelShape(const Tensor& labels, int64_t rows) {
  if (labels.dims() == 2 && labels.dim_size(0) == rows && labels.dim_size(1) >= 1) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("labels must have a row for each of inputs, ",
                                                 rows, ", and at least one column, got shape ",
                                                 labels.shape().DebugString()));
}

// Reads the optional argument `exclude`, whose row splits are in the host's memory.
absl::Status ReadDeviceExcluded(OpKernelContext* context, DeviceRuntime& runtime, int64_t rows,
                                DeviceExcluded* excluded) {
  RaggedIds ids = {nullptr, nullptr};
  TF_RETURN_IF_ERROR(ReadExcludedShapes(context, rows, &ids));
  *excluded = {};
  if (ids.values == nullptr) return absl::OkStatus();
  int64_t* splits;
  TF_RETURN_IF_ERROR(UploadNumbers(
      context, runtime, std::vector<int64_t>(ids.splits, ids.splits + rows + 1), &splits));
  *excluded = {ids.values, splits, ids.splits};
  return absl::OkStatus();
}

template <typename T, typename W>
class GpuFullSoftmaxLossOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit GpuFullSoftmaxLossOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, true));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    ScoringArguments<T, W> in;
    TF_RETURN_IF_ERROR(in.Open(context, attributes_));
    const Tensor* labels;
    TF_RETURN_IF_ERROR(context->input("labels", &labels));
    TF_RETURN_IF_ERROR(CheckLabelShape(*labels, in.rows()));
    DeviceFullSoftmax<T, W> f = {};
    TF_RETURN_IF_ERROR(Score(context, runtime, in, attributes_, &f.scoring));
    f.labels = Data<int64_t>(*labels);
    f.num_true = labels->dim_size(1);
    const TensorShape by_row({in.rows()});
    Tensor *loss, *max, *sum;
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context, {{"loss", by_row, &loss}, {"max", by_row, &max}, {"sum", by_row, &sum}}));
    f.loss = MutableData<A>(loss);
    f.max = MutableData<A>(max);
    f.sum = MutableData<A>(sum);
    OpProducts products;
    return products.StatusOf(LaunchFullSoftmax(runtime, products, f));
  }

  ScoringAttributes attributes_;
};

template <typename T, typename W>
class GpuFullSoftmaxLossGradOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit GpuFullSoftmaxLossGradOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, true));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    ScoringArguments<T, W> in;
    TF_RETURN_IF_ERROR(in.Open(context, attributes_));
    const Tensor *labels, *grad, *max, *sum;
    TF_RETURN_IF_ERROR(
        ReadInputs(context, {{"labels", &labels}, {"grad", &grad}, {"max", &max}, {"sum", &sum}}));
    TF_RETURN_IF_ERROR(CheckLabelShape(*labels, in.rows()));
    TF_RETURN_IF_ERROR(CheckShape("grad", *grad, {in.rows()}));
    TF_RETURN_IF_ERROR(CheckShape("max", *max, {in.rows()}));
    TF_RETURN_IF_ERROR(CheckShape("sum", *sum, {in.rows()}));
    DeviceFullSoftmaxBackward<T, W> b = {};
    TF_RETURN_IF_ERROR(Score(context, runtime, in, attributes_, &b.scoring));
    b.labels = Data<int64_t>(*labels);
    b.num_true = labels->dim_size(1);
    b.grad = Data<A>(*grad);
    b.max = Data<A>(*max);
    b.sum = Data<A>(*sum);
    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(
        context->allocate_output("inputs_grad", in.arguments().inputs->shape(), &inputs_grad));
    b.inputs_grad = MutableData<T>(inputs_grad);
    const int64_t depth = in.arguments().weights.depth();
    TF_RETURN_IF_ERROR(Place(context, runtime, "weights", in, depth, &b.weights_grad));
    TF_RETURN_IF_ERROR(Place(context, runtime, "biases", in, 1, &b.biases_grad));
    OpProducts products;
    TF_RETURN_IF_ERROR(products.StatusOf(LaunchFullSoftmaxBackward(runtime, products, b)));
    TF_RETURN_IF_ERROR(Deal(context, runtime, "weights", in.arguments().weights, in.num_classes(),
                            b.weights_grad));
    return Deal(context, runtime, "biases", in.arguments().biases, in.num_classes(), b.biases_grad);
  }

  // Where the gradients of a table's classes go: into its only shard, if it has no other rows.
  static absl::Status Place(OpKernelContext* context, DeviceRuntime& runtime,
                            const std::string& table, const ScoringArguments<T, W>& in,
                            int64_t depth, W** gradient) {
    OpInputList shards;
    OpOutputList outputs;
    TF_RETURN_IF_ERROR(context->input_list(table, &shards));
    TF_RETURN_IF_ERROR(context->output_list(table + "_grad", &outputs));
    *gradient = nullptr;
    if (shards.size() == 0) return absl::OkStatus();
    for (int k = 0; k < shards.size(); ++k) {
      Tensor* output;
      TF_RETURN_IF_ERROR(outputs.allocate(k, shards[k].shape(), &output));
      *gradient = MutableData<W>(output);
    }
    if (shards.size() > 1) *gradient = runtime.Allocate<W>(in.num_classes() * depth);
    return absl::OkStatus();
  }

  // Copies the gradients of classes to several shards, and clears rows that belong to no class.
  static absl::Status Deal(OpKernelContext* context, DeviceRuntime& runtime,
                           const std::string& table, const RowTable<W>& rows, int64_t num_classes,
                           const W* gradient) {
    OpOutputList outputs;
    TF_RETURN_IF_ERROR(context->output_list(table + "_grad", &outputs));
    const int64_t depth = rows.depth();
    for (int k = 0; k < outputs.size(); ++k) {
      // The class of each row of the shard; that of none has no row among the gradients.
      const int64_t size = rows.first_row()[k + 1] - rows.first_row()[k];
      std::vector<int64_t> classes(size);
      for (int64_t r = 0; r < size; ++r) {
        classes[r] = rows.partition() == Partition::kInTurn ? r * rows.shards() + k
                                                            : rows.first_row()[k] + r;
      }
      W* const to = MutableData<W>(outputs[k]);
      if (outputs.size() == 1) {
        const int64_t others = size - num_classes;
        if (others <= 0) continue;
        TF_RETURN_IF_ERROR(
            CudaStatus(ClearOnDevice(runtime.stream(), to + num_classes * depth,
                                     static_cast<size_t>(others * depth) * sizeof(W))));
        continue;
      }
      int64_t* uploaded;
      TF_RETURN_IF_ERROR(UploadNumbers(context, runtime, classes, &uploaded));
      TF_RETURN_IF_ERROR(CudaStatus(
          LaunchGatherRows(runtime, OneShard(gradient, num_classes, depth), uploaded, size, to)));
    }
    return absl::OkStatus();
  }

  ScoringAttributes attributes_;
};

template <typename T, typename W>
class GpuLabelRankOp : public StatusKernel {
 public:
  explicit GpuLabelRankOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, false));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    ScoringArguments<T, W> in;
    TF_RETURN_IF_ERROR(in.Open(context, attributes_));
    const Tensor* labels;
    TF_RETURN_IF_ERROR(context->input("labels", &labels));
    TF_RETURN_IF_ERROR(CheckLabelShape(*labels, in.rows()));
    DeviceRanking<T, W> r = {};
    TF_RETURN_IF_ERROR(Score(context, runtime, in, attributes_, &r.scoring));
    TF_RETURN_IF_ERROR(ReadDeviceExcluded(context, runtime, in.rows(), &r.excluded));
    r.labels = Data<int64_t>(*labels);
    r.num_true = labels->dim_size(1);
    Tensor* rank;
    TF_RETURN_IF_ERROR(context->allocate_output("rank", labels->shape(), &rank));
    r.ranks = MutableData<int64_t>(rank);
    OpProducts products;
    return products.StatusOf(LaunchLabelRanks(runtime, products, r));
  }

  ScoringAttributes attributes_;
};

template <typename T, typename W>
class GpuTopClassesOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit GpuTopClassesOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, true));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    ScoringArguments<T, W> in;
    TF_RETURN_IF_ERROR(in.Open(context, attributes_));
    DeviceTopClasses<T, W> t = {};
    TF_RETURN_IF_ERROR(Score(context, runtime, in, attributes_, &t.scoring));
    TF_RETURN_IF_ERROR(ReadDeviceExcluded(context, runtime, in.rows(), &t.excluded));
    TF_RETURN_IF_ERROR(ReadK(context, in.num_classes(), &t.k));
    Tensor *values, *indices;
    const TensorShape shape({in.rows(), t.k});
    TF_RETURN_IF_ERROR(
        AllocateOutputs(context, {{"values", shape, &values}, {"indices", shape, &indices}}));
    t.values = MutableData<A>(values);
    t.indices = MutableData<int64_t>(indices);
    OpProducts products;
    return products.StatusOf(LaunchTopClasses(runtime, products, t));
  }

  ScoringAttributes attributes_;
};

}  // namespace

#define CANDSAMP_GPU_RANK(name, T, W)                                     \
  CANDSAMP_DEVICE_BUILDER("Candsamp>" name, tensorflow::DEVICE_GPU, T, W) \
      .HostMemory("exclude_splits")
#define CANDSAMP_GPU_TOP(name, T, W) \
  CANDSAMP_GPU_BUILDER("Candsamp>" name, T, W).HostMemory("exclude_splits").HostMemory("k")

#define CANDSAMP_REGISTER(T, W)                                                                \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_BUILDER("Candsamp>FullSoftmaxLoss", T, W),              \
                          GpuFullSoftmaxLossOp<T, W>);                                         \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_BUILDER("Candsamp>FullSoftmaxLossGrad", T, W),          \
                          GpuFullSoftmaxLossGradOp<T, W>);                                     \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RANK("LabelRank", T, W), GpuLabelRankOp<T, W>);         \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_RANK("ResourceLabelRank", T, W), GpuLabelRankOp<T, W>); \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_TOP("TopClasses", T, W), GpuTopClassesOp<T, W>);        \
  REGISTER_KERNEL_BUILDER(CANDSAMP_GPU_TOP("ResourceTopClasses", T, W), GpuTopClassesOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
