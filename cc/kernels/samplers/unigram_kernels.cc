// Kernels that make the weights of a unigram sampler.
#include "absl/strings/str_cat.h"
#include "cc/kernels/framework/run_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/samplers/vocabulary_file.h"
#include "cc/lib/samplers/fixed_unigram.h"
#include "cc/lib/samplers/unigram_weights.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

class ReadVocabularyOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) -> absl::Status {
      const Tensor* path;
      TF_RETURN_IF_ERROR(context->input("vocab_file", &path));
      if (path->NumElements() != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("vocab_file must be one path, got shape ", path->shape().DebugString()));
      }
      std::vector<float> unigrams;
      TF_RETURN_IF_ERROR(ReadVocabularyFile(
          context->env(), std::string(*static_cast<tensorflow::tstring*>(path->data())),
          &unigrams));
      Tensor* output;
      TF_RETURN_IF_ERROR(context->allocate_output(
          0, TensorShape({static_cast<int64_t>(unigrams.size())}), &output));
      std::copy(unigrams.begin(), unigrams.end(), MutableData<float>(output));
      return absl::OkStatus();
    });
  }
};

class UnigramWeightsOp : public OpKernel {
 public:
  explicit UnigramWeightsOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, ReadShardAttributes(context, &shard_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) -> absl::Status {
      const Tensor* unigrams;
      TF_RETURN_IF_ERROR(context->input("unigrams", &unigrams));
      if (unigrams->dims() != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("unigrams must be a vector, got shape ", unigrams->shape().DebugString()));
      }
      const int64_t count = unigrams->NumElements();
      const float* given = Data<float>(*unigrams);
      TF_RETURN_IF_ERROR(ToStatus(CheckUnigramWeights(given, count)));
      const int64_t size = ShardSize(count, shard_);
      if (size < 1 || size > kMostUnigrams) {
        return absl::InvalidArgumentError(absl::StrCat("unigrams must leave 1 to ", kMostUnigrams,
                                                       " weights in the shard, got ", size));
      }
      if (shard_.IsIdentity()) {
        // The same tensor: who builds a table of it need not build it again.
        context->set_output(0, *unigrams);
        return absl::OkStatus();
      }
      Tensor* weights;
      TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({size}), &weights));
      ShardWeights(given, count, shard_, MutableData<float>(weights));
      return ToStatus(CheckUnigramWeights(Data<float>(*weights), size));
    });
  }

 private:
  UnigramShard shard_;
};

#define CANDSAMP_REGISTER(name, kernel) \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>" name).Device(tensorflow::DEVICE_CPU), kernel)

CANDSAMP_REGISTER("ReadVocabulary", ReadVocabularyOp);
CANDSAMP_REGISTER("UnigramWeights", UnigramWeightsOp);

// Work for the host, wherever the op is placed.
REGISTER_KERNEL_BUILDER(Name("Candsamp>ReadVocabulary")
                            .Device(tensorflow::DEVICE_GPU)
                            .HostMemory("vocab_file")
                            .HostMemory("unigrams"),
                        ReadVocabularyOp);
REGISTER_KERNEL_BUILDER(Name("Candsamp>UnigramWeights")
                            .Device(tensorflow::DEVICE_GPU)
                            .HostMemory("unigrams")
                            .HostMemory("weights"),
                        UnigramWeightsOp);

}  // namespace
}  // namespace candsamp
