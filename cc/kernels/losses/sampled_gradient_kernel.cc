// The backward kernel of the losses whose rows share their candidates.
#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cc/kernels/losses/class_table_slices.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/matrix_loops_for.h"
#include "cc/lib/losses/sampled_backward.h"

namespace candsamp {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::OpOutputList;
using tensorflow::Tensor;
using tensorflow::TensorShape;

// The distinct classes, shared out among the shards of a table.
class ShardedClasses {
 public:
  ShardedClasses(const int64_t* ids, int64_t count, const std::vector<int64_t>& starts,
                 Partition partition)
      : starts_(starts), members_(starts.size() - 1) {
    const int64_t shards = this->shards();
    for (int64_t k = 0; k < count; ++k) {
      int64_t shard = 0, row = ids[k];
      if (partition == Partition::kInTurn) {
        shard = ids[k] % shards;
        row = ids[k] / shards;
      } else if (shards > 1) {
        shard = std::upper_bound(starts.begin() + 1, starts.end(), ids[k]) - starts.begin() - 1;
        row = ids[k] - starts[shard];
      }
      members_[shard].push_back({k, row});
    }
  }

  struct Member {
    int64_t number;  // of the class
    int64_t row;     // in the shard
  };

  int64_t shards() const { return static_cast<int64_t>(members_.size()); }
  int64_t rows(int64_t shard) const { return starts_[shard + 1] - starts_[shard]; }
  const std::vector<Member>& members(int64_t shard) const { return members_[shard]; }

 private:
  const std::vector<int64_t>& starts_;
  std::vector<std::vector<Member>> members_;
};

template <typename T, typename W>
class SampledLossGradOp : public OpKernel {
 public:
  using A = Accumulator<W>;

