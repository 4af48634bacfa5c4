// What is derived from a sampler's variable on a GPU. See distribution_table.h for the CPU's.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_GPU_SAMPLER_STATE_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_GPU_SAMPLER_STATE_H_

#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "cc/cuda/samplers/launchers.h"
#include "cc/cuda/samplers/learned_unigram_launchers.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/framework/variable_snapshot.h"
#include "cc/lib/samplers/fixed_unigram.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_var.h"

namespace candsamp {

// Copies the alias table of a distribution to the device, and waits for it.
absl::Status UploadColumns(tensorflow::OpKernelContext* context, const FixedUnigram& distribution,
                           tensorflow::Tensor* columns);

inline FixedUnigramView ViewOf(const FixedUnigram& distribution,
                               const tensorflow::Tensor& columns) {
  return FixedUnigramView(distribution.range(), distribution.support(), distribution.total(),
                          Data<AliasColumn>(columns));
}

// The alias table of a tensor of weights. It is made on the host, in the one order that gives
// TensorFlow's table, and copied: whenever the weights are others, a draw waits for it.
class GpuFixedUnigramState {
 public:
  // Calls use(source), which returns a status, with what a variable holds, or a tensor in the
  // host's memory: for another one with the same values the table stays.
  template <typename Use>
  absl::Status With(tensorflow::OpKernelContext* context, tensorflow::Var* weights, Use use) {
    std::lock_guard<tensorflow::mutex> variable_lock(*weights->mu());
    std::lock_guard<std::mutex> lock(mutex_);
    if (!from_.Settle(weights) || !built_) {
      if (!weights->is_initialized) {
        return absl::FailedPreconditionError("weights is a variable that is not initialized");
      }
      from_.Clear();
      TF_RETURN_IF_ERROR(Build(context, *weights->tensor()));
      from_.Set(weights);
    }
    return use(ViewOf(built_->distribution, built_->columns));
  }
  template <typename Use>
  absl::Status With(tensorflow::OpKernelContext* context, const tensorflow::Tensor& weights,
                    Use use) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!built_ || !built_->IsOf(weights)) TF_RETURN_IF_ERROR(BuildFromHost(context, weights));
    return use(ViewOf(built_->distribution, built_->columns));
  }

 private:
  struct Built {
    explicit Built(std::vector<float> values)
        : values(std::move(values)), distribution(this->values.data(), this->values.size()) {}
    bool IsOf(const tensorflow::Tensor& weights) const;

    std::vector<float> values;
    FixedUnigram distribution;
    tensorflow::Tensor columns;
  };

  absl::Status Build(tensorflow::OpKernelContext* context, const tensorflow::Tensor& weights);
  absl::Status BuildFromHost(tensorflow::OpKernelContext* context,
                             const tensorflow::Tensor& weights);
  absl::Status BuildOf(tensorflow::OpKernelContext* context, std::vector<float> values);

  std::mutex mutex_;
  VariableSnapshot from_{VariableSnapshot::Memory::kDevice};
  std::unique_ptr<Built> built_;
};

// The table of slots of a variable of counts. It is kept by the device, which alone knows what the
// counts are; the host knows how much memory that takes at most. So the counts that it is made of
// are a copy, which nobody else can change; the variable is kept equal to it. Made from a variable
// that was assigned, it waits for the counts, to check them.
class GpuLearnedUnigramState {
 public:
  // Calls use(source), which returns a status, while nobody launches what counts.
  template <typename Use>
  absl::Status With(tensorflow::OpKernelContext* context, tensorflow::Var* counts, Use use) {
    std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
    std::lock_guard<std::mutex> lock(mutex_);
    TF_RETURN_IF_ERROR(BringUpToDate(context, counts));
    const LearnedCounts learned = Learned(counts);
    return use(LearnedUnigramView(learned.range, learned.counts, learned.state));
  }

  // Adds one to the count of each class that is in range.
  absl::Status Count(tensorflow::OpKernelContext* context, tensorflow::Var* counts,
                     const tensorflow::Tensor& classes);

 private:
  absl::Status BringUpToDate(tensorflow::OpKernelContext* context, tensorflow::Var* counts);
  // Memory for the table of counts with this sum, with which it must be built.
  absl::Status Allocate(tensorflow::OpKernelContext* context, int64_t counted, int64_t range);
  absl::Status Build(tensorflow::OpKernelContext* context, tensorflow::Var* counts, int64_t total);
  LearnedCounts Learned(tensorflow::Var* counts);

  std::mutex mutex_;
  VariableSnapshot from_{VariableSnapshot::Memory::kDevice};
  bool is_built_ = false;
  int64_t counted_ = 0;   // the sum of counts, at most
  int64_t has_room_ = 0;  // for counts of this sum
  tensorflow::Tensor counts_, state_, places_, taken_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_GPU_SAMPLER_STATE_H_
