// SPDX-License-Identifier: Apache-2.0
// Offsets of candidates: the parts of their logits that are no dot products.
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_OFFSETS_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_OFFSETS_H_

#include <float.h>
#include <math.h>

#include "cc/lib/core/host_device.h"
#include "cc/lib/logits/softcap.h"

namespace candsamp {

// The lowest finite number of a type.
template <typename A>
CANDSAMP_FORMULA A LowestOf() {
  return sizeof(A) == sizeof(double) ? A(-DBL_MAX) : A(-FLT_MAX);
}

// The forward pass keeps an offset for the backward pass, and kept values must be finite. So a bias
// of minus infinity, which masks the class, becomes the lowest number.
template <typename A>
CANDSAMP_FORMULA A OffsetOf(A bias, A log_q) {
  const A offset = bias - log_q;
  return offset < LowestOf<A>() ? LowestOf<A>() : offset;
}

// The same with a softcap, which the bias is under and log q is not. A mask is a mask all the same.
template <typename A>
CANDSAMP_FORMULA A OffsetOverSoftcap(A bias, A log_q) {
  return OffsetOf(IsMask(bias) ? bias : A(0), log_q);
}

// log(exp(a) + exp(b)). Also right if both are minus infinity.
template <typename A>
CANDSAMP_FORMULA A LogAddExp(A a, A b) {
  if (a == b) return a + log(A(2));
  return (a > b ? a : b) + log1p(exp(a > b ? b - a : a - b));
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOGITS_OFFSETS_H_
