// SPDX-License-Identifier: Apache-2.0
// The log-uniform distribution on a device. See distribution.h for what a View is.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_LOG_UNIFORM_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_LOG_UNIFORM_H_

#include <math.h>

#include "cc/cuda/samplers/distribution.h"
#include "cc/lib/sampler_math/sampler_formulas.h"

namespace candsamp {

struct LogUniformView {
  static constexpr bool kRejects = false;

  explicit LogUniformView(int64_t range)
      : range(range), map{range, log1p(static_cast<double>(range))} {}

  CANDSAMP_METHOD int64_t support() const { return range; }
  CANDSAMP_DEVICE PhiloxStream Start(const PhiloxStream& stream) const { return stream; }
  template <typename Emit>
  CANDSAMP_DEVICE void Feed(uint64_t counter, const PhiloxBlock& random, Carry*, Emit emit) const {
    FeedPairs(counter, random, emit);
  }
  CANDSAMP_DEVICE int64_t Class(const PhiloxStream&, const RandomDraw& draw) const {
    return LogUniformDraw(draw.bits, map);
  }
  CANDSAMP_DEVICE DrawnClass Draw(const PhiloxStream& stream, const RandomDraw& draw,
                                  double factor) const {
    const int64_t id = Class(stream, draw);
    return {id, ExpectedCount(id, factor)};
  }
  CANDSAMP_DEVICE double Probability(int64_t id) const {
    return LogUniformCount<double>(id, map, 1);
  }
  CANDSAMP_DEVICE float ExpectedCount(int64_t id, double factor) const {
    return LogUniformCount<float>(id, map, factor);
  }

  int64_t range;
  LogUniformRange map;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_LOG_UNIFORM_H_
