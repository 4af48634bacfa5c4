// SPDX-License-Identifier: Apache-2.0
// The 64-bit pieces of a stream, a buffer at a time.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_STREAM_BITS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_STREAM_BITS_H_

#include <algorithm>
#include <cstdint>

#include "cc/lib/core/philox.h"
#include "cc/lib/sampler_math/sampler_loops.h"

namespace candsamp {

// Calls use(at, n, bits) for consecutive chunks [at, at + n) of [begin, end). bits[k] is the piece
// first + at + k of the stream. A few words after bits[n - 1] can be read.
template <int64_t kChunk = kDrawChunk, typename Use>
void ForEachBits(const PhiloxStream& stream, uint64_t first, int64_t begin, int64_t end, Use use) {
  alignas(64) uint64_t bits[kChunk + 16];
  const SamplerLoops& loops = ChosenSamplerLoops();
  for (int64_t at = begin; at < end; at += kChunk) {
    const int64_t n = std::min(end - at, kChunk);
    const uint64_t piece = first + at;
    const uint64_t odd = piece % 2;
    loops.philox(stream, piece / 2, (odd + n + 1) / 2, bits);
    use(at, n, bits + odd);
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_STREAM_BITS_H_
