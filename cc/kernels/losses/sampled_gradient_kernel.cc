// SPDX-License-Identifier: Apache-2.0
// The backward kernel of the losses whose rows share their candidates.
#include <initializer_list>
#include <string>

#include "cc/kernels/framework/class_id_checks.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/losses/class_table.h"
#include "cc/kernels/losses/class_table_slices.h"
#include "cc/kernels/losses/hit_ids.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/matrix_loops_for.h"
#include "cc/lib/losses/sampled_backward.h"

namespace candsamp {
namespace {

absl::Status CheckShape(const char* name, const Tensor& tensor,
                        std::initializer_list<int64_t> expected) {
  const TensorShape shape(expected);
  if (tensor.shape() == shape) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " must have shape ", shape.DebugString(),
                                                 ", got ", tensor.shape().DebugString()));
}

// Sets batch->columns, and checks that columns are numbered in the order of their occurrence.
absl::Status FindColumns(SampledBatch* batch) {
  for (int64_t k = 0; k < batch->num_sampled; ++k) {
    const int64_t column = batch->sample_columns[k];
    if (column < 0 || column > batch->columns || column >= batch->classes) {
      return absl::InvalidArgumentError(
          absl::StrCat("sample_columns must be numbers of classes as they first occur, got ",
                       column, " after ", batch->columns, " of ", batch->classes));
    }
    batch->columns += column == batch->columns;
  }
  return absl::OkStatus();
}

// The tensors that the op is given: what the forward pass kept, and the gradient of its losses.
struct GradientInputs {
  const Tensor *grad, *inputs, *class_ids, *class_rows, *label_classes, *sample_columns,
      *sample_offsets, *sample_biases, *label_logit_grad, *scales, *slopes;

  int64_t depth() const { return inputs->dim_size(1); }

  absl::Status Read(OpKernelContext* context) {
    TF_RETURN_IF_ERROR(ReadInputs(context, {{"grad", &grad},
                                            {"inputs", &inputs},
                                            {"class_ids", &class_ids},
                                            {"class_rows", &class_rows},
                                            {"label_classes", &label_classes},
                                            {"sample_columns", &sample_columns},
                                            {"sample_offsets", &sample_offsets},
                                            {"sample_biases", &sample_biases},
                                            {"label_logit_grad", &label_logit_grad},
                                            {"scales", &scales},
                                            {"slopes", &slopes}}));
    if (inputs->dims() == 2 && label_classes->dims() == 2) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("inputs and label_classes must have rank 2, got shapes ",
                     inputs->shape().DebugString(), " and ", label_classes->shape().DebugString()));
  }

  // Describes the batch, all of it but its kind.
  absl::Status Describe(SampledBatch* batch) const {
    batch->rows = inputs->dim_size(0);
    batch->num_true = label_classes->dim_size(1);
    batch->num_sampled = sample_columns->NumElements();
    batch->classes = class_ids->NumElements();
    batch->label_classes = Data<int64_t>(*label_classes);
    batch->sample_columns = Data<int64_t>(*sample_columns);
    TF_RETURN_IF_ERROR(CheckShape("label_classes", *label_classes, {batch->rows, batch->num_true}));
    TF_RETURN_IF_ERROR(CheckClassIds("label_classes", *label_classes,
                                     {batch->classes, "", ", the positions in class_ids"}));
    return FindColumns(batch);
  }

  absl::Status CheckShapes(const SampledBatch& batch, bool with_slopes) const {
    TF_RETURN_IF_ERROR(CheckShape("grad", *grad, {batch.rows}));
    TF_RETURN_IF_ERROR(CheckShape("class_ids", *class_ids, {batch.classes}));
    TF_RETURN_IF_ERROR(CheckShape("class_rows", *class_rows, {batch.classes, depth()}));
    TF_RETURN_IF_ERROR(CheckShape("sample_columns", *sample_columns, {batch.num_sampled}));
    TF_RETURN_IF_ERROR(CheckShape("sample_offsets", *sample_offsets, {batch.num_sampled}));
    if (batch.options.logit.softcap != 0) {
      TF_RETURN_IF_ERROR(CheckShape("sample_biases", *sample_biases, {batch.num_sampled}));
    }
    TF_RETURN_IF_ERROR(
        CheckShape("label_logit_grad", *label_logit_grad, {batch.rows, batch.num_true}));
    TF_RETURN_IF_ERROR(
        CheckShape("scales", *scales, {ColumnBlocks(batch.columns).count(), batch.rows}));
    if (!with_slopes) return absl::OkStatus();
    return CheckShape("slopes", *slopes, {batch.rows, batch.columns});
  }
};

