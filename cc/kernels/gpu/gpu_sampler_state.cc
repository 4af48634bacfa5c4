#include "cc/kernels/gpu/gpu_sampler_state.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cc/cuda/core/copies.h"
#include "cc/kernels/framework/run_kernel.h"
#include "cc/kernels/gpu/gpu_memory.h"
#include "cc/kernels/gpu/gpu_stream.h"
#include "cc/kernels/samplers/sampler_state.h"
#include "cc/lib/samplers/unigram_weights.h"

namespace candsamp {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::Var;

absl::Status UploadColumns(OpKernelContext* context, const FixedUnigram& distribution,
                           Tensor* columns) {
  const int64_t bytes = distribution.range() * static_cast<int64_t>(sizeof(AliasColumn));
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, bytes, columns));
  return GpuStatus(CopyToDeviceAndWait(GpuStream(context), MutableData<uint8_t>(columns),
                                       distribution.columns(), bytes));
}

bool GpuFixedUnigramState::Built::IsOf(const Tensor& weights) const {
  return weights.dims() == 1 && weights.NumElements() == static_cast<int64_t>(values.size()) &&
         std::memcmp(weights.data(), values.data(), values.size() * sizeof(float)) == 0;
}

absl::Status GpuFixedUnigramState::Build(OpKernelContext* context, const Tensor& weights) {
  built_.reset();
  TF_RETURN_IF_ERROR(CheckUnigramTensor(weights));
  std::vector<float> values;
  TF_RETURN_IF_ERROR(Download(context, weights, &values));
  return BuildOf(context, std::move(values));
}

absl::Status GpuFixedUnigramState::BuildFromHost(OpKernelContext* context, const Tensor& weights) {
  built_.reset();
  TF_RETURN_IF_ERROR(CheckUnigramTensor(weights));
  const float* const values = Data<float>(weights);
  return BuildOf(context, std::vector<float>(values, values + weights.NumElements()));
}

absl::Status GpuFixedUnigramState::BuildOf(OpKernelContext* context, std::vector<float> values) {
  TF_RETURN_IF_ERROR(ToStatus(CheckUnigramWeights(values.data(), values.size())));
  auto built = std::make_unique<Built>(std::move(values));
  TF_RETURN_IF_ERROR(UploadColumns(context, built->distribution, &built->columns));
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
      context, blocks.count * blocks.places * static_cast<int64_t>(sizeof(uint32_t)), &places));
  // In whole words of 32 bits.
  TF_RETURN_IF_ERROR(
      AllocateOnGpu(context, (blocks.count + 1) * static_cast<int64_t>(sizeof(uint16_t)), &taken));
  if (!state_.IsInitialized())
    TF_RETURN_IF_ERROR(AllocateOnGpu(context, sizeof(SlotState), &state_));
  places_ = places;
  taken_ = taken;
  has_room_ = counted < 2 * range ? counted : kMostLearnedCount;
  return absl::OkStatus();
}

absl::Status GpuLearnedUnigramState::Build(OpKernelContext* context, Var* counts, int64_t total) {
  const LearnedCounts learned = Learned(counts);
  const LaunchPlan plan = PlanCount(learned.range, 0);
  TF_RETURN_IF_ERROR(GpuStatus(plan.error));
  Tensor scratch;
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch));
  return GpuStatus(
      LaunchBuild(GpuStream(context), plan, learned, total, MutableData<uint8_t>(&scratch)));
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
  TF_RETURN_IF_ERROR(GpuStatus(CopyOnDevice(GpuStream(context), MutableData<int64_t>(&counts_),
                                            counts->tensor()->data(), counts_.TotalBytes())));
  std::vector<int64_t> values;
  TF_RETURN_IF_ERROR(Download(context, counts_, &values));
  TF_RETURN_IF_ERROR(CheckCounts(values.data(), counts->tensor()->NumElements()));
  counted_ = 0;
  for (const int64_t value : values) counted_ += value;
  const int64_t range = counts->tensor()->NumElements();
  TF_RETURN_IF_ERROR(Allocate(context, counted_, range));
  TF_RETURN_IF_ERROR(Build(context, counts, counted_ + range));
  is_built_ = true;
  from_.Set(counts);
  return absl::OkStatus();
}

absl::Status GpuLearnedUnigramState::Count(OpKernelContext* context, Var* counts,
                                           const Tensor& classes) {
  std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
  std::lock_guard<std::mutex> lock(mutex_);
  TF_RETURN_IF_ERROR(BringUpToDate(context, counts));
  const int64_t range = counts->tensor()->NumElements(), count = classes.NumElements();
  if (count > kMostLearnedCount - range - counted_) {
    return absl::InvalidArgumentError(absl::StrCat("counts must sum to at most 2^62, got ",
                                                   counted_ + range, " and ", count, " more"));
  }
  // Until all is launched, nothing is known.
  is_built_ = false;
  from_.Clear();
  if (!counts->tensor()->RefCountIsOne()) {
    // Readers of the variable, such as a checkpoint being written, may hold its tensor.
    Tensor copy;
    TF_RETURN_IF_ERROR(
        context->allocate_temp(tensorflow::DT_INT64, counts->tensor()->shape(), &copy));
    TF_RETURN_IF_ERROR(GpuStatus(CopyOnDevice(GpuStream(context), MutableData<int64_t>(&copy),
                                              counts->tensor()->data(), copy.TotalBytes())));
    *counts->tensor() = copy;
  }
  if (counted_ + count > has_room_) {
    // Room for twice as many, so that it is seldom made; no counts need more than 2 range have.
    const int64_t enough = 2 * range;
    const int64_t wanted = counted_ + count < enough / 2 ? 2 * (counted_ + count) : enough;
    TF_RETURN_IF_ERROR(Allocate(context, wanted, range));
    TF_RETURN_IF_ERROR(Build(context, counts, -1));
  }
  const LaunchPlan plan = PlanCount(range, count);
  TF_RETURN_IF_ERROR(GpuStatus(plan.error));
  Tensor scratch;
  TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch));
  TF_RETURN_IF_ERROR(
      GpuStatus(LaunchCount(GpuStream(context), plan, Learned(counts), Data<int64_t>(classes),
                            count, MutableData<uint8_t>(&scratch))));
  counted_ += count;
  is_built_ = true;
  from_.Set(counts);
  return absl::OkStatus();
}

}  // namespace candsamp
