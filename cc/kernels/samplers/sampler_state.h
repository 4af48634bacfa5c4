// What is derived from a sampler's variable, and how it is kept up to date.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_SAMPLER_STATE_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_SAMPLER_STATE_H_

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cc/kernels/framework/run_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/framework/variable_snapshot.h"
#include "cc/lib/samplers/fixed_unigram.h"
#include "cc/lib/samplers/learned_unigram.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_var.h"

namespace candsamp {

// Whether a tensor can hold weights, or counts, as far as its type and shape go.
absl::Status CheckUnigramTensor(const tensorflow::Tensor& weights);
absl::Status CheckCountsTensor(const tensorflow::Tensor& counts);
// Whether counts are what they should be.
absl::Status CheckCounts(const int64_t* counts, int64_t range);

// The alias table of a tensor of weights. Tables in use outlive their replacement.
class FixedUnigramState {
 public:
  // The table of what a variable, or a tensor that does not change, holds.
  absl::Status Get(tensorflow::Var* weights, std::shared_ptr<const FixedUnigram>* distribution);
  absl::Status Get(const tensorflow::Tensor& weights,
                   std::shared_ptr<const FixedUnigram>* distribution);

 private:
  // Of a tensor that does not change, or of a copy of what a variable held: a sparse update may
  // write into the variable's own memory.
  struct Built {
    explicit Built(const tensorflow::Tensor& weights)
        : weights(weights), distribution(Data<float>(weights), weights.NumElements()) {}
    explicit Built(std::vector<float> weights)
        : copy(std::move(weights)), distribution(copy.data(), static_cast<int64_t>(copy.size())) {}
    tensorflow::Tensor weights;
    std::vector<float> copy;
    FixedUnigram distribution;
  };

  template <typename Source>
  absl::Status Build(const tensorflow::Tensor& weights, Source source);
  std::shared_ptr<const FixedUnigram> Current() const {
    return std::shared_ptr<const FixedUnigram>(built_, &built_->distribution);
  }

  std::mutex mutex_;
  VariableSnapshot from_;
  std::shared_ptr<Built> built_;
};

// The draw structure of a variable of counts. The variable's lock guards both, shared to draw and
// exclusive to count.
class LearnedUnigramState {
 public:
  // Calls read(distribution), which returns a status, while nobody counts.
  template <typename Read>
  absl::Status Draw(tensorflow::Var* counts, Read read) {
    {
      std::shared_lock<tensorflow::mutex> variable_lock(*counts->mu());
      if (distribution_ && from_.IsCurrent(counts)) return read(*distribution_);
    }
    std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
    TF_RETURN_IF_ERROR(BringUpToDate(counts));
    return read(*distribution_);
  }

  // Adds one to the count of each class. Checks the classes first: all are counted, or none.
  absl::Status Count(tensorflow::OpKernelContext* context, tensorflow::Var* counts,
                     const char* name, const tensorflow::Tensor& classes);

 private:
  absl::Status BringUpToDate(tensorflow::Var* counts);

  VariableSnapshot from_;
  std::unique_ptr<LearnedUnigram> distribution_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_SAMPLER_STATE_H_
