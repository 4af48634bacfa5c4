// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/samplers/sampler_state.h"

#include <algorithm>

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/samplers/draws.h"
#include "cc/lib/samplers/unigram_weights.h"

namespace candsamp {

absl::Status CheckWeightsTensor(const Tensor& weights) {
  if (weights.dtype() != tensorflow::DT_FLOAT || weights.dims() != 1 || weights.NumElements() < 1 ||
      weights.NumElements() > kMostUnigrams) {
    return absl::InvalidArgumentError(absl::StrCat(
        "unigrams must be a float vector of 1 to ", kMostUnigrams, " weights, got ",
        tensorflow::DataTypeString(weights.dtype()), " of shape ", weights.shape().DebugString()));
  }
  return absl::OkStatus();
}

absl::Status CheckCountsTensor(const Tensor& counts) {
  const int64_t range = counts.NumElements();
  if (counts.dtype() != tensorflow::DT_INT64 || counts.dims() != 1 || range < 1 ||
      range > kMostLearnedClasses) {
    return absl::InvalidArgumentError(absl::StrCat(
        "counts must be an int64 vector of 1 to ", kMostLearnedClasses, " values, got ",
        tensorflow::DataTypeString(counts.dtype()), " of shape ", counts.shape().DebugString()));
  }
  return absl::OkStatus();
}

absl::Status CheckCounts(const int64_t* counts, int64_t range, float distortion) {
  const int64_t bad = LearnedUnigram::FirstBadCount(counts, range, distortion);
  if (bad < 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "counts must not be negative, and with one more for each class sum to at most 2^62",
      distortion == 1 ? "" : absl::StrCat(" (raised to distortion = ", distortion, ": to 2^42)"),
      ", got ", counts[bad], " for class ", bad));
}

template <typename Keep>
absl::Status FixedUnigramState::Build(const Tensor& weights, Keep keep) {
  built_.reset();
  TF_RETURN_IF_ERROR(CheckWeightsTensor(weights));
  TF_RETURN_IF_ERROR(ToStatus(CheckUnigramWeights(Data<float>(weights), weights.NumElements())));
  built_ = std::make_shared<Built>(keep());
  return absl::OkStatus();
}

absl::Status FixedUnigramState::Get(const Tensor& weights,
                                    std::shared_ptr<const FixedUnigram>* distribution) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!built_ || !VariableSnapshot::IsSame(built_->weights, weights))
    TF_RETURN_IF_ERROR(Build(weights, [&] { return weights; }));
  *distribution = Current();
  return absl::OkStatus();
}

absl::Status FixedUnigramState::Get(Var* weights,
                                    std::shared_ptr<const FixedUnigram>* distribution) {
  {
    std::shared_lock<tensorflow::mutex> variable_lock(*weights->mu());
    std::lock_guard<std::mutex> lock(mutex_);
    if (built_ && from_.IsCurrent(weights)) {
      *distribution = Current();
      return absl::OkStatus();
    }
  }
  std::lock_guard<tensorflow::mutex> variable_lock(*weights->mu());
  std::lock_guard<std::mutex> lock(mutex_);
  if (!built_ || !from_.Settle(weights)) {
    if (!weights->is_initialized) {
      return absl::FailedPreconditionError("weights is a variable that is not initialized");
    }
    built_.reset();
    from_.Clear();
    const Tensor& now = *weights->tensor();
    TF_RETURN_IF_ERROR(Build(now, [&] {
      return std::vector<float>(Data<float>(now), Data<float>(now) + now.NumElements());
    }));
    from_.Set(weights);
  }
  *distribution = Current();
  return absl::OkStatus();
}

