// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/samplers/log_uniform.h"

#include <cmath>

#include "cc/lib/sampler_math/stream_bits.h"

namespace candsamp {

LogUniform::LogUniform(int64_t range)
    : Distribution(range), map_{range, std::log1p(static_cast<double>(range))} {}

void LogUniform::Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position,
                      int64_t count, int64_t* out, const ExpectedCountOutput* counts) const {
  const uint64_t first = *position;
  runtime.ParallelFor(count, 12, [&](int64_t begin, int64_t end) {
    ForEachBits(stream, first, begin, end, [&](int64_t at, int64_t n, const uint64_t* bits) {
      ChosenSamplerLoops().log_uniform(bits, n, map_, out + at);
      WriteExpectedCounts(out, at, n, counts);
    });
  });
  *position += count;
}

void LogUniform::ExpectedCounts(const int64_t* ids, int64_t count, double factor,
                                float* out) const {
  ChosenSamplerLoops().log_uniform_count(ids, count, map_, factor, out);
}

void LogUniform::Probabilities(const int64_t* ids, int64_t count, double* out) const {
  ChosenSamplerLoops().log_uniform_probability(ids, count, map_, out);
}

}  // namespace candsamp
