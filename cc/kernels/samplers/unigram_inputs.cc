// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/samplers/unigram_inputs.h"

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/lib/samplers/fixed_unigram.h"

namespace candsamp {

absl::Status ReadVocabularyFile(tensorflow::Env* env, const std::string& path,
                                std::vector<float>* unigrams) {
  std::string text;
  absl::Status read = env->IsDirectory(path).ok() ? absl::InvalidArgumentError("it is a directory")
                                                  : tensorflow::ReadFileToString(env, path, &text);
  if (!read.ok()) {
    return absl::Status(read.code(),
                        absl::StrCat("vocab_file '", path, "' cannot be read: ", read.message()));
  }
  const std::string wrong = ParseVocabulary(text, unigrams);
  if (wrong.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("Wrong vocabulary format in vocab_file '", path, "': ", wrong));
}

absl::Status ReadShardAttributes(OpKernelConstruction* context, UnigramShard* shard) {
  TF_RETURN_IF_ERROR(context->GetAttr("distortion", &shard->distortion));
  TF_RETURN_IF_ERROR(context->GetAttr("num_reserved_ids", &shard->num_reserved_ids));
  TF_RETURN_IF_ERROR(context->GetAttr("num_shards", &shard->num_shards));
  TF_RETURN_IF_ERROR(context->GetAttr("shard", &shard->shard));
  return ToStatus(shard->Check());
}

absl::Status ReadWeightsAttributes(OpKernelConstruction* context, Tensor* weights) {
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
  tensorflow::AllocatorAttributes on_host;
  on_host.set_on_host(true);
  TF_RETURN_IF_ERROR(
      context->allocate_temp(tensorflow::DT_FLOAT, TensorShape({size}), weights, on_host));
  ShardWeights(unigrams.data(), unigrams.size(), shard, MutableData<float>(weights));
  return ToStatus(CheckUnigramWeights(Data<float>(*weights), size));
}

}  // namespace candsamp
