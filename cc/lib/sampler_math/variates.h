// SPDX-License-Identifier: Apache-2.0
// Random variates besides the draws of classes: uniform, exponential, gamma and geometric.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_VARIATES_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_VARIATES_H_

#include <math.h>
#include <stdint.h>

#include "cc/lib/core/bit_cast.h"
#include "cc/lib/core/double_math.h"
#include "cc/lib/core/host_device.h"
#include "cc/lib/core/philox.h"

namespace candsamp {

// Streams for the random numbers that a call needs besides its draws. Each purpose has a key of its
// own, made from a counter that no draw uses.
enum class Purpose { kClocks, kWaiting, kRest };

CANDSAMP_FORMULA PhiloxStream StreamFor(const PhiloxStream& stream, Purpose purpose) {
  const PhiloxStream apart = {stream.key, stream.high ^ (uint64_t{1} << 63), stream.low};
  return Child(apart, static_cast<uint64_t>(purpose));
}

// A uniform double in (0, 1), from the upper 52 bits: the middle of one of 2^52 intervals.
CANDSAMP_FORMULA double OpenUnit(uint64_t bits) {
  return BitCast<double>((bits >> 12) | 0x3ff0000000000000) - (1.0 - 0x1p-53);
}

// When an exponential clock of rate p rings, from 64 random bits. A clock of rate 0 never does.
CANDSAMP_FORMULA double ClockOf(uint64_t bits, double p) {
  const double exponential = -Log1p(-OpenUnit(bits));
  return p > 0.0 ? exponential / (p > 0.0 ? p : 1.0) : HUGE_VAL;
}

// A draw from the gamma distribution of an integer shape >= 1: the time of the shape-th event when
// one is expected per unit of time. Marsaglia and Tsang (2000), with Marsaglia's polar normals.
CANDSAMP_FORMULA double GammaDraw(const PhiloxStream& stream, double shape) {
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / sqrt(9.0 * d);
  for (uint64_t block = 0;; block += 2) {
    const PhiloxBlock first = PhiloxBlockOf(stream, block),
                      second = PhiloxBlockOf(stream, block + 1);
    const double a = 2.0 * OpenUnit(first.bits[0]) - 1.0, b = 2.0 * OpenUnit(first.bits[1]) - 1.0;
    const double square = a * a + b * b;
    if (square >= 1.0 || square == 0.0) continue;
    const double normal = a * sqrt(-2.0 * Log(square) / square);
    const double root = 1.0 + c * normal;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    if (Log(OpenUnit(second.bits[0])) < 0.5 * normal * normal + d - d * v + d * Log(v)) {
      return d * v;
    }
  }
}

// The number of tries up to the first success of probability p.
CANDSAMP_FORMULA double GeometricDraw(uint64_t bits, double p) {
  if (p >= 1.0) return 1.0;
  return 1.0 + floor(Log(OpenUnit(bits)) / Log1p(-p));
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_VARIATES_H_
