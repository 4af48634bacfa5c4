// SPDX-License-Identifier: Apache-2.0
// The distribution of given weights, by Vose's alias method (1991). Building it takes O(range)
// time, a draw O(1).
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_FIXED_UNIGRAM_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_FIXED_UNIGRAM_H_

#include <memory>

#include "cc/lib/sampler_math/alias_column.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

constexpr int64_t kMostUnigrams = (int64_t{1} << 32) - 1;

class FixedUnigram : public Distribution {
 public:
  // REQUIRES: 0 < range <= kMostUnigrams. Weights are finite, not negative, and not all zero. They
  // outlive this object, unchanged.
  FixedUnigram(const float* weights, int64_t range);

  int64_t support() const override { return support_; }
  double total() const { return total_; }
  const AliasColumn* columns() const { return columns_.get(); }
  void Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
            int64_t* out, const ExpectedCountOutput* counts = nullptr) const override;
  void Probabilities(const int64_t* ids, int64_t count, double* out) const override;

 private:
  const float* weights_;
  double total_ = 0;
  int64_t support_ = 0;
  std::unique_ptr<AliasColumn[]> columns_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_FIXED_UNIGRAM_H_
