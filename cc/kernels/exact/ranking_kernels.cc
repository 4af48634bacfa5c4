// SPDX-License-Identifier: Apache-2.0
// Kernels of the ranks of labels and of the best classes.
#include <algorithm>

#include "cc/kernels/exact/scoring_inputs.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/lib/exact/label_ranks.h"
#include "cc/lib/exact/top_classes.h"

namespace candsamp {
namespace {

template <typename T, typename W>
class LabelRankOp : public StatusKernel {
 public:
  explicit LabelRankOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, false));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    ScoringArguments<T, W> in;
    TF_RETURN_IF_ERROR(in.Open(context, attributes_));
    const Tensor* labels;
    TF_RETURN_IF_ERROR(context->input("labels", &labels));
    TF_RETURN_IF_ERROR(CheckLabels(*labels, in.rows(), attributes_, in.num_classes()));
    ExcludedClasses excluded;
    TF_RETURN_IF_ERROR(
        ReadExcluded(context, runtime, in.rows(), attributes_, in.num_classes(), &excluded));
    Tensor* rank;
    TF_RETURN_IF_ERROR(context->allocate_output("rank", labels->shape(), &rank));
    LabelRanks<W>(runtime, in.ForAll(runtime), excluded, Data<int64_t>(*labels),
                  labels->dim_size(1), MutableData<int64_t>(rank));
    return absl::OkStatus();
  }

  ScoringAttributes attributes_;
};

template <typename T, typename W>
class TopClassesOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit TopClassesOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, true));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    ScoringArguments<T, W> in;
    TF_RETURN_IF_ERROR(in.Open(context, attributes_));
    ExcludedClasses excluded;
    TF_RETURN_IF_ERROR(
        ReadExcluded(context, runtime, in.rows(), attributes_, in.num_classes(), &excluded));
    int64_t k;
    TF_RETURN_IF_ERROR(ReadK(context, in.rows(), in.num_classes(), excluded, &k));
    Tensor *values, *indices;
    const TensorShape shape({in.rows(), k});
    TF_RETURN_IF_ERROR(
        AllocateOutputs(context, {{"values", shape, &values}, {"indices", shape, &indices}}));
    TopClasses<W>(runtime, in.ForAll(runtime), excluded, k, MutableData<A>(values),
                  MutableData<int64_t>(indices));
    return absl::OkStatus();
  }

  static absl::Status ReadK(OpKernelContext* context, int64_t rows, int64_t num_classes,
                            const ExcludedClasses& excluded, int64_t* k) {
    TF_RETURN_IF_ERROR(candsamp::ReadK(context, num_classes, k));
    for (int64_t row = 0; row < rows; ++row) {
      if (*k <= num_classes - excluded.size(row)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "k must be at most the number of classes that compete, ",
          num_classes - excluded.size(row), " in row ", row, ", where exclude leaves out ",
          excluded.size(row), " of ", num_classes, ", got ", *k));
    }
    return absl::OkStatus();
  }

  ScoringAttributes attributes_;
};

}  // namespace

#define CANDSAMP_REGISTER(T, W)                                                                    \
  REGISTER_KERNEL_BUILDER(CANDSAMP_BUILDER("Candsamp>LabelRank", T, W), LabelRankOp<T, W>);        \
  REGISTER_KERNEL_BUILDER(CANDSAMP_BUILDER("Candsamp>ResourceLabelRank", T, W),                    \
                          LabelRankOp<T, W>);                                                      \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>TopClasses", T, W), TopClassesOp<T, W>); \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>ResourceTopClasses", T, W),              \
                          TopClassesOp<T, W>);

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
