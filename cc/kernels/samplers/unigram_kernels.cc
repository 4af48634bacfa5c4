// SPDX-License-Identifier: Apache-2.0
// Kernels that make the weights of a unigram sampler.
#include <algorithm>
#include <string>
#include <vector>

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/samplers/unigram_inputs.h"
#include "cc/lib/samplers/fixed_unigram.h"
#include "cc/lib/samplers/unigram_weights.h"

namespace candsamp {
namespace {

class ReadVocabularyOp : public StatusKernel {
 public:
  using StatusKernel::StatusKernel;

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime&) override {
    const Tensor* path;
    TF_RETURN_IF_ERROR(context->input("vocab_file", &path));
    if (path->NumElements() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("vocab_file must be one path, got shape ", path->shape().DebugString()));
    }
    std::vector<float> unigrams;
    TF_RETURN_IF_ERROR(ReadVocabularyFile(
        context->env(), std::string(*static_cast<tensorflow::tstring*>(path->data())), &unigrams));
    Tensor* output;
    TF_RETURN_IF_ERROR(
        context->allocate_output(0, TensorShape({static_cast<int64_t>(unigrams.size())}), &output));
    std::copy(unigrams.begin(), unigrams.end(), MutableData<float>(output));
    return absl::OkStatus();
  }
};

class UnigramWeightsOp : public StatusKernel {
 public:
  explicit UnigramWeightsOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, ReadShardAttributes(context, &shard_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime&) override {
    const Tensor* unigrams;
    TF_RETURN_IF_ERROR(context->input("unigrams", &unigrams));
    if (unigrams->dims() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("unigrams must be a vector, got shape ", unigrams->shape().DebugString()));
    }
    const int64_t given = unigrams->NumElements();
    const float* values = Data<float>(*unigrams);
    TF_RETURN_IF_ERROR(ToStatus(CheckUnigramWeights(values, given)));
    const int64_t size = ShardSize(given, shard_);
    if (size < 1 || size > kMostUnigrams) {
      return absl::InvalidArgumentError(absl::StrCat("unigrams must leave 1 to ", kMostUnigrams,
                                                     " weights in the shard, got ", size));
    }
    if (shard_.IsIdentity()) {
      // The very same tensor, by which samplers see that their alias table is still right.
      context->set_output(0, *unigrams);
      return absl::OkStatus();
    }
    Tensor* weights;
    TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({size}), &weights));
    ShardWeights(values, given, shard_, MutableData<float>(weights));
    return ToStatus(CheckUnigramWeights(Data<float>(*weights), size));
  }

  UnigramShard shard_;
};

// The host does the work wherever the ops are placed.
#define CANDSAMP_REGISTER(device)                                                                  \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>ReadVocabulary")                                          \
                              .Device(device)                                                      \
                              .HostMemory("vocab_file")                                            \
                              .HostMemory("unigrams"),                                             \
                          ReadVocabularyOp);                                                       \
  REGISTER_KERNEL_BUILDER(                                                                         \
      Name("Candsamp>UnigramWeights").Device(device).HostMemory("unigrams").HostMemory("weights"), \
      UnigramWeightsOp)

CANDSAMP_REGISTER(tensorflow::DEVICE_CPU);
CANDSAMP_REGISTER(tensorflow::DEVICE_GPU);

}  // namespace
}  // namespace candsamp
