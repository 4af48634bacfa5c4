// SPDX-License-Identifier: Apache-2.0
// bfloat16 and IEEE half as plain bits, with branch-free conversions from and to float. A GPU has
// instructions for them, which differ in the bits of NaNs alone.
//
// Not Eigen's types: their conversions are inline functions, of which a compilation for AVX can
// leave a weak symbol. The linker keeps one copy for all, and the baseline would run it.
#ifndef TF_CANDSAMP_CC_LIB_CORE_HALF_H_
#define TF_CANDSAMP_CC_LIB_CORE_HALF_H_

#include <stdint.h>

#include "cc/lib/core/bit_cast.h"
#include "cc/lib/core/host_device.h"

namespace candsamp {

struct Bfloat16 {
  uint16_t bits;
};

struct Half {
  uint16_t bits;
};

CANDSAMP_FORMULA float Widen(Bfloat16 x) {
  return BitCast<float>(static_cast<uint32_t>(x.bits) << 16);
}

// Subnormal halves go through a subtraction of normal floats: TensorFlow's threads flush
// subnormal floats to zero, so a scaling product would lose them.
CANDSAMP_FORMULA float Widen(Half x) {
#ifdef __CUDA_ARCH__
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
  return value;
#else
  const uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7fffu) << 13;
  const uint32_t exponent = magnitude & 0x0f800000u;
  const uint32_t rebias = 112u << 23;
  const uint32_t normal = magnitude + rebias;
  const uint32_t subnormal =
      BitCast<uint32_t>(BitCast<float>(magnitude + (113u << 23)) - BitCast<float>(113u << 23));
  const uint32_t special = normal + rebias;
  const uint32_t finite = exponent == 0 ? subnormal : normal;
  const uint32_t value = exponent == 0x0f800000u ? special : finite;
  return BitCast<float>(value | static_cast<uint32_t>(x.bits & 0x8000u) << 16);
#endif
}

CANDSAMP_FORMULA float Widen(float x) { return x; }
CANDSAMP_FORMULA double Widen(double x) { return x; }

// Rounds to the nearest value, ties to even. NaN stays NaN.
CANDSAMP_FORMULA void Narrow(float x, Bfloat16* out) {
#ifdef __CUDA_ARCH__
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(out->bits) : "f"(x));
#else
  const uint32_t bits = BitCast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t nan = (bits >> 16) | 0x40u;
  out->bits = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
#endif
}

CANDSAMP_FORMULA void Narrow(float x, Half* out) {
#ifdef __CUDA_ARCH__
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(out->bits) : "f"(x));
#else
  const uint32_t bits = BitCast<uint32_t>(x);
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  // Adding one half aligns the last half-precision bit with the last bit of the sum.
  const uint32_t subnormal =
      BitCast<uint32_t>(BitCast<float>(magnitude) + 0.5f) - BitCast<uint32_t>(0.5f);
  const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t finite = magnitude < 0x38800000u ? subnormal : normal;
  const uint32_t value = magnitude >= 0x47800000u ? special : finite;
  out->bits = static_cast<uint16_t>(value | ((bits >> 16) & 0x8000u));
#endif
}

CANDSAMP_FORMULA void Narrow(float x, float* out) { *out = x; }
CANDSAMP_FORMULA void Narrow(double x, double* out) { *out = x; }

// The type in which the loops multiply and sum values of type T.
template <typename T>
struct AccumulatorOf {
  using type = float;
};
template <>
struct AccumulatorOf<double> {
  using type = double;
};
template <typename T>
using Accumulator = typename AccumulatorOf<T>::type;

// The types in which the rows of a class table can be stored.
#define CANDSAMP_FOR_EACH_STORED_TYPE(Use) Use(float) Use(double) Use(Bfloat16) Use(Half)

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CORE_HALF_H_
