// SPDX-License-Identifier: Apache-2.0
// The uniform distribution on a device. See distribution.h for what a View is.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_UNIFORM_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_UNIFORM_H_

#include "cc/cuda/samplers/distribution.h"
#include "cc/lib/sampler_math/sampler_formulas.h"

namespace candsamp {

struct UniformView {
  static constexpr bool kRejects = true;

  explicit UniformView(int64_t range)
      : range(range), map(MakeUniformRange(range)), probability(1.0 / static_cast<double>(range)) {}

  CANDSAMP_METHOD int64_t support() const { return range; }
  CANDSAMP_DEVICE PhiloxStream Start(const PhiloxStream& stream) const { return stream; }
  template <typename Emit>
  CANDSAMP_DEVICE void Feed(uint64_t counter, const PhiloxBlock& random, Carry*, Emit emit) const {
    FeedPairs(counter, random, [&](const RandomDraw& draw) {
      if (draw.bits >= map.rejected) emit(draw);
    });
  }
  CANDSAMP_DEVICE int64_t Class(const PhiloxStream&, const RandomDraw& draw) const {
    return static_cast<int64_t>(UniformDraw(draw.bits, map));
  }
  CANDSAMP_DEVICE DrawnClass Draw(const PhiloxStream& stream, const RandomDraw& draw,
                                  double factor) const {
    const int64_t id = Class(stream, draw);
    return {id, ExpectedCount(id, factor)};
  }
  CANDSAMP_DEVICE double Probability(int64_t) const { return probability; }
  CANDSAMP_DEVICE float ExpectedCount(int64_t, double factor) const {
    return static_cast<float>(probability * factor);
  }

  int64_t range;
  UniformRange map;
  double probability;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_UNIFORM_H_
