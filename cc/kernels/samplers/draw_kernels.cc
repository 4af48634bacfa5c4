// Kernels that draw from a stream they are given.
#include "cc/kernels/framework/run_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/samplers/distribution_origin.h"
#include "cc/kernels/samplers/draw_outputs.h"
#include "cc/lib/samplers/draw_candidates.h"
#include "cc/lib/samplers/log_uniform.h"
#include "cc/lib/samplers/uniform.h"

namespace candsamp {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

template <typename Source>
class SampleOp : public OpKernel {
 public:
  explicit SampleOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, source_.Init(context));
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
    OP_REQUIRES_OK(context, context->GetAttr("unique", &unique_));
    OP_REQUIRES_OK(context, context->GetAttr("exact", &exact_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime& runtime) { return Run(context, runtime); });
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) {
    PhiloxStream stream;
    TF_RETURN_IF_ERROR(ReadStream(context, &stream));
    const Tensor *num_sampled, *true_classes;
    TF_RETURN_IF_ERROR(context->input("num_sampled", &num_sampled));
    TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
    TF_RETURN_IF_ERROR(CheckScalar("num_sampled", *num_sampled));
    if (num_true_ >= 0) TF_RETURN_IF_ERROR(CheckColumns(*true_classes, num_true_));
    TF_RETURN_IF_ERROR(source_.With(context, [&](const Distribution& distribution) {
      return SampleBatch(context, runtime, distribution, stream, *Data<int64_t>(*num_sampled),
                         unique_, exact_, *true_classes);
    }));
    return source_.Count(context, *true_classes);
  }

  Source source_;
  int64_t num_true_;
  bool unique_, exact_;
};

template <typename Source>
class RaggedSampleOp : public OpKernel {
 public:
  explicit RaggedSampleOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, source_.Init(context));
    OP_REQUIRES_OK(context, context->GetAttr("unique", &unique_));
    OP_REQUIRES_OK(context, context->GetAttr("exact", &exact_));
    OP_REQUIRES_OK(context, context->GetAttr("exclude_true", &exclude_true_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime& runtime) { return Run(context, runtime); });
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) {
    PhiloxStream stream;
    TF_RETURN_IF_ERROR(ReadStream(context, &stream));
    TF_RETURN_IF_ERROR(source_.With(context, [&](const Distribution& distribution) {
      return SampleRows(context, runtime, distribution, stream, unique_, exact_, exclude_true_);
    }));
    const Tensor* true_classes;
    TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
    return source_.Count(context, *true_classes);
  }

  Source source_;
  bool unique_, exact_, exclude_true_;
};

template <typename Source>
class ProbabilityOp : public OpKernel {
 public:
  explicit ProbabilityOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, source_.Init(context));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime& runtime) {
      return source_.With(context, [&](const Distribution& distribution) {
        const Tensor* ids;
        TF_RETURN_IF_ERROR(context->input("ids", &ids));
        TF_RETURN_IF_ERROR(CheckClasses("ids", *ids, distribution.range()));
        Tensor* probability;
        TF_RETURN_IF_ERROR(context->allocate_output(0, ids->shape(), &probability));
        ExpectedCounts(runtime, distribution, {CountRule::kProportional, 1.0}, Data<int64_t>(*ids),
                       ids->NumElements(), MutableData<float>(probability));
        return absl::OkStatus();
      });
    });
  }

 private:
  Source source_;
};

class LearnedUnigramUpdateOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) {
      const Tensor* classes;
      TF_RETURN_IF_ERROR(context->input("classes", &classes));
      return LearnedUnigramVariable::Count(context, "classes", *classes);
    });
  }
};

#define CANDSAMP_REGISTER(name, kernel) \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>" name).Device(tensorflow::DEVICE_CPU), kernel)

CANDSAMP_REGISTER("StatelessUniformSample", SampleOp<RangeOrigin<Uniform>>);
CANDSAMP_REGISTER("StatelessUniformRaggedSample", RaggedSampleOp<RangeOrigin<Uniform>>);
CANDSAMP_REGISTER("UniformProbability", ProbabilityOp<RangeOrigin<Uniform>>);
CANDSAMP_REGISTER("StatelessLogUniformSample", SampleOp<RangeOrigin<LogUniform>>);
CANDSAMP_REGISTER("StatelessLogUniformRaggedSample", RaggedSampleOp<RangeOrigin<LogUniform>>);
CANDSAMP_REGISTER("LogUniformProbability", ProbabilityOp<RangeOrigin<LogUniform>>);
CANDSAMP_REGISTER("StatelessFixedUnigramSample", SampleOp<WeightsOrigin>);
CANDSAMP_REGISTER("FixedUnigramSample", SampleOp<FixedUnigramVariable>);
CANDSAMP_REGISTER("FixedUnigramRaggedSample", RaggedSampleOp<FixedUnigramVariable>);
CANDSAMP_REGISTER("FixedUnigramProbability", ProbabilityOp<FixedUnigramVariable>);
CANDSAMP_REGISTER("LearnedUnigramSample", SampleOp<LearnedUnigramVariable>);
CANDSAMP_REGISTER("LearnedUnigramRaggedSample", RaggedSampleOp<LearnedUnigramVariable>);
CANDSAMP_REGISTER("LearnedUnigramProbability", ProbabilityOp<LearnedUnigramVariable>);
CANDSAMP_REGISTER("LearnedUnigramUpdate", LearnedUnigramUpdateOp);

}  // namespace
}  // namespace candsamp
