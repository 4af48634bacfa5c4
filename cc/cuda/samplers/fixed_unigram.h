// SPDX-License-Identifier: Apache-2.0
// A distribution of given weights on a device. See distribution.h for what a View is.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_FIXED_UNIGRAM_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_FIXED_UNIGRAM_H_

#include "cc/cuda/samplers/distribution.h"
#include "cc/lib/sampler_math/alias_column.h"
#include "cc/lib/sampler_math/sampler_formulas.h"

namespace candsamp {

// The alias columns that FixedUnigram built, in the device's memory.
struct FixedUnigramView {
  static constexpr bool kRejects = true;

  FixedUnigramView(int64_t range, int64_t support, double total, const AliasColumn* columns)
      : range(range),
        can_be_drawn(support),
        inverse_total(1.0 / total),
        column_range(MakeColumnRange(static_cast<uint32_t>(range))),
        columns(columns) {}

  CANDSAMP_METHOD int64_t support() const { return can_be_drawn; }
  CANDSAMP_DEVICE PhiloxStream Start(const PhiloxStream& stream) const { return stream; }
  // A draw is two words of 32 bits: the fraction, then the column. Where the column's word is
  // rejected, the next word takes its place.
  template <typename Emit>
  CANDSAMP_DEVICE void Feed(uint64_t, const PhiloxBlock& random, Carry* carry, Emit emit) const {
    for (int k = 0; k < 4; ++k) {
      const uint32_t word = static_cast<uint32_t>(random.bits[k / 2] >> (32 * (k % 2)));
      if (!carry->holds) {
        *carry = {1, word};
      } else if (word >= column_range.rejected) {
        carry->holds = 0;
        emit(RandomDraw{word, carry->fraction});
      }
    }
  }
  CANDSAMP_DEVICE int64_t Class(const PhiloxStream&, const RandomDraw& draw) const {
    return Choose(draw).id;
  }
  // The column holds the weights of both its classes, so this reads no other. It need not ask
  // whether the class can be drawn: it was.
  CANDSAMP_DEVICE DrawnClass Draw(const PhiloxStream&, const RandomDraw& draw,
                                  double factor) const {
    const WeightedClass drawn = Choose(draw);
    return {drawn.id, static_cast<float>(drawn.weight * inverse_total * factor)};
  }
  CANDSAMP_DEVICE double Probability(int64_t id) const {
    const float weight = columns[id].weight;
    return CanBeDrawn(weight) ? weight * inverse_total : 0.0;
  }
  CANDSAMP_DEVICE float ExpectedCount(int64_t id, double factor) const {
    return static_cast<float>(Probability(id) * factor);
  }

  CANDSAMP_DEVICE WeightedClass Choose(const RandomDraw& draw) const {
    const uint64_t id = ColumnDraw(static_cast<uint32_t>(draw.bits), column_range);
    return ChooseOfColumn(columns[id], id, static_cast<uint32_t>(draw.more));
  }

  int64_t range;
  int64_t can_be_drawn;
  double inverse_total;
  ColumnRange column_range;
  const AliasColumn* columns;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_FIXED_UNIGRAM_H_
