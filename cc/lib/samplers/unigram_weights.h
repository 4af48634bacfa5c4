// SPDX-License-Identifier: Apache-2.0
// The weights of a fixed-unigram distribution: read from a vocabulary, distorted, sharded, checked.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_UNIGRAM_WEIGHTS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_UNIGRAM_WEIGHTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cc/lib/sampler_math/alias_column.h"

namespace candsamp {

// Reads one weight from each line: the number after the last comma, or the whole line if there is
// no comma. Skips blank lines, and ignores spaces and carriage returns. Reads hexadecimal floats
// too, as TensorFlow's strtof does. Returns what is wrong, or nothing.
std::string ParseVocabulary(std::string_view text, std::vector<float>* weights);

struct UnigramShard {
  float distortion = 1;  // weights are raised to this power
  // The ids [0, num_reserved_ids) have weight 0. The given weights follow.
  int64_t num_reserved_ids = 0;
  // The shard keeps the ids with id % num_shards == shard, as id / num_shards.
  int64_t num_shards = 1;
  int64_t shard = 0;

  // What is wrong, or nothing.
  std::string Check() const;
  // Whether weights stay as they are.
  bool IsIdentity() const;
};

// The number of weights that the shard keeps of `count` given ones. REQUIRES, here and below: Check
// returns nothing.
int64_t ShardSize(int64_t count, const UnigramShard& shard);

// Writes the shard's ShardSize(count, shard) weights.
void ShardWeights(const float* weights, int64_t count, const UnigramShard& shard, float* out);

// Returns what keeps weights from being a distribution, or nothing.
std::string CheckUnigramWeights(const float* weights, int64_t count);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_UNIGRAM_WEIGHTS_H_
