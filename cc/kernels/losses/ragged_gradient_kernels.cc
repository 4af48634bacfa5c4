// Backward kernels of the ragged losses: dense gradients of inputs, slices for the tables.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cc/kernels/losses/class_table_slices.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/ragged_inputs.h"
#include "cc/lib/losses/ragged_backward.h"

namespace candsamp {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::OpOutputList;
using tensorflow::Tensor;
using tensorflow::TensorShape;

absl::Status CheckSize(const char* name, const Tensor& tensor, int64_t expected) {
  if (tensor.dims() == 1 && tensor.NumElements() == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " must have shape [", expected,
                                                 "], got shape ", tensor.shape().DebugString()));
}

// The slices of every shard of one table.
template <typename W>
class SlicesOutput {
 public:
  using Groups = ClassGroups<Occurrence<Accumulator<W>>>;

  // `prefix` names the outputs: prefix_indices, prefix_values, prefix_shapes. A depth of -1 stands
  // for a vector.
  static absl::Status Write(OpKernelContext* context, OpRuntime& runtime, const std::string& prefix,
                            const std::vector<int64_t>& shard_starts, const Groups& groups,
                            const Accumulator<W>* inputs, int64_t depth) {
    OpOutputList indices_list, values_list, shapes_list;
    TF_RETURN_IF_ERROR(context->output_list(prefix + "_indices", &indices_list));
    TF_RETURN_IF_ERROR(context->output_list(prefix + "_values", &values_list));
    TF_RETURN_IF_ERROR(context->output_list(prefix + "_shapes", &shapes_list));
    const int shards = static_cast<int>(shard_starts.size()) - 1;
    if (indices_list.size() != shards) {
      return absl::InvalidArgumentError(
          absl::StrCat(prefix, "_rows must have ", indices_list.size(), " values, got ", shards));
    }
    const int64_t* classes = groups.classes();
    for (int k = 0; k < shards; ++k) {
      const int64_t first =
          std::lower_bound(classes, classes + groups.size(), shard_starts[k]) - classes;
      const int64_t last =
          std::lower_bound(classes, classes + groups.size(), shard_starts[k + 1]) - classes;
      Tensor *indices, *values, *shape;
      TF_RETURN_IF_ERROR(indices_list.allocate(k, TensorShape({last - first}), &indices));
      std::transform(classes + first, classes + last, MutableData<int64_t>(indices),
                     [&](int64_t id) { return id - shard_starts[k]; });
      TensorShape values_shape({last - first});
      if (depth >= 0) values_shape.AddDim(depth);
      TF_RETURN_IF_ERROR(values_list.allocate(k, values_shape, &values));
      if (depth >= 0) {
        SumClassRows(runtime, groups, first, last, inputs, depth, MutableData<W>(values));
      } else {
        SumClassBiases(runtime, groups, first, last, MutableData<W>(values));
      }
      TF_RETURN_IF_ERROR(shapes_list.allocate(k, TensorShape({values_shape.dims()}), &shape));
      TF_RETURN_IF_ERROR(
          WriteSliceShape(prefix, shard_starts[k + 1] - shard_starts[k], depth, shape));
    }
    return absl::OkStatus();
  }
};

// Slices of weights and biases from the occurrences of each class.
template <typename W>
absl::Status OutputSlices(OpKernelContext* context, OpRuntime& runtime, const RaggedBatch& batch,
                          const Accumulator<W>* inputs, int64_t depth,
                          const Accumulator<W>* label_gradient,
                          const Accumulator<W>* candidate_gradient,
                          const Accumulator<W>* row_factor) {
  std::vector<int64_t> weight_starts, bias_starts;
  TF_RETURN_IF_ERROR(ReadShardStarts(context, "weight_rows", &weight_starts));
  TF_RETURN_IF_ERROR(ReadShardStarts(context, "bias_rows", &bias_starts));
  const int64_t num_classes = weight_starts.back();
  if (label_gradient) {
    TF_RETURN_IF_ERROR(ToStatus(CheckClassIds("labels", batch.labels, batch.rows, num_classes)));
  }
  TF_RETURN_IF_ERROR(
      ToStatus(CheckClassIds("candidates", batch.candidates, batch.rows, num_classes)));
  const auto groups =
      GroupOccurrences(runtime, batch, num_classes, label_gradient, candidate_gradient, row_factor);
  TF_RETURN_IF_ERROR(
      SlicesOutput<W>::Write(context, runtime, "weight", weight_starts, groups, inputs, depth));
  return SlicesOutput<W>::Write(context, runtime, "bias", bias_starts, groups, nullptr, -1);
}

