// Where a sampling op has its distribution from. A source has
//   Init(construction): reads attributes;
//   With(context, use): calls use(distribution), which returns a status;
//   Count(context, classes): what the op does with the true classes after a draw.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_DISTRIBUTION_ORIGIN_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_DISTRIBUTION_ORIGIN_H_

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cc/kernels/framework/derived_state.h"
#include "cc/kernels/framework/lookup_variable.h"
#include "cc/kernels/samplers/sampler_state.h"
#include "cc/lib/samplers/distribution.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// The attribute range_max.
template <typename D>
class RangeOrigin {
 public:
  absl::Status Init(tensorflow::OpKernelConstruction* context) {
    int64_t range;
    TF_RETURN_IF_ERROR(context->GetAttr("range_max", &range));
    if (range < 1) {
      return absl::InvalidArgumentError(absl::StrCat("range_max must be positive, got ", range));
    }
    distribution_.emplace(range);
    return absl::OkStatus();
  }
  template <typename Use>
  absl::Status With(tensorflow::OpKernelContext*, Use use) {
    return use(*distribution_);
  }
  absl::Status Count(tensorflow::OpKernelContext*, const tensorflow::Tensor&) {
    return absl::OkStatus();
  }

 private:
  std::optional<D> distribution_;
};

// The input `weights`, a tensor, of which there must be `range_max`.
class WeightsOrigin {
 public:
  absl::Status Init(tensorflow::OpKernelConstruction* context) {
    return context->GetAttr("range_max", &range_);
  }
  template <typename Use>
  absl::Status With(tensorflow::OpKernelContext* context, Use use) {
    const tensorflow::Tensor* weights;
    TF_RETURN_IF_ERROR(context->input("weights", &weights));
    std::shared_ptr<const FixedUnigram> distribution;
    TF_RETURN_IF_ERROR(table_.Get(*weights, &distribution));
    if (distribution->range() != range_) {
      return absl::InvalidArgumentError(absl::StrCat("range_max must be the number of weights, ",
                                                     distribution->range(), ", got ", range_));
    }
    return use(*distribution);
  }
  absl::Status Count(tensorflow::OpKernelContext*, const tensorflow::Tensor&) {
    return absl::OkStatus();
  }

 private:
  int64_t range_;
  FixedUnigramState table_;
};

// The input `weights`, a variable.
class FixedUnigramVariable {
 public:
  absl::Status Init(tensorflow::OpKernelConstruction*) { return absl::OkStatus(); }
  template <typename Use>
  absl::Status With(tensorflow::OpKernelContext* context, Use use) {
    tensorflow::core::RefCountPtr<tensorflow::Var> weights;
    TF_RETURN_IF_ERROR(LookupVariable(context, "weights", &weights));
    std::shared_ptr<const FixedUnigram> distribution;
    TF_RETURN_IF_ERROR(
        DerivedStates<FixedUnigramState>::Of(weights.get())->Get(weights.get(), &distribution));
    return use(*distribution);  // without any lock
  }
  absl::Status Count(tensorflow::OpKernelContext*, const tensorflow::Tensor&) {
    return absl::OkStatus();
  }
};

// The input `counts`, a variable. True classes are counted, unless the attribute `update` is false.
class LearnedUnigramVariable {
 public:
  absl::Status Init(tensorflow::OpKernelConstruction* context) {
    return context->HasAttr("update") ? context->GetAttr("update", &update_) : absl::OkStatus();
  }
  template <typename Use>
  absl::Status With(tensorflow::OpKernelContext* context, Use use) {
    tensorflow::core::RefCountPtr<tensorflow::Var> counts;
    TF_RETURN_IF_ERROR(LookupVariable(context, "counts", &counts));
    return DerivedStates<LearnedUnigramState>::Of(counts.get())->Draw(counts.get(), use);
  }
  absl::Status Count(tensorflow::OpKernelContext* context, const tensorflow::Tensor& classes) {
    return update_ ? Count(context, "true_classes", classes) : absl::OkStatus();
  }
  static absl::Status Count(tensorflow::OpKernelContext* context, const char* name,
                            const tensorflow::Tensor& classes) {
    if (classes.NumElements() == 0) return absl::OkStatus();
    tensorflow::core::RefCountPtr<tensorflow::Var> counts;
    TF_RETURN_IF_ERROR(LookupVariable(context, "counts", &counts));
    return DerivedStates<LearnedUnigramState>::Of(counts.get())
        ->Count(context, counts.get(), name, classes);
  }

 private:
  bool update_ = true;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_DISTRIBUTION_ORIGIN_H_
