#include "cc/kernels/sampling.h"

#include "absl/strings/str_cat.h"
#include "cc/kernels/compute.h"
#include "cc/kernels/types.h"
#include "cc/lib/draw_candidates.h"
#include "cc/lib/ragged_batch.h"
#include "cc/lib/ragged_draws.h"

namespace candsamp {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

absl::Status ReadStream(OpKernelContext* context, PhiloxStream* stream) {
  const Tensor* input;
  TF_RETURN_IF_ERROR(context->input("stream", &input));
  if (input->dims() != 1 || input->NumElements() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("stream must have 3 values, got shape ", input->shape().DebugString()));
  }
  const int64_t* values = Data<int64_t>(*input);
  *stream = {static_cast<uint64_t>(values[2]), static_cast<uint64_t>(values[1]),
             static_cast<uint64_t>(values[0])};
  return absl::OkStatus();
}

absl::Status CheckClasses(const char* name, const Tensor& ids, int64_t range) {
  const int64_t* values = Data<int64_t>(ids);
  const int64_t count = ids.NumElements();
  bool good = true;
  for (int64_t k = 0; k < count; ++k) good &= (values[k] >= 0) & (values[k] < range);
  if (good) return absl::OkStatus();
  int64_t k = 0;
  while (values[k] >= 0 && values[k] < range) ++k;
  return absl::InvalidArgumentError(
      absl::StrCat(name, " has a class out of range [0, ", range, "), received ", values[k]));
}

absl::Status CheckColumns(const Tensor& true_classes, int64_t num_true) {
  if (true_classes.dims() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes must be a matrix, got shape ",
                                                   true_classes.shape().DebugString()));
  }
  if (true_classes.dim_size(1) != num_true) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes must have num_true columns, ",
                                                   num_true, ", got ", true_classes.dim_size(1)));
  }
  return absl::OkStatus();
}

absl::Status SampleBatch(OpKernelContext* context, TfHost& host, const Distribution& distribution,
                         const PhiloxStream& stream, int64_t num_sampled, bool unique, bool exact,
                         const Tensor& true_classes) {
  if (true_classes.dims() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes must be a matrix, got shape ",
                                                   true_classes.shape().DebugString()));
  }
  TF_RETURN_IF_ERROR(CheckClasses("true_classes", true_classes, distribution.range()));
  if (num_sampled < 1 || num_sampled > kMostSampled) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_sampled must be between 1 and ", kMostSampled, ", got ", num_sampled));
  }
  if (unique && num_sampled > distribution.support()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Sampler's range is too small: num_sampled must be at most ", distribution.support(),
        ", the number of classes that can be drawn, when unique, got ", num_sampled));
  }
  Tensor *candidates, *true_count, *sampled_count;
  TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({num_sampled}), &candidates));
  TF_RETURN_IF_ERROR(context->allocate_output(1, true_classes.shape(), &true_count));
  TF_RETURN_IF_ERROR(context->allocate_output(2, TensorShape({num_sampled}), &sampled_count));
  const Draws draws = {num_sampled, unique, exact};
  int64_t* ids = MutableData<int64_t>(candidates);
  const CountRule rule =
      DrawCandidates(host, distribution, stream, draws, ids, MutableData<float>(sampled_count));
  ExpectedCounts(host, distribution, rule, Data<int64_t>(true_classes), true_classes.NumElements(),
                 MutableData<float>(true_count));
  return absl::OkStatus();
}

absl::Status SampleRows(OpKernelContext* context, TfHost& host, const Distribution& distribution,
                        const PhiloxStream& stream, bool unique, bool exact, bool exclude_true) {
  const Tensor *num_sampled, *true_classes, *true_splits;
  TF_RETURN_IF_ERROR(context->input("num_sampled", &num_sampled));
  TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
  TF_RETURN_IF_ERROR(context->input("true_splits", &true_splits));
  for (const auto& [name, tensor] : {std::pair{"num_sampled", num_sampled},
                                     {"true_classes", true_classes},
                                     {"true_splits", true_splits}}) {
    if (tensor->dims() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " must be a vector, got shape ", tensor->shape().DebugString()));
    }
  }
  const int64_t rows = num_sampled->NumElements();
  const int64_t* splits = Data<int64_t>(*true_splits);
  TF_RETURN_IF_ERROR(ToStatus(CheckRowSplits("true_classes", splits, true_splits->NumElements(),
                                             true_classes->NumElements())));
  if (true_splits->NumElements() != rows + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("true_classes must have a row for each value of num_sampled, ", rows, ", got ",
                     true_splits->NumElements() - 1));
  }
  TF_RETURN_IF_ERROR(CheckClasses("true_classes", *true_classes, distribution.range()));

  Tensor *candidates, *row_splits, *expected_count;
  TF_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({rows + 1}), &row_splits));
  int64_t* ends = MutableData<int64_t>(row_splits);
  ends[0] = 0;
  const int64_t* counts = Data<int64_t>(*num_sampled);
  for (int64_t row = 0; row < rows; ++row) {
    if (counts[row] < 0 || counts[row] > kMostSampled - ends[row]) {
      return absl::InvalidArgumentError(absl::StrCat("num_sampled[", row,
                                                     "] must not be negative, and the sum at most ",
                                                     kMostSampled, ", got ", counts[row]));
    }
    ends[row + 1] = ends[row] + counts[row];
  }
  TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({ends[rows]}), &candidates));
  TF_RETURN_IF_ERROR(context->allocate_output(2, TensorShape({ends[rows]}), &expected_count));
  const RaggedDraws draws = {
      rows, ends, unique, exact, exclude_true ? splits : nullptr, Data<int64_t>(*true_classes)};
  return ToStatus(DrawRaggedCandidates(host, distribution, stream, draws,
                                       MutableData<int64_t>(candidates),
                                       MutableData<float>(expected_count)));
}

}  // namespace candsamp
