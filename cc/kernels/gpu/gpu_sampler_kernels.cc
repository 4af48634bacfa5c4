// The samplers' kernels for GPUs. What the host must know lies in its memory: how many candidates
// there are, row splits, weights that are not a variable. Classes are not checked, which would have
// to wait for the device.
#include <memory>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/samplers/all_candidates.h"
#include "cc/kernels/framework/derived_state.h"
#include "cc/kernels/framework/lookup_variable.h"
#include "cc/kernels/framework/run_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/gpu/gpu_draws.h"
#include "cc/kernels/gpu/gpu_sampler_state.h"
#include "cc/kernels/samplers/candidate_samplers.h"
#include "cc/kernels/samplers/draw_outputs.h"
#include "cc/kernels/samplers/hits_inputs.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::Var;
using tensorflow::core::RefCountPtr;

// Where an op has its source from: Init(construction), With(context, use), and Count(context,
// classes), as in distribution_sources.h.

template <typename Source>
class RangeOnGpu {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    TF_RETURN_IF_ERROR(context->GetAttr("range_max", &range_));
    if (range_ >= 1) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("range_max must be positive, got ", range_));
  }
  template <typename Use>
  absl::Status With(OpKernelContext*, Use use) {
    return use(Source(range_));
  }
  absl::Status Count(OpKernelContext*, const Tensor&) { return absl::OkStatus(); }

 private:
  int64_t range_;
};

class WeightsOnGpu {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    return context->GetAttr("range_max", &range_);
  }
  template <typename Use>
  absl::Status With(OpKernelContext* context, Use use) {
    const Tensor* weights;
    TF_RETURN_IF_ERROR(context->input("weights", &weights));
    return table_.With(context, *weights, [&](const FixedUnigramView& source) -> absl::Status {
      if (source.range == range_) return use(source);
      return absl::InvalidArgumentError(absl::StrCat("range_max must be the number of weights, ",
                                                     source.range, ", got ", range_));
    });
  }
  absl::Status Count(OpKernelContext*, const Tensor&) { return absl::OkStatus(); }

 private:
  int64_t range_;
  GpuFixedUnigramState table_;
};

class WeightsVariableOnGpu {
 public:
  absl::Status Init(OpKernelConstruction*) { return absl::OkStatus(); }
  template <typename Use>
  absl::Status With(OpKernelContext* context, Use use) {
    RefCountPtr<Var> weights;
    TF_RETURN_IF_ERROR(LookupVariable(context, "weights", &weights));
    return DerivedStates<GpuFixedUnigramState>::Of(weights.get())
        ->With(context, weights.get(), use);
  }
  absl::Status Count(OpKernelContext*, const Tensor&) { return absl::OkStatus(); }
};

class CountsOnGpu {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    return context->HasAttr("update") ? context->GetAttr("update", &update_) : absl::OkStatus();
  }
  template <typename Use>
  absl::Status With(OpKernelContext* context, Use use) {
    RefCountPtr<Var> counts;
    TF_RETURN_IF_ERROR(LookupVariable(context, "counts", &counts));
    return DerivedStates<GpuLearnedUnigramState>::Of(counts.get())
        ->With(context, counts.get(), use);
  }
  absl::Status Count(OpKernelContext* context, const Tensor& classes) {
    if (!update_ || classes.NumElements() == 0) return absl::OkStatus();
    RefCountPtr<Var> counts;
    TF_RETURN_IF_ERROR(LookupVariable(context, "counts", &counts));
    return DerivedStates<GpuLearnedUnigramState>::Of(counts.get())
        ->Count(context, counts.get(), classes);
  }

 private:
  bool update_ = true;
};

template <typename Origin>
class GpuSampleOp : public OpKernel {
 public:
  explicit GpuSampleOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, origin_.Init(context));
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
    OP_REQUIRES_OK(context, context->GetAttr("unique", &unique_));
    OP_REQUIRES_OK(context, context->GetAttr("exact", &exact_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) -> absl::Status {
      const int64_t* stream;
      TF_RETURN_IF_ERROR(FindStream(context, &stream));
      const Tensor *num_sampled, *true_classes;
      TF_RETURN_IF_ERROR(context->input("num_sampled", &num_sampled));
      TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
      TF_RETURN_IF_ERROR(CheckScalar("num_sampled", *num_sampled));
      if (num_true_ >= 0) TF_RETURN_IF_ERROR(CheckColumns(*true_classes, num_true_));
      TF_RETURN_IF_ERROR(origin_.With(context, [&](const auto& source) {
        return GpuSampleBatch(context, source, StreamOrigin::At(stream),
                              *Data<int64_t>(*num_sampled), unique_, exact_, *true_classes);
      }));
      return origin_.Count(context, *true_classes);
    });
  }

 private:
  Origin origin_;
  int64_t num_true_;
  bool unique_, exact_;
};

