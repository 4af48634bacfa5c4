// SPDX-License-Identifier: Apache-2.0
// The origins of distributions: where a sampling op gets the one that it draws from. An origin has
//   Init(construction): reads attributes;
//   With(context, true_classes, use): calls use(distribution), which returns a status.
// An origin that learns then increments the counts of true_classes, unless they are nullptr.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_DISTRIBUTION_ORIGIN_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_DISTRIBUTION_ORIGIN_H_

#include <memory>
#include <optional>

#include "cc/kernels/framework/derived_state.h"
#include "cc/kernels/framework/lookup_variable.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/kernels/samplers/draws.h"
#include "cc/kernels/samplers/unigram_inputs.h"

namespace candsamp {

// The attribute range_max, from which a Distribution can be made.
template <typename Distribution>
class RangeOrigin {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    int64_t range;
    TF_RETURN_IF_ERROR(context->GetAttr("range_max", &range));
    if (range < 1) {
      return absl::InvalidArgumentError(absl::StrCat("range_max must be positive, got ", range));
    }
    distribution_.emplace(range);
    return absl::OkStatus();
  }
  template <typename Use>
  absl::Status With(OpKernelContext*, const Tensor*, Use use) {
    return use(*distribution_);
  }

 private:
  std::optional<Distribution> distribution_;
};

// The attributes of TensorFlow's FixedUnigramCandidateSampler: vocab_file or unigrams. Init reads
// and checks them; the first draw builds the alias table.
template <typename Device>
class WeightsAttributeOrigin {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    return ReadWeightsAttributes(context, &weights_);
  }
  template <typename Use>
  absl::Status With(OpKernelContext* context, const Tensor*, Use use) {
    return state_.With(context, weights_, use);
  }

 private:
  Tensor weights_;
  typename Draw<Device>::FixedUnigramState state_;
};

// The input `weights`, a tensor in the host's memory, which must hold range_max values.
template <typename Device>
class WeightsInputOrigin {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    return context->GetAttr("range_max", &range_);
  }
  template <typename Use>
  absl::Status With(OpKernelContext* context, const Tensor*, Use use) {
    const Tensor* weights;
    TF_RETURN_IF_ERROR(context->input("weights", &weights));
    return state_.With(context, *weights, [&](const auto& distribution) -> absl::Status {
      const int64_t range = Draw<Device>::Range(distribution);
      if (range == range_) return use(distribution);
      return absl::InvalidArgumentError(
          absl::StrCat("range_max must be the number of weights, ", range, ", got ", range_));
    });
  }

 private:
  int64_t range_;
  typename Draw<Device>::FixedUnigramState state_;
};

// The input `weights`, a variable.
template <typename Device>
class WeightsVariableOrigin {
 public:
  absl::Status Init(OpKernelConstruction*) { return absl::OkStatus(); }
  template <typename Use>
  absl::Status With(OpKernelContext* context, const Tensor*, Use use) {
    RefCountPtr<Var> weights;
    TF_RETURN_IF_ERROR(LookupVariable(context, "weights", &weights));
    const auto state = DerivedStates<typename Draw<Device>::FixedUnigramState>::Of(weights.get());
    return state->With(context, weights.get(), use);
  }
};

// The input `counts`, a variable, and the attribute `distortion`. True classes are counted unless
// the attribute `update` is false.
template <typename Device>
class CountsVariableOrigin {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    TF_RETURN_IF_ERROR(context->GetAttr("distortion", &distortion_));
    if (!(distortion_ >= 0 && distortion_ <= 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("distortion must be in [0, 1], got ", distortion_));
    }
    return context->HasAttr("update") ? context->GetAttr("update", &update_) : absl::OkStatus();
  }
  template <typename Use>
  absl::Status With(OpKernelContext* context, const Tensor* true_classes, Use use) {
    RefCountPtr<Var> counts;
    TF_RETURN_IF_ERROR(LookupVariable(context, "counts", &counts));
    const auto state = DerivedStates<State>::Of(counts.get());
    int64_t range = 0;
    TF_RETURN_IF_ERROR(
        state->With(context, counts.get(), distortion_, [&](const auto& distribution) {
          range = Draw<Device>::Range(distribution);
          return use(distribution);
        }));
    if (!true_classes || !update_ || true_classes->NumElements() == 0) return absl::OkStatus();
    return state->Increment(context, counts.get(), distortion_, "true_classes", *true_classes,
                            range);
  }

  // Adds one to the count of each class of the argument `name`.
  absl::Status Increment(OpKernelContext* context, const char* name, const Tensor& classes) const {
    if (classes.NumElements() == 0) return absl::OkStatus();
    RefCountPtr<Var> counts;
    TF_RETURN_IF_ERROR(LookupVariable(context, "counts", &counts));
    return DerivedStates<State>::Of(counts.get())
        ->Increment(context, counts.get(), distortion_, name, classes, 0);
  }

  // Halves all counts, rounded down.
  absl::Status Halve(OpKernelContext* context) const {
    RefCountPtr<Var> counts;
    TF_RETURN_IF_ERROR(LookupVariable(context, "counts", &counts));
    return DerivedStates<State>::Of(counts.get())->Halve(context, counts.get(), distortion_);
  }

 private:
  using State = typename Draw<Device>::LearnedUnigramState;

  float distortion_ = 1;
  bool update_ = true;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_DISTRIBUTION_ORIGIN_H_
