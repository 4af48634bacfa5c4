// SPDX-License-Identifier: Apache-2.0
// Kernels of the ops with TensorFlow's attributes, for every device. They keep their random state
// as TensorFlow's do.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_CANDIDATE_SAMPLER_OPS_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_CANDIDATE_SAMPLER_OPS_H_

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/samplers/distribution_origin.h"
#include "cc/kernels/samplers/draws.h"
#include "tensorflow/core/util/guarded_philox_random.h"

namespace candsamp {

// Reserves the part of a random state that num_sampled candidates need.
PhiloxStream ReserveStream(tensorflow::GuardedPhiloxRandom* generator, int64_t num_sampled);

template <typename Device, typename Origin>
class CandidateSamplerOp : public StatusKernel {
 public:
  explicit CandidateSamplerOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
    OP_REQUIRES_OK(context, context->GetAttr("num_sampled", &options_.num_sampled));
    OP_REQUIRES_OK(context, context->GetAttr("unique", &options_.unique));
    OP_REQUIRES_OK(context, context->GetAttr("exact", &options_.exact));
    OP_REQUIRES_OK(context, generator_.Init(context));
    // Reading weights takes memory, for want of which it may throw.
    OP_REQUIRES_OK(context, Caught(type_string_view(), [&] { return origin_.Init(context); }));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    const Tensor* true_classes;
    TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
    TF_RETURN_IF_ERROR(CheckTrueClasses(*true_classes, num_true_));
    const PhiloxStream stream = ReserveStream(&generator_, options_.num_sampled);
    return origin_.With(context, nullptr, [&](const auto& distribution) {
      return DrawBatch<Device>(context, runtime, distribution, Draw<Device>::StreamOf(stream),
                               options_, *true_classes);
    });
  }

  Origin origin_;
  int64_t num_true_;
  BatchOptions options_;
  tensorflow::GuardedPhiloxRandom generator_;
};

template <typename Device>
class AllCandidateSamplerOp : public StatusKernel {
 public:
  explicit AllCandidateSamplerOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
    OP_REQUIRES_OK(context, context->GetAttr("num_sampled", &num_sampled_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime&) override {
    const Tensor* true_classes;
    TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
    TF_RETURN_IF_ERROR(CheckTrueClasses(*true_classes, num_true_));
    TF_RETURN_IF_ERROR(Draw<Device>::CheckClassIds("true_classes", *true_classes, num_sampled_));
    BatchOutputs outputs;
    TF_RETURN_IF_ERROR(PrepareBatch(context, {num_sampled_, /*unique=*/true, /*exact=*/true},
                                    num_sampled_, *true_classes, &outputs));
    return Draw<Device>::AllCandidates(context, *true_classes, outputs);
  }

  int64_t num_true_, num_sampled_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_CANDIDATE_SAMPLER_OPS_H_
