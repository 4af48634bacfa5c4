// SPDX-License-Identifier: Apache-2.0
// Kernels of the full softmax and its gradient.
#include <string>

#include "cc/kernels/exact/scoring_inputs.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/lib/exact/full_softmax.h"

namespace candsamp {
namespace {

template <typename T, typename W>
class FullSoftmaxLossOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit FullSoftmaxLossOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, true));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    ScoringArguments<T, W> in;
    TF_RETURN_IF_ERROR(in.Open(context, attributes_));
    const Tensor* labels;
    TF_RETURN_IF_ERROR(context->input("labels", &labels));
    TF_RETURN_IF_ERROR(CheckLabels(*labels, in.rows(), attributes_, in.num_classes()));
    const TensorShape by_row({in.rows()});
    Tensor *loss, *max, *sum;
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context, {{"loss", by_row, &loss}, {"max", by_row, &max}, {"sum", by_row, &sum}}));
    FullSoftmaxForward<W>(runtime, in.ForAll(runtime),
                          {Data<int64_t>(*labels), labels->dim_size(1)},
                          {MutableData<A>(loss), MutableData<A>(max), MutableData<A>(sum)});
    return absl::OkStatus();
  }

  ScoringAttributes attributes_;
};

template <typename T, typename W>
class FullSoftmaxLossGradOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit FullSoftmaxLossGradOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, true));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    ScoringArguments<T, W> in;
    TF_RETURN_IF_ERROR(in.Open(context, attributes_));
    const Tensor *labels, *grad, *max, *sum;
    TF_RETURN_IF_ERROR(
        ReadInputs(context, {{"labels", &labels}, {"grad", &grad}, {"max", &max}, {"sum", &sum}}));
    TF_RETURN_IF_ERROR(CheckLabels(*labels, in.rows(), attributes_, in.num_classes()));
    for (const auto& [name, tensor] : {std::pair("grad", grad), {"max", max}, {"sum", sum}}) {
      if (tensor->shape() == TensorShape({in.rows()})) continue;
      return absl::InvalidArgumentError(absl::StrCat(name, " must have shape [", in.rows(),
                                                     "], got ", tensor->shape().DebugString()));
    }
    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(
        context->allocate_output("inputs_grad", in.arguments().inputs->shape(), &inputs_grad));
    FullSoftmaxGradients<W> gradients = {nullptr, GradientTable<W>(attributes_.partition),
                                         GradientTable<W>(attributes_.partition)};
    TF_RETURN_IF_ERROR(Allocate(context, "weights", &gradients.weights));
    TF_RETURN_IF_ERROR(Allocate(context, "biases", &gradients.biases));
    NarrowedOutput<T> narrowed(runtime, inputs_grad);
    gradients.inputs = narrowed.values();
    FullSoftmaxBackward<W>(runtime, in.ForAll(runtime),
                           {Data<int64_t>(*labels), labels->dim_size(1)},
                           {Data<A>(*grad), Data<A>(*max), Data<A>(*sum)}, gradients);
    narrowed.Store();
    return absl::OkStatus();
  }

  // Allocates the gradient of a table, a tensor for each shard.
  static absl::Status Allocate(OpKernelContext* context, const std::string& table,
                               GradientTable<W>* gradient) {
    OpInputList shards;
    OpOutputList outputs;
    TF_RETURN_IF_ERROR(context->input_list(table, &shards));
    TF_RETURN_IF_ERROR(context->output_list(table + "_grad", &outputs));
    for (int k = 0; k < shards.size(); ++k) {
      Tensor* output;
      TF_RETURN_IF_ERROR(outputs.allocate(k, shards[k].shape(), &output));
      gradient->AddShard(MutableData<W>(output), output->dim_size(0));
    }
    return absl::OkStatus();
  }

  ScoringAttributes attributes_;
};

}  // namespace

#define CANDSAMP_REGISTER(T, W)                                                        \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>FullSoftmaxLoss", T, W),     \
                          FullSoftmaxLossOp<T, W>);                                    \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>FullSoftmaxLossGrad", T, W), \
                          FullSoftmaxLossGradOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