template <typename T, typename W>
class RaggedLossGradOp : public OpKernel {
 public:
  using A = Accumulator<W>;
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime& runtime) { return Run(context, runtime); });
  }

 private:
  static absl::Status Run(OpKernelContext* context, OpRuntime& runtime) {
    const Tensor *grad, *inputs, *label_logit_grad, *candidate_logit_grad, *unscaled_inputs_grad;
    TF_RETURN_IF_ERROR(context->input("grad", &grad));
    TF_RETURN_IF_ERROR(context->input("inputs", &inputs));
    TF_RETURN_IF_ERROR(context->input("label_logit_grad", &label_logit_grad));
    TF_RETURN_IF_ERROR(context->input("candidate_logit_grad", &candidate_logit_grad));
    TF_RETURN_IF_ERROR(context->input("unscaled_inputs_grad", &unscaled_inputs_grad));
    if (inputs->dims() != 2 || unscaled_inputs_grad->shape() != inputs->shape()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "inputs and unscaled_inputs_grad must have one shape of rank 2, got ",
          inputs->shape().DebugString(), " and ", unscaled_inputs_grad->shape().DebugString()));
    }
    RaggedBatch batch = {};
    batch.rows = inputs->dim_size(0);
    const int64_t depth = inputs->dim_size(1);
    TF_RETURN_IF_ERROR(ReadRaggedIds(context, "labels", batch.rows, &batch.labels));
    TF_RETURN_IF_ERROR(ReadRaggedIds(context, "candidates", batch.rows, &batch.candidates));
    TF_RETURN_IF_ERROR(CheckSize("grad", *grad, batch.rows));
    TF_RETURN_IF_ERROR(CheckSize("label_logit_grad", *label_logit_grad, batch.num_labels()));
    TF_RETURN_IF_ERROR(
        CheckSize("candidate_logit_grad", *candidate_logit_grad, batch.num_candidates()));

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
    return OutputSlices<W>(context, runtime, batch, Widened<T>(runtime, *inputs), depth,
                           Data<A>(*label_logit_grad), Data<A>(*candidate_logit_grad), row_factor);
  }
};

template <typename T, typename W>
class RaggedLogitsGradOp : public OpKernel {
 public:
  using A = Accumulator<W>;
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime& runtime) { return Run(context, runtime); });
  }

 private:
  static absl::Status Run(OpKernelContext* context, OpRuntime& runtime) {
    const Tensor *grad, *inputs, *row_ids;
    OpInputList rows;
    TF_RETURN_IF_ERROR(context->input("grad", &grad));
    TF_RETURN_IF_ERROR(context->input("inputs", &inputs));
    TF_RETURN_IF_ERROR(context->input("row_ids", &row_ids));
    TF_RETURN_IF_ERROR(context->input_list("rows", &rows));
    if (inputs->dims() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("inputs must have rank 2, got shape ", inputs->shape().DebugString()));
    }
    RaggedBatch batch = {};
    batch.rows = inputs->dim_size(0);
    const int64_t depth = inputs->dim_size(1);
    TF_RETURN_IF_ERROR(ReadRaggedIds(context, "candidates", batch.rows, &batch.candidates));
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
    TF_RETURN_IF_ERROR(ToStatus(CheckClassIds("row_ids", ids, batch.rows, table.rows())));

    const A* gradient = Widened<T>(runtime, *grad);
    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(context->allocate_output("inputs_grad", inputs->shape(), &inputs_grad));
    NarrowedOutput<T> narrowed(runtime, inputs_grad);
    SumCandidateRows(runtime, ids, batch.rows, gradient, table, narrowed.values());
    narrowed.Store();
    return OutputSlices<W>(context, runtime, batch, Widened<T>(runtime, *inputs), depth, nullptr,
                           gradient, nullptr);
  }
};

}  // namespace

#define CANDSAMP_REGISTER(T, W)                                                              \
  REGISTER_KERNEL_BUILDER(                                                                   \
      CANDSAMP_BUILDER("Candsamp>RaggedLossGrad", T, W).TypeConstraint<Accumulator<W>>("A"), \
      RaggedLossGradOp<T, W>);                                                               \
  REGISTER_KERNEL_BUILDER(CANDSAMP_BUILDER("Candsamp>RaggedCandidateLogitsGrad", T, W),      \
                          RaggedLogitsGradOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
