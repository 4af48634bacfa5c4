// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/gpu/gpu_sampler_state.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <numeric>
#include <utility>

#include "cc/cuda/core/copies.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/gpu/cuda_stream.h"
#include "cc/kernels/gpu/gpu_memory.h"
#include "cc/kernels/samplers/sampler_state.h"
#include "cc/lib/samplers/unigram_weights.h"

namespace candsamp {

bool GpuFixedUnigramState::Built::IsOf(const Tensor& other) const {
  return VariableSnapshot::IsSame(weights, other) ||
         (weights.shape() == other.shape() &&
          std::memcmp(weights.data(), other.data(), weights.TotalBytes()) == 0);
}

absl::Status GpuFixedUnigramState::BringUpToDate(OpKernelContext* context, Var* weights) {
  if (from_.Settle(weights) && built_) return absl::OkStatus();
  if (!weights->is_initialized) {
    return absl::FailedPreconditionError("weights is a variable that is not initialized");
  }
  from_.Clear();
  built_.reset();
  TF_RETURN_IF_ERROR(CheckWeightsTensor(*weights->tensor()));
  Tensor on_host;
  TF_RETURN_IF_ERROR(Download(context, *weights->tensor(), &on_host));
  TF_RETURN_IF_ERROR(Build(context, on_host));
  from_.Set(weights);
  return absl::OkStatus();
}

absl::Status GpuFixedUnigramState::BringUpToDate(OpKernelContext* context, const Tensor& weights) {
  if (built_ && built_->IsOf(weights)) return absl::OkStatus();
  built_.reset();
  TF_RETURN_IF_ERROR(CheckWeightsTensor(weights));
  return Build(context, weights);
}

absl::Status GpuFixedUnigramState::Build(OpKernelContext* context, const Tensor& weights) {
  TF_RETURN_IF_ERROR(ToStatus(CheckUnigramWeights(Data<float>(weights), weights.NumElements())));
  auto built = std::make_unique<Built>(weights);
  const int64_t bytes = weights.NumElements() * static_cast<int64_t>(sizeof(AliasColumn));
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, bytes, &built->columns));
  TF_RETURN_IF_ERROR(
      CudaStatus(CopyToDeviceAndWait(CudaStreamOf(context), MutableData<uint8_t>(&built->columns),
                                     built->distribution.columns(), bytes)));
  built_ = std::move(built);
  return absl::OkStatus();
}

LearnedCounts GpuLearnedUnigramState::Learned(Var* counts) {
  return {counts->tensor()->NumElements(), MutableData<int64_t>(&counts_),
          MutableData<SlotState>(&state_), MutableData<uint32_t>(&places_),
          MutableData<uint16_t>(&taken_),  MutableData<int64_t>(counts->tensor())};
}

absl::Status GpuLearnedUnigramState::Allocate(OpKernelContext* context, int64_t counted,
                                              int64_t range) {
  const SlotBlocks blocks = MostSlotBlocks(counted, range);
  Tensor places, taken;
  TF_RETURN_IF_ERROR(AllocateOnGpu(
      context, blocks.num_blocks * blocks.places * static_cast<int64_t>(sizeof(uint32_t)),
      &places));
  // In whole words of 32 bits.
  TF_RETURN_IF_ERROR(AllocateOnGpu(
      context, (blocks.num_blocks + 1) * static_cast<int64_t>(sizeof(uint16_t)), &taken));
  // Not IsInitialized(), which a tensor without elements always is.
  if (state_.NumElements() == 0) {
    TF_RETURN_IF_ERROR(AllocateOnGpu(context, sizeof(SlotState), &state_));
  }
  places_ = places;
  taken_ = taken;
  has_room_ = counted < 2 * range ? counted : kMostLearnedCount;
  return absl::OkStatus();
}

absl::Status GpuLearnedUnigramState::Build(OpKernelContext* context, Var* counts, int64_t total) {
  const LearnedCounts learned = Learned(counts);
  const LaunchPlan plan = PlanAdd(learned.range, 0);
  TF_RETURN_IF_ERROR(CudaStatus(plan.error));
  Tensor scratch;
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch));
  return CudaStatus(
      LaunchBuild(CudaStreamOf(context), plan, learned, total, MutableData<uint8_t>(&scratch)));
}

