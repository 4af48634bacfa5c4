#include "cc/kernels/samplers/candidate_samplers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cc/kernels/framework/run_kernel.h"
#include "cc/kernels/samplers/draw_outputs.h"
#include "cc/kernels/samplers/vocabulary_file.h"
#include "cc/lib/sampler_math/draw_rules.h"
#include "cc/lib/samplers/unigram_weights.h"

namespace candsamp {

using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

PhiloxStream ReserveStream(tensorflow::GuardedPhiloxRandom* generator, int64_t num_sampled) {
  const auto next =
      generator->ReserveSamples128(std::min(num_sampled, kMostSampled) * kBlocksPerSample);
  const auto pair = [](uint32_t low, uint32_t high) {
    return low | static_cast<uint64_t>(high) << 32;
  };
  return {pair(next.key()[0], next.key()[1]), pair(next.counter()[2], next.counter()[3]),
          pair(next.counter()[0], next.counter()[1])};
}

CandidateSamplerBase::CandidateSamplerBase(OpKernelConstruction* context) : OpKernel(context) {
  OP_REQUIRES_OK(context, context->GetAttr("num_true", &num_true_));
  OP_REQUIRES_OK(context, context->GetAttr("num_sampled", &num_sampled_));
  OP_REQUIRES_OK(context, context->GetAttr("unique", &unique_));
  OP_REQUIRES_OK(context, context->GetAttr("exact", &exact_));
  OP_REQUIRES_OK(context, generator_.Init(context));
}

void CandidateSamplerBase::Compute(OpKernelContext* context) {
  candsamp::Compute(context, [&](OpRuntime& runtime) -> absl::Status {
    const Tensor* true_classes;
    TF_RETURN_IF_ERROR(context->input("true_classes", &true_classes));
    TF_RETURN_IF_ERROR(CheckColumns(*true_classes, num_true_));
    return Sample(context, runtime, ReserveStream(&generator_, num_sampled_), *true_classes);
  });
}

absl::Status FixedUnigramOwner::Init(OpKernelConstruction* context) {
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

}  // namespace candsamp
