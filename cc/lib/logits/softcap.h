// SPDX-License-Identifier: Apache-2.0
// The softcap of logits, and its derivative.
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_SOFTCAP_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_SOFTCAP_H_

#include <stdint.h>

#include "cc/lib/core/float_math.h"
#include "cc/lib/core/host_device.h"

namespace candsamp {

// Whether a bias masks its class: no softcap brings the class back. Without the mask the bias is 0.
template <typename A>
CANDSAMP_FORMULA bool IsMask(A bias) {
  return bias == -A(__builtin_inf());
}
template <typename A>
CANDSAMP_FORMULA A BiasUnderSoftcap(A bias) {
  return IsMask(bias) ? A(0) : bias;
}

// cap * tanh(v / cap), within 4 ulp. *slope becomes the derivative, 1 - tanh^2(v / cap). A cap that
// is far above |v| changes nothing. REQUIRES: cap and 1 / cap are normal numbers.
template <typename A>
CANDSAMP_FORMULA A Softcap(A v, A cap, A* slope) {
  // Below this the next term of tanh's series, y^3 / 3, is less than half an ulp. v / cap may even
  // be subnormal, and some threads would make it 0.
  constexpr A kLinear = sizeof(A) == 4 ? A(2e-4) : A(1e-8);
  const A y = v * (A(1) / cap);
  const A magnitude = y < A(0) ? -y : y;
  const A t = Expm1NonPositive(A(-2) * magnitude);
  const A capped = cap * (t / (A(2) + t));  // -cap * tanh(|y|)
  // Not 1 + t, which cancels for large |y|.
  *slope = A(4) * ExpNonPositive(A(-2) * magnitude) / ((A(2) + t) * (A(2) + t));
  return magnitude < kLinear ? v : (y < A(0) ? capped : -capped);
}

// Replaces each v by cap * tanh(v / cap). Minus infinity, the logit of a masked class, stays.
template <typename A>
void SoftcapAll(A cap, int64_t count, A* v) {
  A slope;
  for (int64_t k = 0; k < count; ++k) v[k] = IsMask(v[k]) ? v[k] : Softcap(v[k], cap, &slope);
}

// Multiplies each z by the derivative at the capped logit: 1 - (capped / cap)^2, or 0 if masked.
template <typename A>
void ScaleBySoftcapSlope(A cap, const A* capped, int64_t count, A* z) {
  for (int64_t k = 0; k < count; ++k) {
    const A t = IsMask(capped[k]) ? A(1) : capped[k] / cap;
    z[k] *= (A(1) - t) * (A(1) + t);
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOGITS_SOFTCAP_H_
