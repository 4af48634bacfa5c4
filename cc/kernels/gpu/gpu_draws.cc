// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/gpu/gpu_draws.h"

namespace candsamp {

absl::Status Draw<GpuDevice>::PrepareRows(OpKernelContext* context, int64_t support,
                                          const RowsInputs& inputs, DeviceRowsRequest* request,
                                          RowSizes* sizes) {
  const int64_t rows = inputs.rows;
  Tensor splits;
  TF_RETURN_IF_ERROR(AllocatePageLocked(context, rows + 1, &splits));
  const int64_t* const ends = Data<int64_t>(splits);
  TF_RETURN_IF_ERROR(inputs.WriteCandidateSplits(MutableData<int64_t>(&splits)));
  *sizes = {0, ends[rows]};
  for (int64_t row = 0; row < rows; ++row) {
    sizes->most = std::max(sizes->most, ends[row + 1] - ends[row]);
  }
  if (request->unique && sizes->most > support) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_sampled must be at most ", support,
                     ", the number of classes that can be drawn when unique, got ", sizes->most));
  }
  Tensor *candidates, *row_splits, *expected_count;
  TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({sizes->total}), &candidates));
  TF_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({rows + 1}), &row_splits));
  TF_RETURN_IF_ERROR(context->allocate_output(2, TensorShape({sizes->total}), &expected_count));
  request->splits = Data<int64_t>(*row_splits);
  request->candidates = MutableData<int64_t>(candidates);
  request->expected_count = MutableData<float>(expected_count);
  return Upload(context, splits, MutableData<int64_t>(row_splits));
}

absl::Status Draw<GpuDevice>::UploadTrueSplits(OpKernelContext* context, const RowsInputs& inputs,
                                               Tensor* true_splits) {
  Tensor page_locked;
  TF_RETURN_IF_ERROR(AllocatePageLocked(context, inputs.rows + 1, &page_locked));
  std::copy_n(Data<int64_t>(*inputs.true_splits), inputs.rows + 1,
              MutableData<int64_t>(&page_locked));
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, page_locked.TotalBytes(), true_splits));
  return Upload(context, page_locked, MutableData<int64_t>(true_splits));
}

absl::Status Draw<GpuDevice>::AllCandidates(OpKernelContext* context, const Tensor& true_classes,
                                            const BatchOutputs& outputs) {
  return CudaStatus(LaunchAllCandidates(
      CudaStreamOf(context),
      {outputs.candidates->NumElements(), true_classes.NumElements(), Data<int64_t>(true_classes),
       MutableData<int64_t>(outputs.candidates), MutableData<float>(outputs.sampled_expected_count),
       MutableData<float>(outputs.true_expected_count)}));
}

namespace {

HitsInput DeviceInput(const HitsInputs& inputs) {
  return {Data<int64_t>(*inputs.true_classes), inputs.true_classes->NumElements(), inputs.num_true,
          Data<int64_t>(*inputs.candidates), inputs.candidates->NumElements()};
}

}  // namespace

absl::Status GpuAccidentalHits::Find(OpKernelContext* context, OpRuntime&, const HitsInputs& inputs,
                                     int64_t* number) {
  *number = 0;
  const HitsInput input = DeviceInput(inputs);
  if (input.true_total == 0 || input.num_candidates == 0) return absl::OkStatus();
  const LaunchPlan plan = PlanHits(input);
  TF_RETURN_IF_ERROR(CudaStatus(plan.error));
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch_));
  return CudaStatus(
      LaunchFindHits(CudaStreamOf(context), input, MutableData<uint8_t>(&scratch_), number));
}

absl::Status GpuAccidentalHits::Write(OpKernelContext* context, const HitsInputs& inputs,
                                      const HitsOutputs& outputs) {
  return CudaStatus(LaunchWriteHits(CudaStreamOf(context), DeviceInput(inputs),
                                    MutableData<uint8_t>(&scratch_),
                                    {outputs.rows, outputs.positions, outputs.weights}));
}

}  // namespace candsamp
