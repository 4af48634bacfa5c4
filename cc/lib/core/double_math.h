// SPDX-License-Identifier: Apache-2.0
// Exponentials and logarithms in double precision.
//
// They are branch-free, so that loops over them vectorise. They use no fused operations unless
// their comment says so: g++ for every instruction set and nvcc must give the same bits. SLEEF,
// Highway's math and libm do not promise that, so none of them can stand in.
//
// The longer formulas come in two steps, a reduction and a series, and loops run one step at a
// time: a processor overlaps many short chains of operations, but few long ones.
#ifndef TF_CANDSAMP_CC_LIB_CORE_DOUBLE_MATH_H_
#define TF_CANDSAMP_CC_LIB_CORE_DOUBLE_MATH_H_

#include <math.h>
#include <stdint.h>

#include "cc/lib/core/bit_cast.h"
#include "cc/lib/core/host_device.h"

namespace candsamp {

constexpr double kTwo52 = 4503599627370496.0;
constexpr uint64_t kTwo52Bits = 0x4330000000000000;  // of 2^52: an integer goes into the low ones
constexpr double kRoundingShift = 1.5 * kTwo52;      // adding it rounds to an integer

// An integer of [0, 2^52) as a double.
CANDSAMP_FORMULA double DoubleOfShortInteger(int64_t k) {
  return BitCast<double>(static_cast<uint64_t>(k) | kTwo52Bits) - kTwo52;
}

// An integer of [0, 2^63) as the nearest double. Some instruction sets cannot convert 64 bits.
CANDSAMP_FORMULA double DoubleOfInteger(int64_t k) {
  const uint64_t bits = static_cast<uint64_t>(k);
  return (BitCast<double>((bits >> 32) | kTwo52Bits) - kTwo52) * 4294967296.0 +
         (BitCast<double>((bits & 0xffffffff) | kTwo52Bits) - kTwo52);
}

// a b + c, rounded once on machines that fuse the operations, else twice.
CANDSAMP_FORMULA double FastMultiplyAdd(double a, double b, double c) {
#if defined(__FMA__) || defined(__CUDA_ARCH__)
  return fma(a, b, c);
#else
  return a * b + c;
#endif
}
CANDSAMP_FORMULA double PlainMultiplyAdd(double a, double b, double c) { return a * b + c; }

// x = n ln 2 + r with |r| <= ln(2) / 2. REQUIRES: |x| < 1000.
struct ExpReduction {
  double r;
  uint64_t exponent;  // n in the bits of a double's exponent, modulo 2^64
};
template <double (*MultiplyAdd)(double, double, double)>
CANDSAMP_FORMULA ExpReduction ReduceExp(double x) {
  const double shifted = MultiplyAdd(x, 1.44269504088896340736, kRoundingShift);
  const double n = shifted - kRoundingShift;
  // n * (the upper 32 bits of ln 2) is exact.
  const double high = MultiplyAdd(n, -6.93147180369123816490e-1, x);
  return {MultiplyAdd(n, -1.90821492927058770002e-10, high), BitCast<uint64_t>(shifted) << 52};
}

// exp(r) - 1 on |r| <= ln(2) / 2: Taylor to r^13 (remainder 5e-18).
template <double (*MultiplyAdd)(double, double, double)>
CANDSAMP_FORMULA double ReducedExpm1(double r) {
  const double r2 = r * r;
  const double r4 = r2 * r2;
  const double c01 = MultiplyAdd(r, 1.6666666666666666667e-1, 0.5);
  const double c23 = MultiplyAdd(r, 8.3333333333333333333e-3, 4.1666666666666666667e-2);
  const double c45 = MultiplyAdd(r, 1.9841269841269841270e-4, 1.3888888888888888889e-3);
  const double c67 = MultiplyAdd(r, 2.7557319223985890653e-6, 2.4801587301587301587e-5);
  const double c89 = MultiplyAdd(r, 2.5052108385441718775e-8, 2.7557319223985890653e-7);
  const double cab = MultiplyAdd(r, 1.6059043836821614599e-10, 2.0876756987868098979e-9);
  const double low = MultiplyAdd(c23, r2, c01);
  const double middle = MultiplyAdd(c67, r2, c45);
  const double high = MultiplyAdd(cab, r2, c89);
  return MultiplyAdd(MultiplyAdd(MultiplyAdd(high, r4, middle), r4, low), r2, r);
}

// exp(x) of a reduced x with |x| < 700, with a relative error below `error`. It uses fused
// operations, so the bits differ between machines.
struct PreciseExp {
  static constexpr double error = 0x1p-51;
  static CANDSAMP_METHOD double Of(const ExpReduction& reduced) {
    const double power = ReducedExpm1<FastMultiplyAdd>(reduced.r) + 1.0;
    return BitCast<double>(BitCast<uint64_t>(power) + reduced.exponent);
  }
};
// The same with Taylor's series to r^10 (remainder 2.2e-13).
struct ShortExp {
  static constexpr double error = 0x1p-41;
  static CANDSAMP_METHOD double Of(const ExpReduction& reduced) {
    const double r = reduced.r;
    const double r2 = r * r;
    const double r4 = r2 * r2;
    const double c01 = FastMultiplyAdd(r, 1.6666666666666666667e-1, 0.5);
    const double c23 = FastMultiplyAdd(r, 8.3333333333333333333e-3, 4.1666666666666666667e-2);
    const double c45 = FastMultiplyAdd(r, 1.9841269841269841270e-4, 1.3888888888888888889e-3);
    const double c67 = FastMultiplyAdd(r, 2.7557319223985890653e-6, 2.4801587301587301587e-5);
    const double low = FastMultiplyAdd(c23, r2, c01);
    const double middle = FastMultiplyAdd(c67, r2, c45);
    const double high = FastMultiplyAdd(r4, 2.7557319223985890653e-7, middle);
    const double power = FastMultiplyAdd(FastMultiplyAdd(high, r4, low), r2, r) + 1.0;
    return BitCast<double>(BitCast<uint64_t>(power) + reduced.exponent);
  }
};

// exp(x) - 1 for x <= 0, within 3 ulp, in two steps.
CANDSAMP_FORMULA ExpReduction ReduceExpm1NonPositive(double x) {
  return ReduceExp<PlainMultiplyAdd>(x < -60.0 ? -60.0 : x);
}
CANDSAMP_FORMULA double Expm1NonPositiveOf(const ExpReduction& reduced, double x) {
  const double power = BitCast<double>(BitCast<uint64_t>(1.0) + reduced.exponent);
  const double value = ReducedExpm1<PlainMultiplyAdd>(reduced.r) * power + (power - 1.0);
  return x < -60.0 ? -1.0 : value;
}
CANDSAMP_FORMULA double Expm1NonPositive(double x) {
  return Expm1NonPositiveOf(ReduceExpm1NonPositive(x), x);
}

// (atanh(s) - s) / s^3 as a series in q = s^2, to q^8. Estrin's scheme, here and above, makes short
// chains of operations, which the processor overlaps.
CANDSAMP_FORMULA double AtanhSeries(double q) {
  const double q2 = q * q;
  const double q4 = q2 * q2;
  const double c01 = q * (1.0 / 5.0) + 1.0 / 3.0;
  const double c23 = q * (1.0 / 9.0) + 1.0 / 7.0;
  const double c45 = q * (1.0 / 13.0) + 1.0 / 11.0;
  const double c67 = q * (1.0 / 17.0) + 1.0 / 15.0;
  return ((q4 * (1.0 / 19.0) + (c67 * q2 + c45)) * q4) + (c23 * q2 + c01);
}

// x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and s = f / (2 + f), |s| < 0.1716, for normal
// x > 0.
struct LogReduction {
  double e, f, s;
};
CANDSAMP_FORMULA LogReduction ReduceLog(double x) {
  const uint64_t below_one = 0x00095f619980c433;  // 2 - sqrt(2), in units of the last place
  const uint64_t shifted = BitCast<uint64_t>(x) + below_one;
  const double e = BitCast<double>((shifted >> 52) | kTwo52Bits) - (kTwo52 + 1023.0);
  const double m =
      BitCast<double>((shifted & 0x000fffffffffffff) + (0x3ff0000000000000 - below_one));
  const double f = m - 1.0;
  return {e, f, f / (m + 1.0)};
}

// log(x) within 2 ulp: log(1 + f) = 2 atanh(s) as a series in s^2.
CANDSAMP_FORMULA double LogOf(const LogReduction& reduced) {
  const double e = reduced.e, f = reduced.f, s = reduced.s;
  const double q = s * s;
  const double series = AtanhSeries(q);
  // 2 atanh(s) = 2s + 2s q series, and 2s = f - s f.
  return e * 6.93147180369123816490e-1 +
         (f - (s * (f - 2.0 * (q * series)) - e * 1.90821492927058770002e-10));
}
CANDSAMP_FORMULA double Log(double x) { return LogOf(ReduceLog(x)); }

// log(1 + x) for -1 < x <= 0, within 4 ulp. Rounding 1 + x loses a part, which `correction` adds
// back to first order.
struct Log1pReduction {
  LogReduction rounded;
  double correction;
};
CANDSAMP_FORMULA Log1pReduction ReduceLog1p(double x) {
  const double y = 1.0 + x;
  const double lost = x - (y - 1.0);
  // lost / y to first order. Below y = 1/2 the sum is exact.
  return {ReduceLog(y), lost * (2.0 - y)};
}
CANDSAMP_FORMULA double Log1pOf(const Log1pReduction& reduced) {
  return LogOf(reduced.rounded) + reduced.correction;
}
CANDSAMP_FORMULA double Log1p(double x) { return Log1pOf(ReduceLog1p(x)); }

// log((k + 2) / (k + 1)) / 2 = atanh(s) with s = 1 / (2k + 3), for an integer k >= 0: a series in
// s^2 with s <= 1/7 for k > 1. Within 2e-13 of its value for a Result of double, and within 4e-10,
// a small part of an ulp, for float.
template <typename Result>
CANDSAMP_FORMULA double HalfLogOfNextRatio(double s) {
  const double q = s * s;
  const double q2 = q * q;
  const double c01 = q * (1.0 / 5.0) + 1.0 / 3.0;
  const double c23 = q * (1.0 / 9.0) + 1.0 / 7.0;
  const double c45 = sizeof(Result) > 4 ? q * (1.0 / 13.0) + 1.0 / 11.0 : 0.0;
  const double c2345 = sizeof(Result) > 4 ? c45 * q2 + c23 : c23;
  const double series = s + s * (q * (c2345 * q2 + c01));
  const double of_zero_or_one = s > 0.25 ? 3.46573590279972654709e-1 : 2.02732554054082190989e-1;
  return s > 0.17 ? of_zero_or_one : series;
}

// A number of about 107 bits: high + low, |low| <= half an ulp of high.
struct DoubleDouble {
  double high, low;
};

CANDSAMP_FORMULA DoubleDouble ExactSum(double a, double b) {
  const double sum = a + b;
  const double part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}
CANDSAMP_FORMULA DoubleDouble ExactProduct(double a, double b) {
  const double product = a * b;
  return {product, fma(a, b, -product)};
}
CANDSAMP_FORMULA DoubleDouble Plus(DoubleDouble a, double b) {
  const DoubleDouble sum = ExactSum(a.high, b);
  return ExactSum(sum.high, sum.low + a.low);
}
CANDSAMP_FORMULA DoubleDouble Times(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble product = ExactProduct(a.high, b.high);
  return ExactSum(product.high, product.low + (a.high * b.low + a.low * b.high));
}
CANDSAMP_FORMULA DoubleDouble Over(DoubleDouble a, double b) {
  const double quotient = a.high / b;
  const DoubleDouble back = ExactProduct(quotient, b);
  return ExactSum(quotient, ((a.high - back.high) - back.low + a.low) / b);
}

// exp(x) to the nearest double, for 0 <= x < 64: Taylor's series in double-double arithmetic, with
// an error near 2^-100. It is slow, and serves the few arguments where the last bit decides.
CANDSAMP_FORMULA double ExpToNearest(double x) {
  const double n = (x * 1.44269504088896340736 + kRoundingShift) - kRoundingShift;
  // ln 2 in three parts; products of the first two with n are exact.
  const double high = x - n * 0x1.62e42fefap-1;
  DoubleDouble r = ExactSum(high, -n * 0x1.cf79abc9ep-40);
  r = Plus(r, -n * 0x1.d9cc01f97b57ap-79);
  DoubleDouble sum = {1.0, 0.0};
  for (int k = 25; k > 0; --k) sum = Plus(Over(Times(sum, r), k), 1.0);
  return (sum.high + sum.low) * BitCast<double>(static_cast<uint64_t>(n + 1023.0) << 52);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CORE_DOUBLE_MATH_H_
