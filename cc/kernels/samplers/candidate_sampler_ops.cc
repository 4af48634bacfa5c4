// SPDX-License-Identifier: Apache-2.0
// Random state as TensorFlow keeps it, and the op that hands out parts of it.
#include "cc/kernels/samplers/candidate_sampler_ops.h"

#include <algorithm>

#include "cc/kernels/framework/tensor_data.h"
#include "cc/lib/sampler_math/draw_limits.h"

namespace candsamp {

PhiloxStream ReserveStream(tensorflow::GuardedPhiloxRandom* generator, int64_t num_sampled) {
  const auto next =
      generator->ReserveSamples128(std::min(num_sampled, kMostSampled) * kBlocksPerSample);
  const auto pair = [](uint32_t low, uint32_t high) {
    return low | static_cast<uint64_t>(high) << 32;
  };
  return {pair(next.key()[0], next.key()[1]), pair(next.counter()[2], next.counter()[3]),
          pair(next.counter()[0], next.counter()[1])};
}

namespace {

class ReserveStreamOp : public StatusKernel {
 public:
  explicit ReserveStreamOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, generator_.Init(context));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime&) override {
    const Tensor* num_sampled;
    TF_RETURN_IF_ERROR(context->input("num_sampled", &num_sampled));
    TF_RETURN_IF_ERROR(CheckScalar("num_sampled", *num_sampled));
    const int64_t size = *Data<int64_t>(*num_sampled);
    if (size < 1) {
      return absl::InvalidArgumentError(absl::StrCat("num_sampled must be positive, got ", size));
    }
    Tensor* output;
    TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({3}), &output));
    const PhiloxStream stream = ReserveStream(&generator_, size);
    int64_t* const values = MutableData<int64_t>(output);
    values[0] = static_cast<int64_t>(stream.low);
    values[1] = static_cast<int64_t>(stream.high);
    values[2] = static_cast<int64_t>(stream.key);
    return absl::OkStatus();
  }

  tensorflow::GuardedPhiloxRandom generator_;
};

#define CANDSAMP_REGISTER(device)                        \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>ReserveStream") \
                              .Device(device)            \
                              .HostMemory("num_sampled") \
                              .HostMemory("stream"),     \
                          ReserveStreamOp)

CANDSAMP_REGISTER(tensorflow::DEVICE_CPU);
// The host does the work wherever the op is placed.
CANDSAMP_REGISTER(tensorflow::DEVICE_GPU);

}  // namespace
}  // namespace candsamp