  explicit SampledLossGradOp(OpKernelConstruction* context) : OpKernel(context) {
    std::string loss;
    OP_REQUIRES_OK(context, context->GetAttr("loss", &loss));
    kind_ = loss == "nce" ? LossKind::kNce : LossKind::kSoftmax;
    OP_REQUIRES_OK(context, context->GetAttr("remove_accidental_hits", &remove_accidental_hits_));
    OP_REQUIRES_OK(context, context->GetAttr("recompute", &recompute_));
    OP_REQUIRES_OK(context, ReadPartition(context, &partition_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime& runtime) { return Run(context, runtime); });
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) const {
    const Tensor *grad, *inputs, *class_ids, *class_rows, *label_classes, *sample_columns,
        *sample_offsets, *label_logit_grad, *scales, *slopes;
    TF_RETURN_IF_ERROR(context->input("grad", &grad));
    TF_RETURN_IF_ERROR(context->input("inputs", &inputs));
    TF_RETURN_IF_ERROR(context->input("class_ids", &class_ids));
    TF_RETURN_IF_ERROR(context->input("class_rows", &class_rows));
    TF_RETURN_IF_ERROR(context->input("label_classes", &label_classes));
    TF_RETURN_IF_ERROR(context->input("sample_columns", &sample_columns));
    TF_RETURN_IF_ERROR(context->input("sample_offsets", &sample_offsets));
    TF_RETURN_IF_ERROR(context->input("label_logit_grad", &label_logit_grad));
    TF_RETURN_IF_ERROR(context->input("scales", &scales));
    TF_RETURN_IF_ERROR(context->input("slopes", &slopes));
    if (inputs->dims() != 2 || label_classes->dims() != 2) {
      return absl::InvalidArgumentError(absl::StrCat(
          "inputs and label_classes must have rank 2, got shapes ", inputs->shape().DebugString(),
          " and ", label_classes->shape().DebugString()));
    }
    SampledBatch batch = {};
    batch.kind = kind_;
    batch.remove_accidental_hits = remove_accidental_hits_;
    batch.rows = inputs->dim_size(0);
    batch.num_true = label_classes->dim_size(1);
    batch.num_sampled = sample_columns->NumElements();
    batch.classes = class_ids->NumElements();
    batch.label_classes = Data<int64_t>(*label_classes);
    batch.sample_columns = Data<int64_t>(*sample_columns);
    TF_RETURN_IF_ERROR(CheckShape("label_classes", *label_classes, {batch.rows, batch.num_true}));
    TF_RETURN_IF_ERROR(CountColumns(&batch));
    const int64_t depth = inputs->dim_size(1);
    TF_RETURN_IF_ERROR(CheckShape("grad", *grad, {batch.rows}));
    TF_RETURN_IF_ERROR(CheckShape("class_ids", *class_ids, {batch.classes}));
    TF_RETURN_IF_ERROR(CheckShape("class_rows", *class_rows, {batch.classes, depth}));
    TF_RETURN_IF_ERROR(CheckShape("sample_columns", *sample_columns, {batch.num_sampled}));
    TF_RETURN_IF_ERROR(CheckShape("sample_offsets", *sample_offsets, {batch.num_sampled}));
    TF_RETURN_IF_ERROR(
        CheckShape("label_logit_grad", *label_logit_grad, {batch.rows, batch.num_true}));
    TF_RETURN_IF_ERROR(
        CheckShape("scales", *scales, {ColumnBlocks(batch.columns).count(), batch.rows}));
    if (!recompute_) TF_RETURN_IF_ERROR(CheckShape("slopes", *slopes, {batch.rows, batch.columns}));
    std::vector<int64_t> weight_starts, bias_starts;
    TF_RETURN_IF_ERROR(ReadShardStarts(context, "weight_rows", &weight_starts));
    TF_RETURN_IF_ERROR(ReadShardStarts(context, "bias_rows", &bias_starts));
    TF_RETURN_IF_ERROR(CheckHaveRows(*class_ids, weight_starts));
    if (bias_starts.size() > 1) TF_RETURN_IF_ERROR(CheckHaveRows(*class_ids, bias_starts));
    const ShardedClasses weight_shards(Data<int64_t>(*class_ids), batch.classes, weight_starts,
                                       partition_);
    const ShardedClasses bias_shards(Data<int64_t>(*class_ids),
                                     bias_starts.size() > 1 ? batch.classes : 0, bias_starts,
                                     partition_);

    Tensor* inputs_grad;
    TF_RETURN_IF_ERROR(context->allocate_output("inputs_grad", inputs->shape(), &inputs_grad));
    OpOutputList weight_values, bias_values;
    TF_RETURN_IF_ERROR(OutputShapes(context, "weight", weight_shards, depth));
    TF_RETURN_IF_ERROR(OutputShapes(context, "bias", bias_shards, -1));
    TF_RETURN_IF_ERROR(context->output_list("weight_values", &weight_values));
    TF_RETURN_IF_ERROR(context->output_list("bias_values", &bias_values));
    // The values of a single shard are the gradients by class, in the memory of the classes' rows
    // if nobody else needs those.
    W* class_rows_grad;
    if (weight_shards.shards() == 1) {
      Tensor* values;
      int input, input_end, output, output_end;
      TF_RETURN_IF_ERROR(InputRange("class_rows", &input, &input_end));
      TF_RETURN_IF_ERROR(OutputRange("weight_values", &output, &output_end));
      TF_RETURN_IF_ERROR(
          context->forward_input_or_allocate_output({input}, output, class_rows->shape(), &values));
      class_rows_grad = MutableData<W>(values);
    } else {
      class_rows_grad = runtime.Allocate<W>(batch.classes * depth);
    }
    W* class_biases_grad = nullptr;
    if (bias_shards.shards() == 1) {
      Tensor* values;
      TF_RETURN_IF_ERROR(bias_values.allocate(0, TensorShape({batch.classes}), &values));
      class_biases_grad = MutableData<W>(values);
    } else if (bias_shards.shards() > 1) {
      class_biases_grad = runtime.Allocate<W>(batch.classes);
    }

    NarrowedOutput<T> narrowed(runtime, inputs_grad);
    const SampledLogits<A> logits(runtime, batch, Data<A>(*sample_offsets));
    SampledLossBackward<W>(
        runtime, logits, MatrixLoopsFor<T, A>(),
        SampledLossKept<W>{Data<A>(*grad), Widened<T>(runtime, *inputs), depth,
                           Data<W>(*class_rows), Data<A>(*label_logit_grad), Data<A>(*scales),
                           recompute_ ? nullptr : Data<A>(*slopes)},
        SampledLossGradients<W>{narrowed.values(), class_rows_grad, class_biases_grad});
    narrowed.Store();
    TF_RETURN_IF_ERROR(
        DealOut(runtime, weight_shards, class_rows_grad, depth, true, &weight_values));
    return DealOut(runtime, bias_shards, class_biases_grad, 1, false, &bias_values);
  }

