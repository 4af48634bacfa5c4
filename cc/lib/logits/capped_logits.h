// SPDX-License-Identifier: Apache-2.0
// Soft caps of logits: cap * tanh(v / cap).
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_CAPPED_LOGITS_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_CAPPED_LOGITS_H_

#include <cmath>
#include <cstdint>

namespace candsamp {

// Replaces each v by cap * tanh(v / cap).
template <typename A>
void SoftcapAll(A cap, int64_t count, A* v) {
  for (int64_t k = 0; k < count; ++k) v[k] = cap * std::tanh(v[k] / cap);
}

// Multiplies each z by the derivative at the capped logit: 1 - (capped / cap)^2.
template <typename A>
void ScaleBySoftcapSlope(A cap, const A* capped, int64_t count, A* z) {
  for (int64_t k = 0; k < count; ++k) {
    const A t = capped[k] / cap;
    z[k] *= (A(1) - t) * (A(1) + t);
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOGITS_CAPPED_LOGITS_H_
