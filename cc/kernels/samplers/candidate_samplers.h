// What kernels with TensorFlow's attributes have in common: they keep their random state as
// TensorFlow's do.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_CANDIDATE_SAMPLERS_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_CANDIDATE_SAMPLERS_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/framework/run_kernel.h"
#include "cc/lib/core/philox.h"
#include "cc/lib/samplers/fixed_unigram.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/util/guarded_philox_random.h"

namespace candsamp {

// The next part of a kernel's random state, for num_sampled candidates.
PhiloxStream ReserveStream(tensorflow::GuardedPhiloxRandom* generator, int64_t num_sampled);

// Draws a batch from the next part of the kernel's stream.
class CandidateSamplerBase : public tensorflow::OpKernel {
 public:
  explicit CandidateSamplerBase(tensorflow::OpKernelConstruction* context);
  void Compute(tensorflow::OpKernelContext* context) override;

 protected:
  virtual absl::Status Sample(tensorflow::OpKernelContext* context, OpRuntime& runtime,
                              const PhiloxStream& stream,
                              const tensorflow::Tensor& true_classes) = 0;

  int64_t num_sampled() const { return num_sampled_; }
  bool unique() const { return unique_; }
  bool exact() const { return exact_; }

 private:
  int64_t num_true_ = 0, num_sampled_ = 0;
  bool unique_ = false, exact_ = false;
  tensorflow::GuardedPhiloxRandom generator_;
};

// Makes what a kernel draws from of its attributes: owner->Init(context).
template <typename Owner>
void InitOwner(tensorflow::OpKernelConstruction* context, Owner* owner) {
  OP_REQUIRES_OK(context, Caught(context->def().op(), [&] { return owner->Init(context); }));
}

// The weights of a kernel's attributes, and their table.
class FixedUnigramOwner {
 public:
  absl::Status Init(tensorflow::OpKernelConstruction* context);
  const FixedUnigram& distribution() const { return *distribution_; }

 private:
  std::vector<float> weights_;
  std::unique_ptr<FixedUnigram> distribution_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_CANDIDATE_SAMPLERS_H_
