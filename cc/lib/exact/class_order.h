// SPDX-License-Identifier: Apache-2.0
// Which of two classes is the better one. CPU and GPU share it.
#ifndef TF_CANDSAMP_CC_LIB_EXACT_CLASS_ORDER_H_
#define TF_CANDSAMP_CC_LIB_EXACT_CLASS_ORDER_H_

#include <float.h>
#include <stdint.h>

#include "cc/lib/core/bit_cast.h"
#include "cc/lib/core/host_device.h"

namespace candsamp {

// A class and its logit. The better one of two has the larger logit. Of equal logits the lower id
// is better, a NaN is below all numbers, and numbers that are smaller than the smallest normal one
// count as 0: TensorFlow's threads flush them to 0, and others do not.
template <typename A>
struct ScoredClass {
  A logit;
  int64_t id;
};

// The logit as far as the order can see it.
template <typename A>
CANDSAMP_FORMULA A Ordered(A logit) {
  const A least = sizeof(A) == sizeof(double) ? A(DBL_MIN) : A(FLT_MIN);
  return (logit < A(0) ? -logit : logit) < least ? A(0) : logit;
}

template <typename A>
CANDSAMP_FORMULA bool IsBetter(const ScoredClass<A>& a, const ScoredClass<A>& b) {
  const A x = Ordered(a.logit), y = Ordered(b.logit);
  if (x > y) return true;
  if (x < y) return false;
  // Equal, or at least one is NaN.
  const bool nan = x != x, other_nan = y != y;
  return nan == other_nan ? a.id < b.id : other_nan;
}

// A number that is the smaller, the better the logit: of equal ones the same, and of NaN the
// second largest number. Of float it has 32 bits, of double 64.
CANDSAMP_FORMULA uint64_t PlaceOf(float logit) {
  const float x = Ordered(logit);
  if (x != x) return 0xfffffffeu;
  const uint32_t bits = BitCast<uint32_t>(x == 0.0f ? 0.0f : x);
  return bits >> 31 ? bits : 0x7fffffffu - bits;
}
CANDSAMP_FORMULA uint64_t PlaceOf(double logit) {
  const double x = Ordered(logit);
  if (x != x) return ~uint64_t{1};
  const uint64_t bits = BitCast<uint64_t>(x == 0.0 ? 0.0 : x);
  return bits >> 63 ? bits : 0x7fffffffffffffffull - bits;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_EXACT_CLASS_ORDER_H_
