// The distribution of given weights: Vose's alias method (1991). O(range) to build, O(1) a draw.
#ifndef TF_CANDSAMP_CC_LIB_FIXED_UNIGRAM_H_
#define TF_CANDSAMP_CC_LIB_FIXED_UNIGRAM_H_

#include <memory>

#include "cc/lib/distribution.h"

namespace candsamp {

constexpr int64_t kMostUnigrams = (int64_t{1} << 32) - 1;

class FixedUnigram : public Distribution {
 public:
  // REQUIRES: 0 < range <= kMostUnigrams; weights are finite, not negative, and not all zero; they
  // outlive this object, unchanged.
  FixedUnigram(const float* weights, int64_t range);

  int64_t support() const override { return support_; }
  void Draw(Host& host, const PhiloxStream& stream, uint64_t* position, int64_t count, int64_t* out,
            const DrawCounts* counts = nullptr) const override;
  void Probabilities(const int64_t* ids, int64_t count, double* out) const override;

 private:
  // A draw that falls on this class is this class with probability `keep`, else `alias`.
  struct Column {
    float keep;
    uint32_t alias;
    float weight, alias_weight;
  };

  const float* weights_;
  double total_ = 0;
  int64_t support_ = 0;
  std::unique_ptr<Column[]> columns_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_FIXED_UNIGRAM_H_
