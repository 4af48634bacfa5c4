// Draws on a GPU into the outputs of an op. Nothing here waits for the device.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_GPU_DRAWS_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_GPU_DRAWS_H_

#include <algorithm>

#include "absl/status/status.h"
#include "cc/cuda/samplers/launchers.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/gpu/gpu_memory.h"
#include "cc/kernels/gpu/gpu_stream.h"
#include "cc/kernels/samplers/draw_outputs.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

template <typename Source>
absl::Status GpuSampleBatch(tensorflow::OpKernelContext* context, const Source& source,
                            const StreamOrigin& stream, int64_t num_sampled, bool unique,
                            bool exact, const tensorflow::Tensor& true_classes) {
  BatchOutputs outputs;
  TF_RETURN_IF_ERROR(
      PrepareBatch(context, true_classes, num_sampled, unique, source.support(), &outputs));
  BatchDraw draw;
  draw.stream = stream;
  draw.num_sampled = num_sampled;
  draw.unique = unique;
  draw.exact = exact;
  draw.num_true = true_classes.NumElements();
  draw.true_classes = Data<int64_t>(true_classes);
  draw.candidates = MutableData<int64_t>(outputs.candidates);
  draw.sampled_count = MutableData<float>(outputs.sampled_count);
  draw.true_count = MutableData<float>(outputs.true_count);
  const LaunchPlan plan = PlanBatch(source, draw);
  TF_RETURN_IF_ERROR(GpuStatus(plan.error));
  tensorflow::Tensor scratch;
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch));
  return GpuStatus(
      LaunchBatch(GpuStream(context), plan, source, draw, MutableData<uint8_t>(&scratch)));
}

template <typename Source>
absl::Status GpuSampleRows(tensorflow::OpKernelContext* context, const Source& source,
                           const StreamOrigin& stream, bool unique, bool exact, bool exclude_true) {
  using tensorflow::Tensor;
  using tensorflow::TensorShape;
  RowsInputs inputs;
  TF_RETURN_IF_ERROR(inputs.Read(context));
  const int64_t rows = inputs.rows;
  Tensor splits, true_splits;
  TF_RETURN_IF_ERROR(AllocatePageLocked(context, rows + 1, &splits));
  const int64_t* const ends = Data<int64_t>(splits);
  TF_RETURN_IF_ERROR(inputs.SplitsOfCandidates(MutableData<int64_t>(&splits)));
  const int64_t total = ends[rows];
  int64_t most = 0;
  for (int64_t row = 0; row < rows; ++row) {
    most = std::max(most, ends[row + 1] - ends[row]);
  }
  if (most > (unique ? source.support() : kMostSampled)) {
    return absl::InvalidArgumentError(absl::StrCat("num_sampled must be at most ", source.support(),
                                                   ", the number of classes that can be drawn when "
                                                   "unique, got ",
                                                   most));
  }
  Tensor *candidates, *row_splits, *expected_count;
  TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({total}), &candidates));
  TF_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({rows + 1}), &row_splits));
  TF_RETURN_IF_ERROR(context->allocate_output(2, TensorShape({total}), &expected_count));
  TF_RETURN_IF_ERROR(Upload(context, splits, MutableData<int64_t>(row_splits)));
  if (total == 0) return absl::OkStatus();

  RowsDraw draw;
  draw.stream = stream;
  draw.rows = rows;
  draw.splits = Data<int64_t>(*row_splits);
  draw.unique = unique;
  draw.exact = exact;
  draw.exclude_true = exclude_true;
  draw.num_true = inputs.true_classes->NumElements();
  draw.true_classes = Data<int64_t>(*inputs.true_classes);
  draw.true_splits = nullptr;
  draw.candidates = MutableData<int64_t>(candidates);
  draw.expected_count = MutableData<float>(expected_count);
  Tensor uploaded;
  if (exclude_true) {
    TF_RETURN_IF_ERROR(AllocatePageLocked(context, rows + 1, &true_splits));
    std::copy_n(Data<int64_t>(*inputs.true_splits), rows + 1, MutableData<int64_t>(&true_splits));
    TF_RETURN_IF_ERROR(AllocateOnGpu(context, true_splits.TotalBytes(), &uploaded));
    draw.true_splits = MutableData<int64_t>(&uploaded);
    TF_RETURN_IF_ERROR(Upload(context, true_splits, MutableData<int64_t>(&uploaded)));
  }
  const LaunchPlan plan = PlanRows(source, draw, most, total);
  TF_RETURN_IF_ERROR(GpuStatus(plan.error));
  Tensor scratch;
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch));
  return GpuStatus(LaunchRows(GpuStream(context), plan, source, draw, most, total,
                              MutableData<uint8_t>(&scratch)));
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_GPU_DRAWS_H_