template <typename T, typename W>
class SampledLossGradOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit SampledLossGradOp(OpKernelConstruction* context) : StatusKernel(context) {
    std::string loss;
    OP_REQUIRES_OK(context, context->GetAttr("loss", &loss));
    kind_ = loss == "nce" ? LossKind::kNce : LossKind::kSoftmax;
    OP_REQUIRES_OK(context, context->GetAttr("remove_accidental_hits", &remove_accidental_hits_));
    OP_REQUIRES_OK(context, context->GetAttr("recompute", &recompute_));
    OP_REQUIRES_OK(context, ReadPartition(context, &partition_));
    OP_REQUIRES_OK(context, ReadLogitOptions(context, &options_.logit));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    GradientInputs in;
    TF_RETURN_IF_ERROR(in.Read(context));
    SampledBatch batch = {};
    batch.kind = kind_;
    batch.remove_accidental_hits = remove_accidental_hits_;
    batch.options = options_;
    TF_RETURN_IF_ERROR(in.Describe(&batch));
    TF_RETURN_IF_ERROR(in.CheckShapes(batch, !recompute_));
    // Slopes that were kept are those of candidates that are no hits.
    if (recompute_) TF_RETURN_IF_ERROR(ReadHitIds(context, runtime, &batch));

    ClassTableSlices weights, biases;
    TF_RETURN_IF_ERROR(weights.Open(context, "weight", in.depth(), partition_));
    TF_RETURN_IF_ERROR(biases.Open(context, "bias", ClassTableSlices::kVector, partition_));
    TF_RETURN_IF_ERROR(CheckClassIds(
        "class_ids", *in.class_ids,
        {NumClasses(weights, biases), "", ", the classes with rows by weight_rows and bias_rows"}));
    TF_RETURN_IF_ERROR(weights.SetClasses(Data<int64_t>(*in.class_ids), batch.classes));
    TF_RETURN_IF_ERROR(biases.SetClasses(Data<int64_t>(*in.class_ids), batch.classes));

    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(context->allocate_output("inputs_grad", in.inputs->shape(), &inputs_grad));
    W *class_rows_grad, *class_biases_grad;
    TF_RETURN_IF_ERROR(PlaceRows(context, runtime, weights, *in.class_rows, &class_rows_grad));
    TF_RETURN_IF_ERROR(PlaceBiases(runtime, &biases, batch.classes, &class_biases_grad));
    NarrowedOutput<T> narrowed(runtime, inputs_grad);
    const SampledLogits<A> logits(runtime, batch, Data<A>(*in.sample_offsets),
                                  Data<A>(*in.sample_biases));
    SampledLossBackward<W>(
        runtime, logits, MatrixLoopsFor<T, A>(),
        SampledLossKept<W>{Data<A>(*in.grad), Widened<T>(runtime, *in.inputs), in.depth(),
                           Data<W>(*in.class_rows), Data<A>(*in.label_logit_grad),
                           Data<A>(*in.scales), recompute_ ? nullptr : Data<A>(*in.slopes)},
        SampledLossGradients<W>{narrowed.values(), class_rows_grad, class_biases_grad});
    narrowed.Store();
    if (weights.shards() > 1) TF_RETURN_IF_ERROR(weights.CopyValues(runtime, class_rows_grad));
    if (biases.shards() > 1) TF_RETURN_IF_ERROR(biases.CopyValues(runtime, class_biases_grad));
    return absl::OkStatus();
  }

  // Finds memory for the gradients by class of weights. The values of a single shard are these
  // gradients, in the memory of the classes' rows if nobody else needs those.
  absl::Status PlaceRows(OpKernelContext* context, OpRuntime& runtime,
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

  // The same for biases, nullptr if there are none.
  static absl::Status PlaceBiases(OpRuntime& runtime, ClassTableSlices* biases, int64_t classes,
                                  W** gradients) {
    *gradients = nullptr;
    if (biases->shards() == 1) return biases->AllocateValues(0, gradients);
    if (biases->shards() > 1) *gradients = runtime.Allocate<W>(classes);
    return absl::OkStatus();
  }

  LossKind kind_;
  bool remove_accidental_hits_, recompute_;
  Partition partition_;
  LossOptions options_;
};

}  // namespace

#define CANDSAMP_REGISTER(T, W)                                                    \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>SampledLossGrad", T, W), \
                          SampledLossGradOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
