// SPDX-License-Identifier: Apache-2.0
// Kernels of the frequency estimator. Its state is a variable, whose lock they take.
#include <algorithm>
#include <mutex>
#include <shared_mutex>

#include "cc/kernels/framework/lookup_variable.h"
#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/lib/frequencies/gap_estimator.h"

namespace candsamp {
namespace {

absl::Status ReadShape(OpKernelConstruction* context, GapShape* shape) {
  TF_RETURN_IF_ERROR(context->GetAttr("num_buckets", &shape->buckets));
  TF_RETURN_IF_ERROR(context->GetAttr("num_hashes", &shape->hashes));
  if (shape->hashes < 1 || shape->hashes > kMostGapHashes) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_hashes must be in [1, ", kMostGapHashes, "], got ", shape->hashes));
  }
  if (shape->buckets < 1 || shape->buckets > kMostGapPlaces / shape->hashes) {
    return absl::InvalidArgumentError(absl::StrCat("num_buckets must be in [1, ", kMostGapPlaces,
                                                   " / num_hashes], got ", shape->buckets));
  }
  return absl::OkStatus();
}

// REQUIRES: the variable's lock.
absl::Status CheckState(const GapShape& shape, Var* state) {
  if (!state->is_initialized) {
    return absl::FailedPreconditionError("state is a variable that is not initialized");
  }
  const Tensor& words = *state->tensor();
  if (words.dtype() == tensorflow::DT_INT64 && words.NumElements() == shape.state_words())
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "state must be int64 [", shape.state_words(), "] for ", shape.hashes, " hashes of ",
      shape.buckets, " buckets, got ", tensorflow::DataTypeString(words.dtype()), " of shape ",
      words.shape().DebugString()));
}

class FrequencyUpdateOp : public StatusKernel {
 public:
  explicit FrequencyUpdateOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, ReadShape(context, &shape_));
    OP_REQUIRES_OK(context, context->GetAttr("learning_rate", &rate_));
    OP_REQUIRES(context, rate_ > 0 && rate_ <= 1,
                absl::InvalidArgumentError(
                    absl::StrCat("learning_rate must be above 0 and at most 1, got ", rate_)));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    const Tensor* ids;
    TF_RETURN_IF_ERROR(context->input("ids", &ids));
    RefCountPtr<Var> state;
    TF_RETURN_IF_ERROR(LookupVariable(context, "state", &state));
    const int64_t count = ids->NumElements();
    PlaceInBatch* const scratch = runtime.Allocate<PlaceInBatch>(count * shape_.hashes);
    std::lock_guard<tensorflow::mutex> lock(*state->mu());
    TF_RETURN_IF_ERROR(CheckState(shape_, state.get()));
    Tensor* const words = state->tensor();
    if (!words->RefCountIsOne()) {  // Readers, such as a checkpoint being written, keep theirs.
      Tensor own;
      TF_RETURN_IF_ERROR(context->allocate_temp(tensorflow::DT_INT64, words->shape(), &own));
      std::copy_n(Data<int64_t>(*words), words->NumElements(), MutableData<int64_t>(&own));
      *words = own;
    }
    AddIds(shape_, rate_, Data<int64_t>(*ids), count, MutableData<int64_t>(words), scratch);
    return absl::OkStatus();
  }

  GapShape shape_;
  float rate_;
};

class FrequencyGapsOp : public StatusKernel {
 public:
  explicit FrequencyGapsOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, ReadShape(context, &shape_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    const Tensor* ids;
    TF_RETURN_IF_ERROR(context->input("ids", &ids));
    RefCountPtr<Var> state;
    TF_RETURN_IF_ERROR(LookupVariable(context, "state", &state));
    Tensor* gaps;
    TF_RETURN_IF_ERROR(context->allocate_output(0, ids->shape(), &gaps));
    std::shared_lock<tensorflow::mutex> lock(*state->mu());
    TF_RETURN_IF_ERROR(CheckState(shape_, state.get()));
    const int64_t* const words = Data<int64_t>(*state->tensor());
    const int64_t* const values = Data<int64_t>(*ids);
    float* const out = MutableData<float>(gaps);
    runtime.ParallelFor(ids->NumElements(), 50 * shape_.hashes, [&](int64_t begin, int64_t end) {
      MeanGaps(shape_, words, values + begin, end - begin, out + begin);
    });
    return absl::OkStatus();
  }

  GapShape shape_;
};

#define CANDSAMP_REGISTER(name, kernel) \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>" name).Device(tensorflow::DEVICE_CPU), kernel)

CANDSAMP_REGISTER("FrequencyUpdate", FrequencyUpdateOp);
CANDSAMP_REGISTER("FrequencyGaps", FrequencyGapsOp);

}  // namespace
}  // namespace candsamp
