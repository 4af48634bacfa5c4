#include "cc/lib/distribution.h"

#include <algorithm>

#include "cc/lib/sampler_kernels.h"

namespace candsamp {

void Distribution::Count(const int64_t* draws, int64_t at, int64_t n,
                         const DrawCounts* counts) const {
  if (!counts) return;
  double p[kDrawBlock];
  for (int64_t end = at + n; at < end; at += kDrawBlock) {
    const int64_t size = std::min(end - at, kDrawBlock);
    Probabilities(draws + at, size, p);
    ChosenSamplerKernels().scaled(p, size, counts->factor, counts->out + at);
  }
}

}  // namespace candsamp
