#include "cc/kernels/samplers/vocabulary_file.h"

#include "absl/strings/str_cat.h"
#include "cc/kernels/framework/run_kernel.h"

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

absl::Status ReadShardAttributes(tensorflow::OpKernelConstruction* context, UnigramShard* shard) {
  TF_RETURN_IF_ERROR(context->GetAttr("distortion", &shard->distortion));
  TF_RETURN_IF_ERROR(context->GetAttr("num_reserved_ids", &shard->num_reserved_ids));
  TF_RETURN_IF_ERROR(context->GetAttr("num_shards", &shard->num_shards));
  TF_RETURN_IF_ERROR(context->GetAttr("shard", &shard->shard));
  return ToStatus(shard->Check());
}

}  // namespace candsamp
