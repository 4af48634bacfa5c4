// SPDX-License-Identifier: Apache-2.0
// The exponentials, logarithms and sigmoids of the losses.
//
// They are branch-free, so that loops over them vectorise. They are not SLEEF's or Highway's, so
// that each instruction set runs the same formula. The double overloads call libm, but for
// Expm1NonPositive, which double_math.h has: no loop over them is hot.
#ifndef TF_CANDSAMP_CC_LIB_CORE_FLOAT_MATH_H_
#define TF_CANDSAMP_CC_LIB_CORE_FLOAT_MATH_H_

#include <math.h>
#include <stdint.h>

#include "cc/lib/core/bit_cast.h"
#include "cc/lib/core/double_math.h"
#include "cc/lib/core/host_device.h"

namespace candsamp {

// exp(x) = scale * (1 + p), where scale is a power of two. x is in [-87, 0].
struct ReducedExp {
  float p, scale;
};

// Cody-Waite reduction x = n ln 2 + r, Taylor to r^7 on |r| <= ln(2)/2 (remainder 5e-9).
CANDSAMP_FORMULA ReducedExp ReduceExp(float x) {
  const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits.
  const float shifted = x * 1.44269504088896341f + shift;
  const float n = shifted - shift;
  const float r = (x - n * 0.693145751953125f) - n * 1.42860682030941723e-6f;
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = (p * r) * r + r;
  const float scale =
      BitCast<float>((BitCast<uint32_t>(shifted) - BitCast<uint32_t>(shift) + 127u) << 23);
  return {p, scale};
}

// exp(x) for x <= 0, within 1.1 ulp; 0 below -87 (and for minus infinity); NaN for NaN. A GPU has
// an instruction for powers of two, with which it is within 3 ulp in a quarter of the time: x / ln
// 2 is rounded to t, and what that lost comes back as a factor.
CANDSAMP_FORMULA float ExpNonPositive(float x) {
#ifdef __CUDA_ARCH__
  const float t = x * 1.44269502f;
  const float lost = __builtin_fmaf(x, 1.92596299e-8f, __builtin_fmaf(x, 1.44269502f, -t));
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(t));
  const float value = __builtin_fmaf(power, lost * 0.693147182f, power);
  return x < -87.0f ? 0.0f : value;
#else
  const ReducedExp e = ReduceExp(x);
  // One product: p * scale alone could be subnormal, and TensorFlow's threads flush those to zero.
  const float value = (e.p + 1.0f) * e.scale;
  return x < -87.0f ? 0.0f : value;
#endif
}

CANDSAMP_FORMULA double ExpNonPositive(double x) { return exp(x); }

// exp(x) - 1 for x <= 0, without cancellation; -1 below -87; NaN for NaN.
CANDSAMP_FORMULA float Expm1NonPositive(float x) {
  const ReducedExp e = ReduceExp(x);
  const float value = e.p * e.scale + (e.scale - 1.0f);
  return x < -87.0f ? -1.0f : value;
}

// log(1 + t) for 0 <= t <= 1, within 1.4 ulp: 2 atanh(s) with s = t / (2 + t) <= 1/3, as a series
// in s^2.
CANDSAMP_FORMULA float Log1pUnit(float t) {
  const float s = t / (2.0f + t);
  const float q = s * s;
  float p = 1.0f / 17.0f;
  p = p * q + 1.0f / 15.0f;
  p = p * q + 1.0f / 13.0f;
  p = p * q + 1.0f / 11.0f;
  p = p * q + 1.0f / 9.0f;
  p = p * q + 1.0f / 7.0f;
  p = p * q + 1.0f / 5.0f;
  p = p * q + 1.0f / 3.0f;
  return t - s * (t - 2.0f * (q * p));
}

CANDSAMP_FORMULA double Log1pUnit(double t) { return log1p(t); }

// The cross-entropy of sigmoid(z) and a target: log(1 + exp(z)) - target * z, without overflow and
// without cancellation for large z.
template <typename A>
CANDSAMP_FORMULA A SigmoidCrossEntropy(A z, A target) {
  const A positive = z < A(0) ? A(0) : z;
  return (positive - target * z) + Log1pUnit(ExpNonPositive(z < A(0) ? z : -z));
}

// log(1 + exp(z)), without overflow.
template <typename A>
CANDSAMP_FORMULA A Softplus(A z) {
  const A positive = z < A(0) ? A(0) : z;
  return positive + Log1pUnit(ExpNonPositive(z < A(0) ? z : -z));
}

// 1 / (1 + exp(-z)), without overflow.
template <typename A>
CANDSAMP_FORMULA A Sigmoid(A z) {
  const A t = ExpNonPositive(z < A(0) ? z : -z);
  return (z < A(0) ? t : A(1)) / (A(1) + t);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CORE_FLOAT_MATH_H_
