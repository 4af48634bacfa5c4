// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/samplers/distribution.h"

#include <algorithm>

#include "cc/lib/sampler_math/sampler_loops.h"

namespace candsamp {

void Distribution::ExpectedCounts(const int64_t* ids, int64_t count, double factor,
                                  float* out) const {
  double p[kDrawChunk];
  for (int64_t at = 0; at < count; at += kDrawChunk) {
    const int64_t n = std::min(count - at, kDrawChunk);
    Probabilities(ids + at, n, p);
    ChosenSamplerLoops().scaled(p, n, factor, out + at);
  }
}

}  // namespace candsamp
