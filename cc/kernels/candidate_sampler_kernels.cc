// Kernels with TensorFlow's attributes, which keep their random state as TensorFlow's do.
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cc/kernels/compute.h"
#include "cc/kernels/sampling.h"
#include "cc/kernels/types.h"
#include "cc/kernels/vocabulary_file.h"
#include "cc/lib/draw_rules.h"
#include "cc/lib/fixed_unigram.h"
#include "cc/lib/log_uniform.h"
#include "cc/lib/uniform.h"
#include "cc/lib/unigram_weights.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/util/guarded_philox_random.h"

namespace candsamp {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

absl::Status ReadTrueClasses(OpKernelContext* context, int64_t num_true, const Tensor** classes) {
  TF_RETURN_IF_ERROR(context->input("true_classes", classes));
  return CheckColumns(**classes, num_true);
}

// `Owner` is made from a kernel's attributes and has a distribution().
template <typename Owner>
class CandidateSamplerOp : public OpKernel {
 public:
  explicit CandidateSamplerOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
    OP_REQUIRES_OK(context, context->GetAttr("num_sampled", &num_sampled_));
    OP_REQUIRES_OK(context, context->GetAttr("unique", &unique_));
    OP_REQUIRES_OK(context, context->GetAttr("exact", &exact_));
    OP_REQUIRES_OK(context, generator_.Init(context));
    absl::Status made;
    try {
      made = owner_.Init(context);
    } catch (const std::bad_alloc&) {
      made = absl::ResourceExhaustedError("no memory left for the sampler's table");
    }
    OP_REQUIRES_OK(context, made);
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](TfHost& host) -> absl::Status {
      const Tensor* true_classes;
      TF_RETURN_IF_ERROR(ReadTrueClasses(context, num_true_, &true_classes));
      const int64_t reserved = std::min(num_sampled_, kMostSampled) * kBlocksPerSample;
      const auto generator = generator_.ReserveSamples128(reserved);
      const auto pair = [](uint32_t low, uint32_t high) {
        return low | static_cast<uint64_t>(high) << 32;
      };
      const PhiloxStream stream = {pair(generator.key()[0], generator.key()[1]),
                                   pair(generator.counter()[2], generator.counter()[3]),
                                   pair(generator.counter()[0], generator.counter()[1])};
      return SampleBatch(context, host, owner_.distribution(), stream, num_sampled_, unique_,
                         exact_, *true_classes);
    });
  }

 private:
  int64_t num_true_, num_sampled_;
  bool unique_, exact_;
  tensorflow::GuardedPhiloxRandom generator_;
  Owner owner_;
};

template <typename D>
class RangeOwner {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    int64_t range;
    TF_RETURN_IF_ERROR(context->GetAttr("range_max", &range));
    distribution_ = std::make_unique<D>(range);
    return absl::OkStatus();
  }
  const Distribution& distribution() const { return *distribution_; }

 private:
  std::unique_ptr<D> distribution_;
};

class FixedUnigramOwner {
 public:
  absl::Status Init(OpKernelConstruction* context) {
    int64_t range;
    std::string vocab_file;
    UnigramShard shard;
    std::vector<float> unigrams;
    TF_RETURN_IF_ERROR(context->GetAttr("range_max", &range));
    TF_RETURN_IF_ERROR(context->GetAttr("vocab_file", &vocab_file));
    TF_RETURN_IF_ERROR(context->GetAttr("unigrams", &unigrams));
    TF_RETURN_IF_ERROR(ReadShardAttributes(context, &shard));
    if (vocab_file.empty() && unigrams.empty()) {
      return absl::InvalidArgumentError("Must provide either vocab_file or unigrams.");
    }
    if (!vocab_file.empty() && !unigrams.empty()) {
      return absl::InvalidArgumentError("Must only provide one of vocab_file and unigrams.");
    }
    if (!vocab_file.empty()) {
      TF_RETURN_IF_ERROR(ReadVocabularyFile(context->env(), vocab_file, &unigrams));
    }
    const int64_t size = ShardSize(unigrams.size(), shard);
    if (size != range || size > kMostUnigrams) {
      return absl::InvalidArgumentError(absl::StrCat(
          "range is ", range, " must be equal to weights size ", size,
          ": range_max must be the number of weights in this shard, at most ", kMostUnigrams));
    }
    TF_RETURN_IF_ERROR(ToStatus(CheckUnigramWeights(unigrams.data(), unigrams.size())));
    weights_.resize(size);
    ShardWeights(unigrams.data(), unigrams.size(), shard, weights_.data());
    TF_RETURN_IF_ERROR(ToStatus(CheckUnigramWeights(weights_.data(), size)));
    distribution_ = std::make_unique<FixedUnigram>(weights_.data(), size);
    return absl::OkStatus();
  }
  const Distribution& distribution() const { return *distribution_; }

 private:
  std::vector<float> weights_;
  std::unique_ptr<FixedUnigram> distribution_;
};

class AllCandidateSamplerOp : public OpKernel {
 public:
  explicit AllCandidateSamplerOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
    OP_REQUIRES_OK(context, context->GetAttr("num_sampled", &num_sampled_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](TfHost&) -> absl::Status {
      const Tensor* true_classes;
      TF_RETURN_IF_ERROR(ReadTrueClasses(context, num_true_, &true_classes));
      TF_RETURN_IF_ERROR(CheckClasses("true_classes", *true_classes, num_sampled_));
      Tensor *candidates, *true_count, *sampled_count;
      TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({num_sampled_}), &candidates));
      TF_RETURN_IF_ERROR(context->allocate_output(1, true_classes->shape(), &true_count));
      TF_RETURN_IF_ERROR(context->allocate_output(2, TensorShape({num_sampled_}), &sampled_count));
      for (int64_t k = 0; k < num_sampled_; ++k) MutableData<int64_t>(candidates)[k] = k;
      std::fill_n(MutableData<float>(sampled_count), num_sampled_, 1.0f);
      std::fill_n(MutableData<float>(true_count), true_classes->NumElements(), 1.0f);
      return absl::OkStatus();
    });
  }

 private:
  int64_t num_true_, num_sampled_;
};

#define CANDSAMP_REGISTER(name, kernel) \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>" name).Device(tensorflow::DEVICE_CPU), kernel)

CANDSAMP_REGISTER("UniformCandidateSampler", CandidateSamplerOp<RangeOwner<Uniform>>);
CANDSAMP_REGISTER("LogUniformCandidateSampler", CandidateSamplerOp<RangeOwner<LogUniform>>);
CANDSAMP_REGISTER("FixedUnigramCandidateSampler", CandidateSamplerOp<FixedUnigramOwner>);
CANDSAMP_REGISTER("AllCandidateSampler", AllCandidateSamplerOp);

}  // namespace
}  // namespace candsamp
