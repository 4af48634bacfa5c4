// SPDX-License-Identifier: Apache-2.0
// The kernel of compute_accidental_hits, for every device.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_ACCIDENTAL_HITS_OP_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_ACCIDENTAL_HITS_OP_H_

#include <limits>

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/samplers/draws.h"

namespace candsamp {

struct HitsInputs {
  const Tensor *true_classes, *candidates;
  int64_t num_true;
};

// Each hit is a true class that is also a candidate: its row, the candidate's position, and the
// lowest float as a weight.
struct HitsOutputs {
  int32_t* rows;
  int64_t* positions;
  float* weights;
};

// Draw<Device>::AccidentalHits finds the hits first and writes them later, since their number is
// the size of the outputs:
//   Find(context, runtime, inputs, &number);
//   Write(context, inputs, outputs), which is not called if there are none.
template <typename Device>
class ComputeAccidentalHitsOp : public StatusKernel {
 public:
  explicit ComputeAccidentalHitsOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    HitsInputs inputs = {};
    TF_RETURN_IF_ERROR(Read(context, &inputs));
    typename Draw<Device>::AccidentalHits hits;
    int64_t number = 0;
    TF_RETURN_IF_ERROR(hits.Find(context, runtime, inputs, &number));
    Tensor *indices, *ids, *weights;
    const TensorShape shape({number});
    TF_RETURN_IF_ERROR(context->allocate_output(0, shape, &indices));
    TF_RETURN_IF_ERROR(context->allocate_output(1, shape, &ids));
    TF_RETURN_IF_ERROR(context->allocate_output(2, shape, &weights));
    if (number == 0) return absl::OkStatus();
    return hits.Write(
        context, inputs,
        {MutableData<int32_t>(indices), MutableData<int64_t>(ids), MutableData<float>(weights)});
  }

  absl::Status Read(OpKernelContext* context, HitsInputs* inputs) const {
    TF_RETURN_IF_ERROR(ReadInputs(context, {{"true_classes", &inputs->true_classes},
                                            {"sampled_candidates", &inputs->candidates}}));
    inputs->num_true = num_true_;
    TF_RETURN_IF_ERROR(CheckTrueClasses(*inputs->true_classes, num_true_));
    if (inputs->candidates->dims() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("sampled_candidates must be a vector, got shape ",
                       inputs->candidates->shape().DebugString()));
    }
    if (inputs->true_classes->dim_size(0) > std::numeric_limits<int32_t>::max()) {
      return absl::InvalidArgumentError(
          absl::StrCat("true_classes must have fewer than 2^31 rows, got shape ",
                       inputs->true_classes->shape().DebugString()));
    }
    return absl::OkStatus();
  }

  int64_t num_true_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_ACCIDENTAL_HITS_OP_H_
