// Weights of a fixed-unigram distribution: from a vocabulary file, distorted, sharded, checked.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_UNIGRAM_WEIGHTS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_UNIGRAM_WEIGHTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cc/lib/sampler_math/alias_column.h"

namespace candsamp {

// Reads one weight a line: the number after the line's last comma, or the whole line. Blank lines
// are skipped; spaces and carriage returns do not matter. Returns what is wrong, or nothing.
std::string ParseVocabulary(std::string_view text, std::vector<float>* weights);

struct UnigramShard {
  float distortion = 1;  // weights are raised to this power
  // Ids [0, num_reserved_ids) come before the given weights and have weight 0.
  int64_t num_reserved_ids = 0;
  // Of all ids those with id % num_shards == shard are kept, as id / num_shards.
  int64_t num_shards = 1;
  int64_t shard = 0;

  // What is wrong, or nothing.
  std::string Check() const;
  // Whether it leaves weights as they are.
  bool IsIdentity() const;
};

// How many weights the shard keeps of `count` given ones. REQUIRES here and below: Check succeeds.
int64_t ShardSize(int64_t count, const UnigramShard& shard);

// Writes the shard's ShardSize(count, shard) weights.
void ShardWeights(const float* weights, int64_t count, const UnigramShard& shard, float* out);

// What keeps weights from being a distribution, or nothing.
std::string CheckUnigramWeights(const float* weights, int64_t count);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_UNIGRAM_WEIGHTS_H_