template <typename Origin>
class GpuRaggedSampleOp : public OpKernel {
 public:
  explicit GpuRaggedSampleOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, origin_.Init(context));
    OP_REQUIRES_OK(context, context->GetAttr("unique", &unique_));
    OP_REQUIRES_OK(context, context->GetAttr("exact", &exact_));
    OP_REQUIRES_OK(context, context->GetAttr("exclude_true", &exclude_true_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) -> absl::Status {
      const int64_t* stream;
      TF_RETURN_IF_ERROR(FindStream(context, &stream));
      TF_RETURN_IF_ERROR(origin_.With(context, [&](const auto& source) {
        return GpuSampleRows(context, source, StreamOrigin::At(stream), unique_, exact_,
                             exclude_true_);
      }));
      const Tensor* true_classes;
      TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
      return origin_.Count(context, *true_classes);
    });
  }

 private:
  Origin origin_;
  bool unique_, exact_, exclude_true_;
};

template <typename Origin>
class GpuProbabilityOp : public OpKernel {
 public:
  explicit GpuProbabilityOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, origin_.Init(context));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) {
      return origin_.With(context, [&](const auto& source) {
        const Tensor* ids;
        TF_RETURN_IF_ERROR(context->input("ids", &ids));
        Tensor* probability;
        TF_RETURN_IF_ERROR(context->allocate_output(0, ids->shape(), &probability));
        return GpuStatus(LaunchProbabilities(GpuStream(context), source, Data<int64_t>(*ids),
                                             ids->NumElements(), MutableData<float>(probability)));
      });
    });
  }

 private:
  Origin origin_;
};

class GpuLearnedUnigramUpdateOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) {
      const Tensor* classes;
      TF_RETURN_IF_ERROR(context->input("classes", &classes));
      return CountsOnGpu().Count(context, *classes);
    });
  }
};

// What a kernel with TensorFlow's attributes draws from.
class OwnerOfUnigramsOnGpu {
 public:
  absl::Status Init(OpKernelConstruction* context) { return owner_.Init(context); }
  template <typename Use>
  absl::Status With(OpKernelContext* context, Use use) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!columns_.IsInitialized()) {
      Tensor columns;
      TF_RETURN_IF_ERROR(UploadColumns(context, owner_.distribution(), &columns));
      columns_ = columns;
    }
    return use(ViewOf(owner_.distribution(), columns_));
  }

 private:
  FixedUnigramOwner owner_;
  std::mutex mutex_;
  Tensor columns_;
};

template <typename Owner>
class GpuCandidateSamplerOp : public CandidateSamplerBase {
 public:
  explicit GpuCandidateSamplerOp(OpKernelConstruction* context) : CandidateSamplerBase(context) {
    if (context->status().ok()) InitOwner(context, &owner_);
  }

 protected:
  absl::Status Sample(OpKernelContext* context, OpRuntime&, const PhiloxStream& stream,
                      const Tensor& true_classes) override {
    return owner_.With(context, [&](const auto& source) {
      return GpuSampleBatch(context, source, StreamOrigin::Of(stream), num_sampled(), unique(),
                            exact(), true_classes);
    });
  }

 private:
  Owner owner_;
};

class GpuAllCandidateSamplerOp : public OpKernel {
 public:
  explicit GpuAllCandidateSamplerOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
    OP_REQUIRES_OK(context, context->GetAttr("num_sampled", &num_sampled_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) -> absl::Status {
      const Tensor* true_classes;
      TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
      TF_RETURN_IF_ERROR(CheckColumns(*true_classes, num_true_));
      BatchOutputs outputs;
      TF_RETURN_IF_ERROR(
          PrepareBatch(context, *true_classes, num_sampled_, false, num_sampled_, &outputs));
      return GpuStatus(LaunchAllCandidates(
          GpuStream(context),
          {num_sampled_, true_classes->NumElements(), Data<int64_t>(*true_classes),
           MutableData<int64_t>(outputs.candidates), MutableData<float>(outputs.sampled_count),
           MutableData<float>(outputs.true_count)}));
    });
  }

 private:
  int64_t num_true_, num_sampled_;
};

