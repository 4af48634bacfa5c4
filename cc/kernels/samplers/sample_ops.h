// SPDX-License-Identifier: Apache-2.0
// Kernels of the ops that draw from a stream they are given, for every device.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_SAMPLE_OPS_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_SAMPLE_OPS_H_

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/samplers/distribution_origin.h"
#include "cc/kernels/samplers/draws.h"

namespace candsamp {

template <typename Device, typename Origin>
class SampleOp : public StatusKernel {
 public:
  explicit SampleOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, origin_.Init(context));
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
    OP_REQUIRES_OK(context, context->GetAttr("unique", &unique_));
    OP_REQUIRES_OK(context, context->GetAttr("exact", &exact_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    const int64_t* stream;
    TF_RETURN_IF_ERROR(FindStream(context, &stream));
    const Tensor *num_sampled, *true_classes;
    TF_RETURN_IF_ERROR(
        ReadInputs(context, {{"num_sampled", &num_sampled}, {"true_classes", &true_classes}}));
    TF_RETURN_IF_ERROR(CheckScalar("num_sampled", *num_sampled));
    TF_RETURN_IF_ERROR(CheckTrueClasses(*true_classes, num_true_));
    const BatchOptions options = {*Data<int64_t>(*num_sampled), unique_, exact_};
    return origin_.With(context, true_classes, [&](const auto& distribution) {
      return DrawBatch<Device>(context, runtime, distribution, Draw<Device>::StreamAt(stream),
                               options, *true_classes);
    });
  }

  Origin origin_;
  int64_t num_true_;
  bool unique_, exact_;
};

template <typename Device, typename Origin>
class RaggedSampleOp : public StatusKernel {
 public:
  explicit RaggedSampleOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, origin_.Init(context));
    OP_REQUIRES_OK(context, context->GetAttr("unique", &options_.unique));
    OP_REQUIRES_OK(context, context->GetAttr("exact", &options_.exact));
    OP_REQUIRES_OK(context, context->GetAttr("exclude_true", &options_.exclude_true));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    const int64_t* stream;
    TF_RETURN_IF_ERROR(FindStream(context, &stream));
    RowsInputs inputs;
    TF_RETURN_IF_ERROR(inputs.Read(context));
    const Tensor& true_classes = *inputs.true_classes;
    return origin_.With(context, &true_classes, [&](const auto& distribution) -> absl::Status {
      TF_RETURN_IF_ERROR(Draw<Device>::CheckClassIds("true_classes", true_classes,
                                                     Draw<Device>::Range(distribution)));
      return Draw<Device>::Rows(context, runtime, distribution, Draw<Device>::StreamAt(stream),
                                options_, inputs);
    });
  }

  Origin origin_;
  RowsOptions options_;
};

template <typename Device, typename Origin>
class ProbabilityOp : public StatusKernel {
 public:
  explicit ProbabilityOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, origin_.Init(context));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    const Tensor* ids;
    TF_RETURN_IF_ERROR(context->input("ids", &ids));
    return origin_.With(context, nullptr, [&](const auto& distribution) -> absl::Status {
      TF_RETURN_IF_ERROR(
          Draw<Device>::CheckClassIds("ids", *ids, Draw<Device>::Range(distribution)));
      Tensor* probability;
      TF_RETURN_IF_ERROR(context->allocate_output(0, ids->shape(), &probability));
      return Draw<Device>::Probabilities(context, runtime, distribution, *ids,
                                         MutableData<float>(probability));
    });
  }

  Origin origin_;
};

template <typename Device>
class LearnedUnigramUpdateOp : public StatusKernel {
 public:
  explicit LearnedUnigramUpdateOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, origin_.Init(context));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime&) override {
    const Tensor* classes;
    TF_RETURN_IF_ERROR(context->input("classes", &classes));
    return origin_.Increment(context, "classes", *classes);
  }

  CountsVariableOrigin<Device> origin_;
};

// The input `when` is in the host's memory.
template <typename Device>
class LearnedUnigramHalveOp : public StatusKernel {
 public:
  explicit LearnedUnigramHalveOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, origin_.Init(context));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime&) override {
    const Tensor* when;
    TF_RETURN_IF_ERROR(context->input("when", &when));
    TF_RETURN_IF_ERROR(CheckScalar("when", *when));
    return *Data<bool>(*when) ? origin_.Halve(context) : absl::OkStatus();
  }

  CountsVariableOrigin<Device> origin_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_SAMPLE_OPS_H_
