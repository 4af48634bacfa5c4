// SPDX-License-Identifier: Apache-2.0
// The formulas of the samplers: one random draw or one probability at a time.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_FORMULAS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_FORMULAS_H_

#include <math.h>
#include <stdint.h>

#include "cc/lib/core/bit_cast.h"
#include "cc/lib/core/double_math.h"
#include "cc/lib/core/host_device.h"
#include "cc/lib/core/philox.h"

namespace candsamp {

// Maps 64 random bits to [0, n) without bias: the lowest 2^64 mod n values of the bits are
// rejected.
struct UniformRange {
  uint64_t n;
  uint64_t rejected;    // bits below this are drawn again
  uint64_t reciprocal;  // floor(2^64 / n), or 0 when n is a power of two
};

CANDSAMP_FORMULA UniformRange MakeUniformRange(uint64_t n) {
  if ((n & (n - 1)) == 0) return {n, 0, 0};
  return {n, ~uint64_t{0} % n + 1, ~uint64_t{0} / n};
}

CANDSAMP_FORMULA uint64_t HighProduct(uint64_t a, uint64_t b) {
#ifdef __CUDA_ARCH__
  return __umul64hi(a, b);
#else
  return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
#endif
}

// bits mod n.
CANDSAMP_FORMULA uint64_t UniformDraw(uint64_t bits, const UniformRange& range) {
  if (range.reciprocal == 0) return bits & (range.n - 1);
  // The quotient is right or one too small.
  const uint64_t rest = bits - HighProduct(bits, range.reciprocal) * range.n;
  return rest >= range.n ? rest - range.n : rest;
}

// The same for 32 bits.
struct ColumnRange {
  uint32_t n;
  uint32_t rejected;
  uint32_t reciprocal;
};

CANDSAMP_FORMULA ColumnRange MakeColumnRange(uint32_t n) {
  if ((n & (n - 1)) == 0) return {n, 0, 0};
  return {n, ~uint32_t{0} % n + 1, ~uint32_t{0} / n};
}

CANDSAMP_FORMULA uint32_t ColumnDraw(uint32_t bits, const ColumnRange& range) {
  if (range.reciprocal == 0) return bits & (range.n - 1);
  const uint32_t quotient =
      static_cast<uint32_t>((static_cast<uint64_t>(bits) * range.reciprocal) >> 32);
  const uint32_t rest = bits - quotient * range.n;
  return rest >= range.n ? rest - range.n : rest;
}

// A draw from an alias table before the lookup. The upper half is the column, the lower half the
// fraction that decides between the column's two classes.
CANDSAMP_FORMULA int64_t ColumnAndFraction(uint32_t fraction, uint32_t bits,
                                           const ColumnRange& range) {
  return static_cast<int64_t>(static_cast<uint64_t>(ColumnDraw(bits, range)) << 32 | fraction);
}

// The log-uniform distribution: P(k) = log((k + 2) / (k + 1)) / log(range + 1).
struct LogUniformRange {
  int64_t range;
  double log_range;  // log(range + 1), as libm rounds it
};

// P(id) * factor.
template <typename Result>
CANDSAMP_FORMULA Result LogUniformCount(int64_t id, const LogUniformRange& range, double factor) {
  return static_cast<Result>(HalfLogOfNextRatio<Result>(1.0 / (2.0 * DoubleOfInteger(id) + 3.0)) *
                             (2.0 / range.log_range * factor));
}

// A log-uniform draw is floor(exp(x)) - 1 with x = u log(range + 1), wrapped into the range.
CANDSAMP_FORMULA double LogUniformExponent(uint64_t bits, const LogUniformRange& range) {
  return (BitCast<double>(UnitMantissa(bits) | 0x3ff0000000000000) - 1.0) * range.log_range;
}

// The draw for exp(x) = y, where y has a relative error of `error`. *margin is the distance from
// the nearest integer, less the error and half an ulp. It is negative if the rounding of exp
// decides the draw. That is so at the upper end of the range, and from 2^49 on.
CANDSAMP_FORMULA int64_t LogUniformOfPower(double y, double error, double* margin) {
  constexpr double kToMiddle = kTwo52 - 0.5;  // adding it rounds down, unless an integer is near
  const double shifted = y + kToMiddle;
  const double off_middle = y - (shifted - kToMiddle);
  *margin = FastMultiplyAdd(y, -2 * error, 0.5) - fabs(off_middle);
  return static_cast<int64_t>(BitCast<uint64_t>(shifted) - (kTwo52Bits + 1));
}

// The slow, exact form, for draws that the rounding of exp may decide.
CANDSAMP_FORMULA int64_t LogUniformToNearest(uint64_t bits, const LogUniformRange& range) {
  const int64_t id = static_cast<int64_t>(ExpToNearest(LogUniformExponent(bits, range))) - 1;
  return id >= range.range ? id - range.range : id;
}

CANDSAMP_FORMULA int64_t LogUniformDraw(uint64_t bits, const LogUniformRange& range) {
  const double x = LogUniformExponent(bits, range);
  double margin;
  const int64_t id =
      LogUniformOfPower(PreciseExp::Of(ReduceExp<FastMultiplyAdd>(x)), PreciseExp::error, &margin);
  return margin < 0 ? LogUniformToNearest(bits, range) : id;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_FORMULAS_H_
