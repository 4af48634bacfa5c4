// The 64-bit pieces of a stream, handed out a buffer at a time.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_STREAM_BITS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_STREAM_BITS_H_

#include <algorithm>
#include <cstdint>

#include "cc/lib/core/philox.h"
#include "cc/lib/sampler_math/sampler_loops.h"

namespace candsamp {

// Calls use(at, n, bits) for consecutive parts of [begin, end): bits[k] are the stream's 64 bits
// number first + at + k. Some more can be read.
template <int64_t kBlock = kDrawBlock, typename Use>
void ForEachBits(const PhiloxStream& stream, uint64_t first, int64_t begin, int64_t end, Use use) {
  alignas(64) uint64_t bits[kBlock + 16];
  const SamplerLoops& loops = ChosenSamplerLoops();
  for (int64_t at = begin; at < end; at += kBlock) {
    const int64_t n = std::min(end - at, kBlock);
    const uint64_t piece = first + at;
    const uint64_t odd = piece % 2;
    loops.philox(stream, piece / 2, (odd + n + 1) / 2, bits);
    use(at, n, bits + odd);
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_STREAM_BITS_H_
