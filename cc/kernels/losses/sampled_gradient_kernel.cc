// SPDX-License-Identifier: Apache-2.0
// The backward kernel of the losses whose rows share their candidates.
#include "cc/kernels/framework/class_id_checks.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/losses/class_table.h"
#include "cc/kernels/losses/class_table_slices.h"
#include "cc/kernels/losses/hit_ids.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/matrix_loops_for.h"
#include "cc/kernels/losses/sampled_loss_inputs.h"
#include "cc/lib/losses/sampled_backward.h"

namespace candsamp {
namespace {

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

// Checks the classes of labels and candidates, and finds out how many are candidates.
absl::Status CheckNumbers(const Tensor& label_classes, SampledBatch* batch) {
  TF_RETURN_IF_ERROR(CheckShape("label_classes", label_classes, {batch->rows, batch->num_true}));
  TF_RETURN_IF_ERROR(CheckClassIds("label_classes", label_classes,
                                   {batch->classes, "", ", the positions in class_ids"}));
  return FindColumns(batch);
}

template <typename T, typename W>
class SampledLossGradOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit SampledLossGradOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    SampledGradInputs in;
    TF_RETURN_IF_ERROR(in.Read(context));
    SampledBatch batch = in.BatchOf(attributes_);
    TF_RETURN_IF_ERROR(CheckNumbers(*in.label_classes, &batch));
    TF_RETURN_IF_ERROR(in.CheckShapes(batch, ColumnBlocks(batch.columns).count()));
    if (!attributes_.recompute) {
      TF_RETURN_IF_ERROR(CheckShape("slopes", *in.slopes, {batch.rows, batch.columns}));
    }
    // Slopes that were kept are those of candidates that are no hits.
    if (attributes_.recompute) TF_RETURN_IF_ERROR(ReadHitIds(context, runtime, &batch));

    ClassTableSlices weights, biases;
    TF_RETURN_IF_ERROR(weights.Open(context, "weight", in.depth(), attributes_.partition));
    TF_RETURN_IF_ERROR(
        biases.Open(context, "bias", ClassTableSlices::kVector, attributes_.partition));
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
                           Data<A>(*in.scales),
                           attributes_.recompute ? nullptr : Data<A>(*in.slopes)},
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

  SampledGradAttributes attributes_;
};

}  // namespace

#define CANDSAMP_REGISTER(T, W)                                                    \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>SampledLossGrad", T, W), \
                          SampledLossGradOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
