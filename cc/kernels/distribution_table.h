// What is derived from a sampler's variable, and how it is kept up to date.
#ifndef TF_CANDSAMP_CC_KERNELS_DISTRIBUTION_TABLE_H_
#define TF_CANDSAMP_CC_KERNELS_DISTRIBUTION_TABLE_H_

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cc/kernels/compute.h"
#include "cc/kernels/types.h"
#include "cc/lib/fixed_unigram.h"
#include "cc/lib/learned_unigram.h"
#include "cc/lib/unigram_weights.h"
#include "tensorflow/core/framework/resource_base.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

namespace candsamp {

// Both tables hold a reference to the tensor they were built from. While they do, TensorFlow
// changes a variable's value by giving it another tensor, never in place, so that comparing buffers
// tells whether the variable was assigned, restored or merged since.

// The alias table of a tensor of weights. Tables in use outlive their replacement.
class FixedUnigramTable : public tensorflow::ResourceBase {
 public:
  static constexpr const char* kVariable = "weights";

  std::string DebugString() const override { return "tf_candsamp's fixed-unigram table"; }

  // The table of `weights`.
  absl::Status Get(const tensorflow::Tensor& weights,
                   std::shared_ptr<const FixedUnigram>* distribution) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!built_ || !built_->weights.SharesBufferWith(weights)) {
      if (weights.dims() != 1 || weights.NumElements() < 1 ||
          weights.NumElements() > kMostUnigrams) {
        return absl::InvalidArgumentError(absl::StrCat("unigrams must be a vector of 1 to ",
                                                       kMostUnigrams, " weights, got shape ",
                                                       weights.shape().DebugString()));
      }
      const float* values = Data<float>(weights);
      TF_RETURN_IF_ERROR(ToStatus(CheckUnigramWeights(values, weights.NumElements())));
      built_ = std::make_shared<Built>(weights);
    }
    *distribution = std::shared_ptr<const FixedUnigram>(built_, &built_->distribution);
    return absl::OkStatus();
  }

 private:
  struct Built {
    explicit Built(const tensorflow::Tensor& weights)
        : weights(weights), distribution(Data<float>(weights), weights.NumElements()) {}
    tensorflow::Tensor weights;
    FixedUnigram distribution;
  };

  std::mutex mutex_;
  std::shared_ptr<Built> built_;
};

// The draw structure of a variable of counts. The variable's lock guards both, shared to draw and
// exclusive to count; the table's own lock is for variables that share a table.
class LearnedUnigramTable : public tensorflow::ResourceBase {
 public:
  static constexpr const char* kVariable = "counts";

  std::string DebugString() const override { return "tf_candsamp's learned-unigram table"; }

  // Calls read(distribution), which returns a status, while nobody counts.
  template <typename Read>
  absl::Status Draw(tensorflow::Var* counts, Read read) {
    {
      std::shared_lock<tensorflow::mutex> variable_lock(*counts->mu());
      std::shared_lock<std::shared_mutex> lock(mutex_);
      if (IsOf(counts)) return read(*distribution_);
    }
    std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
    std::lock_guard<std::shared_mutex> lock(mutex_);
    TF_RETURN_IF_ERROR(BringUpToDate(counts));
    return read(*distribution_);
  }

  // Adds one to the count of each class. Checks the classes first: all are counted, or none.
  absl::Status Count(tensorflow::OpKernelContext* context, tensorflow::Var* counts,
                     const char* name, const tensorflow::Tensor& classes);

 private:
  bool IsOf(tensorflow::Var* counts) const {
    return distribution_ && counts->is_initialized && counts_.SharesBufferWith(*counts->tensor());
  }
  absl::Status BringUpToDate(tensorflow::Var* counts);

  std::shared_mutex mutex_;
  tensorflow::Tensor counts_;
  std::unique_ptr<LearnedUnigram> distribution_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_DISTRIBUTION_TABLE_H_
