// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/samplers/uniform.h"

#include <algorithm>
#include <atomic>

#include "cc/lib/sampler_math/stream_bits.h"

namespace candsamp {

// Draw k takes the stream's 64 bits number k, until a rejection shifts the draws after it.
void Uniform::Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
                   int64_t* out, const ExpectedCountOutput* counts) const {
  const UniformRange map = map_;
  const uint64_t first = *position;
  const double each = counts ? 1.0 / static_cast<double>(range()) * counts->factor : 0;
  std::atomic<bool> any_rejected{false};
  const bool rejections_are_rare = map.rejected <= uint64_t{1} << 44;
  if (rejections_are_rare) {
    runtime.ParallelFor(count, 6, [&](int64_t begin, int64_t end) {
      ForEachBits(stream, first, begin, end, [&](int64_t at, int64_t n, const uint64_t* bits) {
        if (ChosenSamplerLoops().uniform(bits, n, map, out + at)) {
          any_rejected.store(true, std::memory_order_relaxed);
        }
        if (counts) std::fill_n(counts->out + at, n, static_cast<float>(each));
      });
    });
    if (!any_rejected) {
      *position += count;
      return;
    }
  }
  if (counts) std::fill_n(counts->out, count, static_cast<float>(each));
  int64_t drawn = 0;
  uint64_t at = first;
  while (drawn < count) {
    ForEachBits(stream, at, 0, count - drawn, [&](int64_t, int64_t n, const uint64_t* bits) {
      for (int64_t k = 0; k < n; ++k) {
        out[drawn] = static_cast<int64_t>(UniformDraw(bits[k], map));
        drawn += bits[k] >= map.rejected;
      }
      at += n;
    });
  }
  *position = at;
}

void Uniform::Probabilities(const int64_t*, int64_t count, double* out) const {
  std::fill_n(out, count, 1.0 / static_cast<double>(range()));
}

}  // namespace candsamp
