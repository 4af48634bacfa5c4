// SPDX-License-Identifier: Apache-2.0
// Draws on a GPU. Nothing here waits for the device but AccidentalHits, for the number of hits.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_GPU_DRAWS_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_GPU_DRAWS_H_

#include <algorithm>

#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/classes/all_candidates.h"
#include "cc/cuda/samplers/launchers.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/gpu/cuda_stream.h"
#include "cc/kernels/gpu/gpu_memory.h"
#include "cc/kernels/gpu/gpu_sampler_state.h"
#include "cc/kernels/samplers/accidental_hits_op.h"
#include "cc/kernels/samplers/draws.h"

namespace candsamp {

class GpuAccidentalHits {
 public:
  absl::Status Find(OpKernelContext* context, OpRuntime& runtime, const HitsInputs& inputs,
                    int64_t* number);
  absl::Status Write(OpKernelContext* context, const HitsInputs& inputs,
                     const HitsOutputs& outputs);

 private:
  Tensor scratch_;
};

template <>
struct Draw<GpuDevice> {
  using FixedUnigramState = GpuFixedUnigramState;
  using LearnedUnigramState = GpuLearnedUnigramState;
  using AccidentalHits = GpuAccidentalHits;
  using Stream = StreamStart;

  // The stream stays in the device's memory, where an op's input is.
  static Stream StreamAt(const int64_t* values) { return StreamStart::At(values); }
  static Stream StreamOf(const PhiloxStream& stream) { return StreamStart::Of(stream); }
  template <typename View>
  static int64_t Range(const View& view) {
    return view.range;
  }
  // A check would have to wait for the device. A class out of range has an expected count of NaN.
  static absl::Status CheckClassIds(const char*, const Tensor&, int64_t) {
    return absl::OkStatus();
  }

  template <typename View>
  static absl::Status Batch(OpKernelContext* context, OpRuntime&, const View& view,
                            const Stream& stream, const BatchOptions& options,
                            const Tensor& true_classes, const BatchOutputs& outputs) {
    DeviceBatchRequest request;
    request.stream = stream;
    request.num_sampled = options.num_sampled;
    request.unique = options.unique;
    request.exact_counts = options.exact;
    request.true_total = true_classes.NumElements();
    request.true_classes = Data<int64_t>(true_classes);
    request.candidates = MutableData<int64_t>(outputs.candidates);
    request.sampled_expected_count = MutableData<float>(outputs.sampled_expected_count);
    request.true_expected_count = MutableData<float>(outputs.true_expected_count);
    const LaunchPlan plan = PlanBatch(view, request);
    TF_RETURN_IF_ERROR(CudaStatus(plan.error));
    Tensor scratch;
    TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch));
    return CudaStatus(
        LaunchBatch(CudaStreamOf(context), plan, view, request, MutableData<uint8_t>(&scratch)));
  }

  template <typename View>
  static absl::Status Rows(OpKernelContext* context, OpRuntime&, const View& view,
                           const Stream& stream, const RowsOptions& options,
                           const RowsInputs& inputs) {
    DeviceRowsRequest request;
    request.stream = stream;
    request.rows = inputs.rows;
    request.unique = options.unique;
    request.exact_counts = options.exact;
    request.exclude_true = options.exclude_true;
    request.true_total = inputs.true_classes->NumElements();
    request.true_classes = Data<int64_t>(*inputs.true_classes);
    request.true_splits = nullptr;
    RowSizes sizes;
    TF_RETURN_IF_ERROR(PrepareRows(context, view.support(), inputs, &request, &sizes));
    if (sizes.total == 0) return absl::OkStatus();
    Tensor true_splits;
    if (options.exclude_true) {
      TF_RETURN_IF_ERROR(UploadTrueSplits(context, inputs, &true_splits));
      request.true_splits = MutableData<int64_t>(&true_splits);
    }
    const LaunchPlan plan = PlanRows(view, request, sizes.most, sizes.total);
    TF_RETURN_IF_ERROR(CudaStatus(plan.error));
    Tensor scratch;
    TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch));
    return CudaStatus(LaunchRows(CudaStreamOf(context), plan, view, request, sizes.most,
                                 sizes.total, MutableData<uint8_t>(&scratch)));
  }

  template <typename View>
  static absl::Status Probabilities(OpKernelContext* context, OpRuntime&, const View& view,
                                    const Tensor& ids, float* out) {
    return CudaStatus(LaunchProbabilities(CudaStreamOf(context), view, Data<int64_t>(ids),
                                          ids.NumElements(), out));
  }

  static absl::Status AllCandidates(OpKernelContext* context, const Tensor& true_classes,
                                    const BatchOutputs& outputs);

 private:
  struct RowSizes {
    int64_t most;   // candidates of the largest row
    int64_t total;  // candidates of all rows
  };

  // Checks the rows' sizes, allocates the outputs and uploads the candidates' row splits.
  static absl::Status PrepareRows(OpKernelContext* context, int64_t support,
                                  const RowsInputs& inputs, DeviceRowsRequest* request,
                                  RowSizes* sizes);
  static absl::Status UploadTrueSplits(OpKernelContext* context, const RowsInputs& inputs,
                                       Tensor* true_splits);
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_GPU_DRAWS_H_
