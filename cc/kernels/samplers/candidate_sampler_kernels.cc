// Kernels with TensorFlow's attributes.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cc/kernels/framework/run_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/samplers/candidate_samplers.h"
#include "cc/kernels/samplers/draw_outputs.h"
#include "cc/lib/samplers/log_uniform.h"
#include "cc/lib/samplers/uniform.h"
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
  absl::Status Sample(OpKernelContext* context, OpRuntime& runtime, const PhiloxStream& stream,
                      const Tensor& true_classes) override {
    return SampleBatch(context, runtime, owner_.distribution(), stream, num_sampled(), unique(),
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
    candsamp::Compute(context, [&](OpRuntime&) -> absl::Status {
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

class ReserveStreamOp : public OpKernel {
 public:
  explicit ReserveStreamOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, generator_.Init(context));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) -> absl::Status {
      const Tensor* num_sampled;
      TF_RETURN_IF_ERROR(context->input("num_sampled", &num_sampled));
      TF_RETURN_IF_ERROR(CheckScalar("num_sampled", *num_sampled));
      const int64_t count = *Data<int64_t>(*num_sampled);
      if (count < 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("num_sampled must be positive, got ", count));
      }
      Tensor* output;
      TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({3}), &output));
      const PhiloxStream stream = ReserveStream(&generator_, count);
      int64_t* const values = MutableData<int64_t>(output);
      values[0] = static_cast<int64_t>(stream.low);
      values[1] = static_cast<int64_t>(stream.high);
      values[2] = static_cast<int64_t>(stream.key);
      return absl::OkStatus();
    });
  }

 private:
  tensorflow::GuardedPhiloxRandom generator_;
};

#define CANDSAMP_REGISTER(name, kernel) \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>" name).Device(tensorflow::DEVICE_CPU), kernel)

CANDSAMP_REGISTER("UniformCandidateSampler", CandidateSamplerOp<RangeOwner<Uniform>>);
CANDSAMP_REGISTER("LogUniformCandidateSampler", CandidateSamplerOp<RangeOwner<LogUniform>>);
CANDSAMP_REGISTER("FixedUnigramCandidateSampler", CandidateSamplerOp<FixedUnigramOwner>);
CANDSAMP_REGISTER("AllCandidateSampler", AllCandidateSamplerOp);
CANDSAMP_REGISTER("ReserveStream", ReserveStreamOp);
// Work for the host, wherever the op is placed.
REGISTER_KERNEL_BUILDER(Name("Candsamp>ReserveStream")
                            .Device(tensorflow::DEVICE_GPU)
                            .HostMemory("num_sampled")
                            .HostMemory("stream"),
                        ReserveStreamOp);

}  // namespace
}  // namespace candsamp
