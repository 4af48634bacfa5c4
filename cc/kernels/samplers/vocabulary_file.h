// Weights of a fixed-unigram distribution, as kernels are given them.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_VOCABULARY_FILE_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_VOCABULARY_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cc/lib/samplers/unigram_weights.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/platform/env.h"

namespace candsamp {

// Reads the weights of a vocabulary file, on any of TensorFlow's file systems.
absl::Status ReadVocabularyFile(tensorflow::Env* env, const std::string& path,
                                std::vector<float>* unigrams);

// The attributes distortion, num_reserved_ids, num_shards and shard.
absl::Status ReadShardAttributes(tensorflow::OpKernelConstruction* context, UnigramShard* shard);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_VOCABULARY_FILE_H_
