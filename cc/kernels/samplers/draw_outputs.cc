#include "cc/kernels/samplers/draw_outputs.h"

#include "absl/strings/str_cat.h"
#include "cc/kernels/framework/run_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/lib/classes/ragged_ids.h"
#include "cc/lib/samplers/draw_candidates.h"
#include "cc/lib/samplers/draw_rows.h"

namespace candsamp {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

absl::Status FindStream(OpKernelContext* context, const int64_t** values) {
  const Tensor* input;
  TF_RETURN_IF_ERROR(context->input("stream", &input));
  if (input->dims() != 1 || input->NumElements() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("stream must have 3 values, got shape ", input->shape().DebugString()));
  }
  *values = Data<int64_t>(*input);
  return absl::OkStatus();
}

absl::Status ReadStream(OpKernelContext* context, PhiloxStream* stream) {
  const int64_t* values;
  TF_RETURN_IF_ERROR(FindStream(context, &values));
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

absl::Status CheckScalar(const char* name, const Tensor& value) {
  if (value.NumElements() == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must be a scalar, got shape ", value.shape().DebugString()));
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

absl::Status PrepareBatch(OpKernelContext* context, const Tensor& true_classes, int64_t num_sampled,
                          bool unique, int64_t support, BatchOutputs* outputs) {
  if (true_classes.dims() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes must be a matrix, got shape ",
                                                   true_classes.shape().DebugString()));
  }
  if (num_sampled < 1 || num_sampled > kMostSampled) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_sampled must be between 1 and ", kMostSampled, ", got ", num_sampled));
  }
  if (unique && num_sampled > support) {
    return absl::InvalidArgumentError(
        absl::StrCat("Sampler's range is too small: num_sampled must be at most ", support,
                     ", the number of classes that can be drawn, when unique, got ", num_sampled));
  }
  const TensorShape shape({num_sampled});
  TF_RETURN_IF_ERROR(context->allocate_output(0, shape, &outputs->candidates));
  TF_RETURN_IF_ERROR(context->allocate_output(1, true_classes.shape(), &outputs->true_count));
  return context->allocate_output(2, shape, &outputs->sampled_count);
}

absl::Status SampleBatch(OpKernelContext* context, OpRuntime& runtime,
                         const Distribution& distribution, const PhiloxStream& stream,
                         int64_t num_sampled, bool unique, bool exact, const Tensor& true_classes) {
  TF_RETURN_IF_ERROR(CheckClasses("true_classes", true_classes, distribution.range()));
  BatchOutputs outputs;
  TF_RETURN_IF_ERROR(
      PrepareBatch(context, true_classes, num_sampled, unique, distribution.support(), &outputs));
  const Draws draws = {num_sampled, unique, exact};
  const CountRule rule =
      DrawCandidates(runtime, distribution, stream, draws, MutableData<int64_t>(outputs.candidates),
                     MutableData<float>(outputs.sampled_count));
  ExpectedCounts(runtime, distribution, rule, Data<int64_t>(true_classes),
                 true_classes.NumElements(), MutableData<float>(outputs.true_count));
  return absl::OkStatus();
}

absl::Status RowsInputs::Read(OpKernelContext* context) {
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
  rows = num_sampled->NumElements();
  TF_RETURN_IF_ERROR(
      ToStatus(CheckRowSplits("true_classes", Data<int64_t>(*true_splits),
                              true_splits->NumElements(), true_classes->NumElements())));
  if (true_splits->NumElements() == rows + 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("true_classes must have a row for each value of num_sampled, ", rows, ", got ",
                   true_splits->NumElements() - 1));
}

absl::Status RowsInputs::SplitsOfCandidates(int64_t* splits) const {
  splits[0] = 0;
  const int64_t* counts = Data<int64_t>(*num_sampled);
  for (int64_t row = 0; row < rows; ++row) {
    if (counts[row] < 0 || counts[row] > kMostSampled - splits[row]) {
      return absl::InvalidArgumentError(absl::StrCat("num_sampled[", row,
                                                     "] must not be negative, and the sum at most ",
                                                     kMostSampled, ", got ", counts[row]));
    }
    splits[row + 1] = splits[row] + counts[row];
  }
  return absl::OkStatus();
}

absl::Status SampleRows(OpKernelContext* context, OpRuntime& runtime,
                        const Distribution& distribution, const PhiloxStream& stream, bool unique,
                        bool exact, bool exclude_true) {
  RowsInputs inputs;
  TF_RETURN_IF_ERROR(inputs.Read(context));
  TF_RETURN_IF_ERROR(CheckClasses("true_classes", *inputs.true_classes, distribution.range()));
  const int64_t rows = inputs.rows;
  Tensor *candidates, *row_splits, *expected_count;
  TF_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({rows + 1}), &row_splits));
  int64_t* const ends = MutableData<int64_t>(row_splits);
  TF_RETURN_IF_ERROR(inputs.SplitsOfCandidates(ends));
  TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({ends[rows]}), &candidates));
  TF_RETURN_IF_ERROR(context->allocate_output(2, TensorShape({ends[rows]}), &expected_count));
  const RaggedDraws draws = {rows,
                             ends,
                             unique,
                             exact,
                             exclude_true ? Data<int64_t>(*inputs.true_splits) : nullptr,
                             Data<int64_t>(*inputs.true_classes)};
  return ToStatus(DrawRaggedCandidates(runtime, distribution, stream, draws,
                                       MutableData<int64_t>(candidates),
                                       MutableData<float>(expected_count)));
}

}  // namespace candsamp