absl::Status GpuLearnedUnigramState::BringUpToDate(OpKernelContext* context, Var* counts) {
  if (from_.Settle(counts) && is_built_) return absl::OkStatus();
  is_built_ = false;
  from_.Clear();
  if (!counts->is_initialized) {
    return absl::FailedPreconditionError("counts is a variable that is not initialized");
  }
  TF_RETURN_IF_ERROR(CheckCountsTensor(*counts->tensor()));
  TF_RETURN_IF_ERROR(
      context->allocate_temp(tensorflow::DT_INT64, counts->tensor()->shape(), &counts_));
  TF_RETURN_IF_ERROR(CudaStatus(CopyOnDevice(CudaStreamOf(context), MutableData<int64_t>(&counts_),
                                             counts->tensor()->data(), counts_.TotalBytes())));
  Tensor on_host;
  TF_RETURN_IF_ERROR(Download(context, counts_, &on_host));
  const int64_t* const values = Data<int64_t>(on_host);
  const int64_t range = counts->tensor()->NumElements();
  TF_RETURN_IF_ERROR(CheckCounts(values, range, 1));
  counted_ = std::accumulate(values, values + range, int64_t{0});
  TF_RETURN_IF_ERROR(Allocate(context, counted_, range));
  TF_RETURN_IF_ERROR(Build(context, counts, counted_ + range));
  is_built_ = true;
  from_.Set(counts);
  return absl::OkStatus();
}

absl::Status GpuLearnedUnigramState::Unshare(OpKernelContext* context, Var* counts) {
  Tensor* const shared = counts->tensor();
  if (shared->RefCountIsOne()) return absl::OkStatus();
  Tensor own;
  TF_RETURN_IF_ERROR(context->allocate_temp(tensorflow::DT_INT64, shared->shape(), &own));
  TF_RETURN_IF_ERROR(CudaStatus(CopyOnDevice(CudaStreamOf(context), MutableData<int64_t>(&own),
                                             shared->data(), own.TotalBytes())));
  *shared = own;
  return absl::OkStatus();
}

absl::Status GpuLearnedUnigramState::Reserve(OpKernelContext* context, Var* counts,
                                             int64_t counted) {
  if (counted <= has_room_) return absl::OkStatus();
  // Room for twice as many makes this rare. No counts need more room than a sum of 2 range.
  const int64_t range = counts->tensor()->NumElements();
  TF_RETURN_IF_ERROR(Allocate(context, counted < range ? 2 * counted : 2 * range, range));
  return Build(context, counts, -1);
}

absl::Status GpuLearnedUnigramState::Increment(OpKernelContext* context, Var* counts,
                                               float distortion, const char*, const Tensor& classes,
                                               int64_t) {
  TF_RETURN_IF_ERROR(CheckDistortion(distortion));
  std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
  TF_RETURN_IF_ERROR(BringUpToDate(context, counts));
  const int64_t range = counts->tensor()->NumElements(), added = classes.NumElements();
  if (added > kMostLearnedCount - range - counted_) {
    return absl::InvalidArgumentError(absl::StrCat("counts must sum to at most 2^62, got ",
                                                   counted_ + range, " and ", added, " more"));
  }
  // If a launch fails, the next call builds the slots again.
  is_built_ = false;
  from_.Clear();
  TF_RETURN_IF_ERROR(Unshare(context, counts));
  TF_RETURN_IF_ERROR(Reserve(context, counts, counted_ + added));
  const LaunchPlan plan = PlanAdd(range, added);
  TF_RETURN_IF_ERROR(CudaStatus(plan.error));
  Tensor scratch;
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch));
  TF_RETURN_IF_ERROR(
      CudaStatus(LaunchAdd(CudaStreamOf(context), plan, Learned(counts), Data<int64_t>(classes),
                           added, MutableData<uint8_t>(&scratch))));
  counted_ += added;
  is_built_ = true;
  from_.Set(counts);
  return absl::OkStatus();
}

absl::Status GpuLearnedUnigramState::Halve(OpKernelContext* context, Var* counts,
                                           float distortion) {
  TF_RETURN_IF_ERROR(CheckDistortion(distortion));
  std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
  TF_RETURN_IF_ERROR(BringUpToDate(context, counts));
  Tensor on_host;
  TF_RETURN_IF_ERROR(Download(context, *counts->tensor(), &on_host));
  int64_t* const values = MutableData<int64_t>(&on_host);
  for (int64_t k = 0; k < on_host.NumElements(); ++k) values[k] >>= 1;
  is_built_ = false;
  from_.Clear();
  TF_RETURN_IF_ERROR(Unshare(context, counts));
  return CudaStatus(CopyToDeviceAndWait(CudaStreamOf(context), counts->tensor()->data(), values,
                                        on_host.TotalBytes()));
}

absl::Status GpuLearnedUnigramState::CheckDistortion(float distortion) {
  if (distortion == 1) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat("distortion must be 1 on a GPU, got ", distortion,
                                               ": make the sampler within tf.device('/CPU:0')"));
}

}  // namespace candsamp
