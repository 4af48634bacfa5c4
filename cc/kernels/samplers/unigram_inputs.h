// SPDX-License-Identifier: Apache-2.0
// The weights of a fixed-unigram distribution as ops are given them: vocabulary files, attributes.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_UNIGRAM_INPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_UNIGRAM_INPUTS_H_

#include <string>
#include <vector>

#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/samplers/unigram_weights.h"
#include "tensorflow/core/platform/env.h"

namespace candsamp {

// Reads the weights of a vocabulary file, on any of TensorFlow's file systems.
absl::Status ReadVocabularyFile(tensorflow::Env* env, const std::string& path,
                                std::vector<float>* unigrams);

// Reads the attributes distortion, num_reserved_ids, num_shards and shard.
absl::Status ReadShardAttributes(OpKernelConstruction* context, UnigramShard* shard);

// Reads the weights that the attributes vocab_file or unigrams, range_max and those of the shard
// give, into the host's memory.
absl::Status ReadWeightsAttributes(OpKernelConstruction* context, Tensor* weights);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_UNIGRAM_INPUTS_H_
