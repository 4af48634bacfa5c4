// Kernels with TensorFlow's attributes.
#include <algorithm>
#include <memory>

#include "cc/kernels/candidate_samplers.h"
#include "cc/kernels/compute.h"
#include "cc/kernels/sampling.h"
#include "cc/kernels/types.h"
#include "cc/lib/log_uniform.h"
#include "cc/lib/uniform.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

// `Owner` is made from a kernel's attributes and has a distribution().
template <typename Owner>
class CandidateSamplerOp : public CandidateSamplerBase {
 public:
  explicit CandidateSamplerOp(OpKernelConstruction* context) : CandidateSamplerBase(context) {
    if (context->status().ok()) InitOwner(context, &owner_);
  }

 protected:
  absl::Status Sample(OpKernelContext* context, TfHost& host, const PhiloxStream& stream,
                      const Tensor& true_classes) override {
    return SampleBatch(context, host, owner_.distribution(), stream, num_sampled(), unique(),
                       exact(), true_classes);
  }

 private:
  Owner owner_;
};

template <typename D>
class RangeOwner {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    int64_t range;
    TF_RETURN_IF_ERROR(context->GetAttr("range_max", &range));
    distribution_ = std::make_unique<D>(range);
    return absl::OkStatus();
  }
  const Distribution& distribution() const { return *distribution_; }

 private:
  std::unique_ptr<D> distribution_;
};

class AllCandidateSamplerOp : public OpKernel {
 public:
  explicit AllCandidateSamplerOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
    OP_REQUIRES_OK(context, context->GetAttr("num_sampled", &num_sampled_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](TfHost&) -> absl::Status {
      const Tensor* true_classes;
      TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
      TF_RETURN_IF_ERROR(CheckColumns(*true_classes, num_true_));
      TF_RETURN_IF_ERROR(CheckClasses("true_classes", *true_classes, num_sampled_));
      Tensor *candidates, *true_count, *sampled_count;
      TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({num_sampled_}), &candidates));
      TF_RETURN_IF_ERROR(context->allocate_output(1, true_classes->shape(), &true_count));
      TF_RETURN_IF_ERROR(context->allocate_output(2, TensorShape({num_sampled_}), &sampled_count));
      for (int64_t k = 0; k < num_sampled_; ++k) MutableData<int64_t>(candidates)[k] = k;
      std::fill_n(MutableData<float>(sampled_count), num_sampled_, 1.0f);
      std::fill_n(MutableData<float>(true_count), true_classes->NumElements(), 1.0f);
      return absl::OkStatus();
    });
  }

 private:
  int64_t num_true_, num_sampled_;
};

#define CANDSAMP_REGISTER(name, kernel) \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>" name).Device(tensorflow::DEVICE_CPU), kernel)

CANDSAMP_REGISTER("UniformCandidateSampler", CandidateSamplerOp<RangeOwner<Uniform>>);
CANDSAMP_REGISTER("LogUniformCandidateSampler", CandidateSamplerOp<RangeOwner<LogUniform>>);
CANDSAMP_REGISTER("FixedUnigramCandidateSampler", CandidateSamplerOp<FixedUnigramOwner>);
CANDSAMP_REGISTER("AllCandidateSampler", AllCandidateSamplerOp);

}  // namespace
}  // namespace candsamp