  static absl::Status CheckShape(const char* name, const Tensor& tensor,
                                 std::initializer_list<int64_t> expected) {
    const TensorShape shape(expected);
    if (tensor.shape() == shape) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(name, " must have shape ", shape.DebugString(),
                                                   ", got ", tensor.shape().DebugString()));
  }

  // Every class must have a row in the shards that begin at `starts`.
  absl::Status CheckHaveRows(const Tensor& class_ids, const std::vector<int64_t>& starts) const {
    const int64_t limit = CountIds(starts, partition_);
    for (int64_t k = 0; k < class_ids.NumElements(); ++k) {
      const int64_t id = Data<int64_t>(class_ids)[k];
      if (id >= 0 && id < limit) continue;
      return absl::InvalidArgumentError(absl::StrCat("class_ids must be in [0, ", limit,
                                                     "), the classes that have rows by "
                                                     "weight_rows and bias_rows, got ",
                                                     id));
    }
    return absl::OkStatus();
  }

  // Counts the columns, and checks that they are numbered as they first occur.
  static absl::Status CountColumns(SampledBatch* batch) {
    for (int64_t k = 0; k < batch->num_sampled; ++k) {
      const int64_t column = batch->sample_columns[k];
      if (column < 0 || column > batch->columns || column >= batch->classes) {
        return absl::InvalidArgumentError(
            absl::StrCat("sample_columns must be numbers of classes as they first occur, got ",
                         column, " after ", batch->columns, " of ", batch->classes));
      }
      batch->columns += column == batch->columns;
    }
    for (int64_t k = 0; k < batch->num_labels(); ++k) {
      if (batch->label_classes[k] >= 0 && batch->label_classes[k] < batch->classes) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "label_classes must be in [0, ", batch->classes, "), got ", batch->label_classes[k]));
    }
    return absl::OkStatus();
  }

  // The outputs prefix_indices and prefix_shapes of every shard. A depth of -1 stands for a vector.
  static absl::Status OutputShapes(OpKernelContext* context, const std::string& prefix,
                                   const ShardedClasses& classes, int64_t depth) {
    OpOutputList indices_list, shapes_list;
    TF_RETURN_IF_ERROR(context->output_list(prefix + "_indices", &indices_list));
    TF_RETURN_IF_ERROR(context->output_list(prefix + "_shapes", &shapes_list));
    if (indices_list.size() != classes.shards()) {
      return absl::InvalidArgumentError(absl::StrCat(
          prefix, "_rows must have ", indices_list.size(), " values, got ", classes.shards()));
    }
    for (int k = 0; k < indices_list.size(); ++k) {
      Tensor *indices, *shape;
      const auto& members = classes.members(k);
      TF_RETURN_IF_ERROR(
          indices_list.allocate(k, TensorShape({static_cast<int64_t>(members.size())}), &indices));
      std::transform(members.begin(), members.end(), MutableData<int64_t>(indices),
                     [](const ShardedClasses::Member& member) { return member.row; });
      TF_RETURN_IF_ERROR(shapes_list.allocate(k, TensorShape({depth < 0 ? 1 : 2}), &shape));
      TF_RETURN_IF_ERROR(WriteSliceShape(prefix, classes.rows(k), depth, shape));
    }
    return absl::OkStatus();
  }

  // Copies the gradients by class to several shards.
  static absl::Status DealOut(OpRuntime& runtime, const ShardedClasses& classes, const W* gradients,
                              int64_t depth, bool matrix, OpOutputList* values_list) {
    for (int k = 0; classes.shards() > 1 && k < classes.shards(); ++k) {
      const auto& members = classes.members(k);
      TensorShape shape({static_cast<int64_t>(members.size())});
      if (matrix) shape.AddDim(depth);
      Tensor* values;
      TF_RETURN_IF_ERROR(values_list->allocate(k, shape, &values));
      W* out = MutableData<W>(values);
      runtime.ParallelFor(members.size(), depth, [&](int64_t begin, int64_t end) {
        for (int64_t m = begin; m < end; ++m) {
          std::copy_n(gradients + members[m].number * depth, depth, out + m * depth);
        }
      });
    }
    return absl::OkStatus();
  }

  LossKind kind_;
  bool remove_accidental_hits_, recompute_;
  Partition partition_;
};

}  // namespace

#define CANDSAMP_REGISTER(T, W)                                                               \
  REGISTER_KERNEL_BUILDER(                                                                    \
      CANDSAMP_BUILDER("Candsamp>SampledLossGrad", T, W).TypeConstraint<Accumulator<W>>("A"), \
      SampledLossGradOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