// Waits for the number of hits, of which its outputs have the size.
class GpuComputeAccidentalHitsOp : public OpKernel {
 public:
  explicit GpuComputeAccidentalHitsOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) -> absl::Status {
      const Tensor *true_classes, *candidates;
      TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
      TF_RETURN_IF_ERROR(context->input("sampled_candidates", &candidates));
      TF_RETURN_IF_ERROR(CheckHitsInputs(*true_classes, *candidates, num_true_));
      const HitsInput input = {Data<int64_t>(*true_classes), true_classes->NumElements(), num_true_,
                               Data<int64_t>(*candidates), candidates->NumElements()};
      const bool none = input.num_true == 0 || input.num_candidates == 0;
      Tensor scratch;
      int64_t found = 0;
      if (!none) {
        const LaunchPlan plan = PlanHits(input);
        TF_RETURN_IF_ERROR(GpuStatus(plan.error));
        TF_RETURN_IF_ERROR(AllocateOnGpu(context, plan.scratch_bytes, &scratch));
        TF_RETURN_IF_ERROR(GpuStatus(
            LaunchFindHits(GpuStream(context), input, MutableData<uint8_t>(&scratch), &found)));
      }
      Tensor *indices, *ids, *weights;
      const TensorShape shape({found});
      TF_RETURN_IF_ERROR(context->allocate_output(0, shape, &indices));
      TF_RETURN_IF_ERROR(context->allocate_output(1, shape, &ids));
      TF_RETURN_IF_ERROR(context->allocate_output(2, shape, &weights));
      if (found == 0) return absl::OkStatus();
      return GpuStatus(LaunchWriteHits(
          GpuStream(context), input, MutableData<uint8_t>(&scratch),
          {MutableData<int32_t>(indices), MutableData<int64_t>(ids), MutableData<float>(weights)}));
    });
  }

 private:
  int64_t num_true_;
};

#define CANDSAMP_KERNEL(name) Name("Candsamp>" name).Device(tensorflow::DEVICE_GPU)
// Of ops whose number of candidates is an input.
#define CANDSAMP_SAMPLE_KERNEL(name) CANDSAMP_KERNEL(name).HostMemory("num_sampled")
#define CANDSAMP_ROWS_KERNEL(name) CANDSAMP_SAMPLE_KERNEL(name).HostMemory("true_splits")

#define CANDSAMP_REGISTER_RANGE(kind, Source)                                    \
  REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL(kind "CandidateSampler"),              \
                          GpuCandidateSamplerOp<RangeOnGpu<Source>>);            \
  REGISTER_KERNEL_BUILDER(CANDSAMP_SAMPLE_KERNEL("Stateless" kind "Sample"),     \
                          GpuSampleOp<RangeOnGpu<Source>>);                      \
  REGISTER_KERNEL_BUILDER(CANDSAMP_ROWS_KERNEL("Stateless" kind "RaggedSample"), \
                          GpuRaggedSampleOp<RangeOnGpu<Source>>);                \
  REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL(kind "Probability"), GpuProbabilityOp<RangeOnGpu<Source>>)

CANDSAMP_REGISTER_RANGE("Uniform", UniformView);
CANDSAMP_REGISTER_RANGE("LogUniform", LogUniformView);

#define CANDSAMP_REGISTER_VARIABLE(kind, variable, Origin)                                \
  REGISTER_KERNEL_BUILDER(CANDSAMP_SAMPLE_KERNEL(kind "Sample").HostMemory(variable),     \
                          GpuSampleOp<Origin>);                                           \
  REGISTER_KERNEL_BUILDER(CANDSAMP_ROWS_KERNEL(kind "RaggedSample").HostMemory(variable), \
                          GpuRaggedSampleOp<Origin>);                                     \
  REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL(kind "Probability").HostMemory(variable),       \
                          GpuProbabilityOp<Origin>)

CANDSAMP_REGISTER_VARIABLE("FixedUnigram", "weights", WeightsVariableOnGpu);
CANDSAMP_REGISTER_VARIABLE("LearnedUnigram", "counts", CountsOnGpu);

REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL("FixedUnigramCandidateSampler"),
                        GpuCandidateSamplerOp<OwnerOfUnigramsOnGpu>);
REGISTER_KERNEL_BUILDER(CANDSAMP_SAMPLE_KERNEL("StatelessFixedUnigramSample").HostMemory("weights"),
                        GpuSampleOp<WeightsOnGpu>);
REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL("LearnedUnigramUpdate").HostMemory("counts"),
                        GpuLearnedUnigramUpdateOp);
REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL("AllCandidateSampler"), GpuAllCandidateSamplerOp);
REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL("ComputeAccidentalHits"), GpuComputeAccidentalHitsOp);

}  // namespace
}  // namespace candsamp