absl::Status LearnedUnigramState::BringUpToDate(Var* counts, float distortion) {
  if (IsBuilt(distortion) && from_.Settle(counts)) {
    distribution_->MoveTo(MutableData<int64_t>(counts->tensor()));
    return absl::OkStatus();
  }
  distribution_.reset();
  from_.Clear();
  if (!counts->is_initialized) {
    return absl::FailedPreconditionError("counts is a variable that is not initialized");
  }
  TF_RETURN_IF_ERROR(CheckCountsTensor(*counts->tensor()));
  int64_t* values = MutableData<int64_t>(counts->tensor());
  const int64_t range = counts->tensor()->NumElements();
  TF_RETURN_IF_ERROR(CheckCounts(values, range, distortion));
  distribution_ = std::make_unique<LearnedUnigram>(values, range, distortion);
  from_.Set(counts);
  return absl::OkStatus();
}

absl::Status LearnedUnigramState::Unshare(OpKernelContext* context, Var* counts) {
  from_.Release();
  Tensor* const shared = counts->tensor();
  if (shared->RefCountIsOne()) return absl::OkStatus();
  Tensor own;
  const absl::Status allocated =
      context->allocate_temp(tensorflow::DT_INT64, shared->shape(), &own);
  if (!allocated.ok()) {
    distribution_.reset();
    return allocated;
  }
  std::copy_n(Data<int64_t>(*shared), own.NumElements(), MutableData<int64_t>(&own));
  *shared = own;
  distribution_->MoveTo(MutableData<int64_t>(shared));
  return absl::OkStatus();
}

void LearnedUnigramState::Undo(Var* counts, const Tensor& classes) {
  int64_t* const values = MutableData<int64_t>(counts->tensor());
  const int64_t* const ids = Data<int64_t>(classes);
  for (int64_t k = 0; k < classes.NumElements(); ++k) --values[ids[k]];
  distribution_.reset();
  from_.Clear();
}

absl::Status LearnedUnigramState::Increment(OpKernelContext* context, Var* counts, float distortion,
                                            const char* name, const Tensor& classes,
                                            int64_t checked_range) {
  std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
  TF_RETURN_IF_ERROR(BringUpToDate(counts, distortion));
  // The variable may have been assigned since the caller's check.
  if (distribution_->range() != checked_range) {
    TF_RETURN_IF_ERROR(CheckInRange(name, classes, distribution_->range()));
  }
  const int64_t added = classes.NumElements();
  if (added > distribution_->room()) {
    return absl::InvalidArgumentError(absl::StrCat(
        distortion == 1 ? "counts must sum to at most 2^62, got "
                        : "counts raised to distortion must sum to at most 2^42, got 2^-20 times ",
        distribution_->total(), " and ", added, " more"));
  }
  TF_RETURN_IF_ERROR(Unshare(context, counts));
  const int64_t* const ids = Data<int64_t>(classes);
  bool are_sound;
  try {
    are_sound = distribution_->Add(ids, added);
  } catch (...) {
    Undo(counts, classes);
    throw;
  }
  if (!are_sound) {
    Undo(counts, classes);
    TF_RETURN_IF_ERROR(
        CheckCounts(Data<int64_t>(*counts->tensor()), counts->tensor()->NumElements(), distortion));
    return absl::InvalidArgumentError(
        absl::StrCat("counts must sum to at most 2^62, and ", added, " more exceed that"));
  }
  for (int64_t k = 0; k < added; ++k) from_.AddedOne(ids[k]);
  from_.Retake(counts);
  return absl::OkStatus();
}

absl::Status LearnedUnigramState::Halve(OpKernelContext* context, Var* counts, float distortion) {
  std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
  TF_RETURN_IF_ERROR(BringUpToDate(counts, distortion));
  TF_RETURN_IF_ERROR(Unshare(context, counts));
  bool are_sound;
  try {
    are_sound = distribution_->Halve();
  } catch (...) {  // The counts are halved. The next call builds the slots.
    distribution_.reset();
    from_.Clear();
    throw;
  }
  if (are_sound) {
    from_.Retake(counts);
    from_.Rewatch();
    return absl::OkStatus();
  }
  distribution_.reset();
  from_.Clear();
  return CheckCounts(Data<int64_t>(*counts->tensor()), counts->tensor()->NumElements(), distortion);
}

}  // namespace candsamp
