// SPDX-License-Identifier: Apache-2.0
// The states that a GPU's kernels derive from a sampler's variable. See samplers/sampler_state.h
// for the CPU's.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_GPU_SAMPLER_STATE_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_GPU_SAMPLER_STATE_H_

#include <memory>
#include <mutex>

#include "cc/cuda/samplers/launchers.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/kernels/framework/variable_snapshot.h"
#include "cc/lib/samplers/fixed_unigram.h"

namespace candsamp {

// The alias table of weights. The host builds it, in the one order that gives TensorFlow's table,
// and copies it to the device: the first draw from other weights waits for that.
class GpuFixedUnigramState {
 public:
  // Calls use(view), which returns a status, with the weights that a variable holds.
  template <typename Use>
  absl::Status With(OpKernelContext* context, Var* weights, Use use) {
    std::lock_guard<tensorflow::mutex> variable_lock(*weights->mu());
    std::lock_guard<std::mutex> lock(mutex_);
    TF_RETURN_IF_ERROR(BringUpToDate(context, weights));
    return use(View());
  }
  // The same with the weights of a tensor in the host's memory. REQUIRES: nobody changes it; the
  // state keeps a reference instead of a copy.
  template <typename Use>
  absl::Status With(OpKernelContext* context, const Tensor& weights, Use use) {
    std::lock_guard<std::mutex> lock(mutex_);
    TF_RETURN_IF_ERROR(BringUpToDate(context, weights));
    return use(View());
  }

 private:
  struct Built {
    explicit Built(const Tensor& weights)
        : weights(weights), distribution(Data<float>(weights), weights.NumElements()) {}
    // Whether it was built from the same values.
    bool IsOf(const Tensor& other) const;

    Tensor weights;
    FixedUnigram distribution;
    Tensor columns;
  };

  absl::Status BringUpToDate(OpKernelContext* context, Var* weights);
  absl::Status BringUpToDate(OpKernelContext* context, const Tensor& weights);
  // REQUIRES: weights in the host's memory.
  absl::Status Build(OpKernelContext* context, const Tensor& weights);
  FixedUnigramView View() const {
    return FixedUnigramView(built_->distribution.range(), built_->distribution.support(),
                            built_->distribution.total(), Data<AliasColumn>(built_->columns));
  }

  std::mutex mutex_;
  VariableSnapshot from_{VariableSnapshot::Memory::kDevice};
  std::unique_ptr<Built> built_;
};

// The slots of a variable of counts. The device keeps them, and it alone knows the counts; the host
// knows how much memory the slots take at most. The slots are made of a copy of the counts, which
// nobody else can change; the variable is kept equal to it. After the variable was assigned, the
// next call waits for the counts, to check them. The variable's lock guards both.
class GpuLearnedUnigramState {
 public:
  // Calls use(view), which returns a status, while nobody launches an increment.
  template <typename Use>
  absl::Status With(OpKernelContext* context, Var* counts, float distortion, Use use) {
    TF_RETURN_IF_ERROR(CheckDistortion(distortion));
    std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
    TF_RETURN_IF_ERROR(BringUpToDate(context, counts));
    const LearnedCounts learned = Learned(counts);
    return use(LearnedUnigramView(learned.range, learned.counts, learned.state));
  }

  // Adds one to the count of each class that is in range. The other arguments are those of the
  // CPU's state, which checks classes.
  absl::Status Increment(OpKernelContext* context, Var* counts, float distortion, const char* name,
                         const Tensor& classes, int64_t checked_range);

  // Halves all counts, rounded down, on the host: it waits for the counts. The next call builds the
  // slots.
  absl::Status Halve(OpKernelContext* context, Var* counts, float distortion);

 private:
  // There are no device kernels for a distortion.
  static absl::Status CheckDistortion(float distortion);
  absl::Status BringUpToDate(OpKernelContext* context, Var* counts);
  // Gives the variable a tensor of its own.
  static absl::Status Unshare(OpKernelContext* context, Var* counts);
  // Makes sure that the slots have room for counts that sum to `counted`.
  absl::Status Reserve(OpKernelContext* context, Var* counts, int64_t counted);
  // Allocates memory for the slots of counts with this sum. They must be built then.
  absl::Status Allocate(OpKernelContext* context, int64_t counted, int64_t range);
  absl::Status Build(OpKernelContext* context, Var* counts, int64_t total);
  LearnedCounts Learned(Var* counts);

  VariableSnapshot from_{VariableSnapshot::Memory::kDevice};
  bool is_built_ = false;
  int64_t counted_ = 0;   // the sum of counts, at most
  int64_t has_room_ = 0;  // for counts of this sum
  Tensor counts_, state_, places_, taken_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_GPU_SAMPLER_STATE_H_
