// The kernel of compute_accidental_hits.
#include <limits>
#include <vector>

#include "cc/kernels/framework/run_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/samplers/hits_inputs.h"
#include "cc/lib/classes/accidental_hits.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

class ComputeAccidentalHitsOp : public OpKernel {
 public:
  explicit ComputeAccidentalHitsOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime& runtime) { return Run(context, runtime); });
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) const {
    const Tensor *true_classes, *candidates;
    TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
    TF_RETURN_IF_ERROR(context->input("sampled_candidates", &candidates));
    TF_RETURN_IF_ERROR(CheckHitsInputs(*true_classes, *candidates, num_true_));
    const CandidatePositions positions(runtime, Data<int64_t>(*candidates),
                                       candidates->NumElements());
    std::vector<int32_t> rows;
    std::vector<int64_t> hits;
    for (int64_t k = 0; k < true_classes->NumElements(); ++k) {
      positions.ForEach(Data<int64_t>(*true_classes)[k], [&](int64_t position) {
        rows.push_back(static_cast<int32_t>(k / num_true_));
        hits.push_back(position);
      });
    }
    Tensor *indices, *ids, *weights;
    const TensorShape shape({static_cast<int64_t>(hits.size())});
    TF_RETURN_IF_ERROR(context->allocate_output(0, shape, &indices));
    TF_RETURN_IF_ERROR(context->allocate_output(1, shape, &ids));
    TF_RETURN_IF_ERROR(context->allocate_output(2, shape, &weights));
    std::copy(rows.begin(), rows.end(), MutableData<int32_t>(indices));
    std::copy(hits.begin(), hits.end(), MutableData<int64_t>(ids));
    std::fill_n(MutableData<float>(weights), hits.size(), std::numeric_limits<float>::lowest());
    return absl::OkStatus();
  }

  int64_t num_true_;
};

REGISTER_KERNEL_BUILDER(Name("Candsamp>ComputeAccidentalHits").Device(tensorflow::DEVICE_CPU),
                        ComputeAccidentalHitsOp);

}  // namespace
}  // namespace candsamp
