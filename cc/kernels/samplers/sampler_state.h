// SPDX-License-Identifier: Apache-2.0
// The states that the CPU's kernels derive from a sampler's variable.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_SAMPLER_STATE_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_SAMPLER_STATE_H_

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/kernels/framework/variable_snapshot.h"
#include "cc/lib/samplers/fixed_unigram.h"
#include "cc/lib/samplers/learned_unigram.h"

namespace candsamp {

// Check that a tensor has the type and the shape of weights, or of counts.
absl::Status CheckWeightsTensor(const Tensor& weights);
absl::Status CheckCountsTensor(const Tensor& counts);
// Checks that no count is negative, and that the counts, each plus one, sum to at most 2^62, and
// their powers to at most 2^42.
absl::Status CheckCounts(const int64_t* counts, int64_t range, float distortion);

// The alias table of weights. A table in use outlives its replacement.
class FixedUnigramState {
 public:
  // Calls use(distribution), which returns a status, without any lock. The weights are those that a
  // variable holds, or those of a tensor that does not change.
  template <typename Weights, typename Use>
  absl::Status With(OpKernelContext*, Weights&& weights, Use use) {
    std::shared_ptr<const FixedUnigram> distribution;
    TF_RETURN_IF_ERROR(Get(weights, &distribution));
    return use(*distribution);
  }

 private:
  // The table refers to its weights: a tensor that does not change, or a copy of a variable's,
  // since a sparse update may write into the variable's own memory.
  struct Built {
    explicit Built(const Tensor& weights)
        : weights(weights), distribution(Data<float>(weights), weights.NumElements()) {}
    explicit Built(std::vector<float> weights)
        : copy(std::move(weights)), distribution(copy.data(), static_cast<int64_t>(copy.size())) {}
    Tensor weights;
    std::vector<float> copy;
    FixedUnigram distribution;
  };

  absl::Status Get(Var* weights, std::shared_ptr<const FixedUnigram>* distribution);
  absl::Status Get(const Tensor& weights, std::shared_ptr<const FixedUnigram>* distribution);
  // Builds the table of keep(), which returns the values of `weights` to be kept.
  template <typename Keep>
  absl::Status Build(const Tensor& weights, Keep keep);
  std::shared_ptr<const FixedUnigram> Current() const {
    return std::shared_ptr<const FixedUnigram>(built_, &built_->distribution);
  }

  std::mutex mutex_;
  VariableSnapshot from_;
  std::shared_ptr<Built> built_;
};

// The slots of a variable of counts. The variable's lock guards both: it is shared to draw, and
// exclusive to increment and to halve. `distortion` is that of the sampler whose counts these are.
class LearnedUnigramState {
 public:
  // Calls use(distribution), which returns a status, while nobody increments.
  template <typename Use>
  absl::Status With(OpKernelContext*, Var* counts, float distortion, Use use) {
    {
      std::shared_lock<tensorflow::mutex> variable_lock(*counts->mu());
      if (IsBuilt(distortion) && from_.IsCurrent(counts)) return use(*distribution_);
    }
    std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
    TF_RETURN_IF_ERROR(BringUpToDate(counts, distortion));
    return use(*distribution_);
  }

  // Adds one to the count of each class, or fails and adds nothing. Checks that the classes are in
  // range, unless the caller has checked them for this very range: 0 where it has not.
  absl::Status Increment(OpKernelContext* context, Var* counts, float distortion, const char* name,
                         const Tensor& classes, int64_t checked_range);

  // Halves all counts, rounded down.
  absl::Status Halve(OpKernelContext* context, Var* counts, float distortion);

 private:
  bool IsBuilt(float distortion) const {
    return distribution_ && distribution_->distortion() == distortion;
  }
  absl::Status BringUpToDate(Var* counts, float distortion);
  // Gives the variable a tensor of its own. Readers of it, such as a checkpoint being written, may
  // hold the present one.
  absl::Status Unshare(OpKernelContext* context, Var* counts);
  // Takes the increments back after Add has failed.
  void Undo(Var* counts, const Tensor& classes);

  VariableSnapshot from_;
  std::unique_ptr<LearnedUnigram> distribution_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_SAMPLER_STATE_H_
