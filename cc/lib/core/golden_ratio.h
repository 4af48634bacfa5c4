// SPDX-License-Identifier: Apache-2.0
// The multiplier of multiplicative hashing (Knuth, The Art of Computer Programming, 6.4).
#ifndef TF_CANDSAMP_CC_LIB_CORE_GOLDEN_RATIO_H_
#define TF_CANDSAMP_CC_LIB_CORE_GOLDEN_RATIO_H_

#include <stdint.h>

namespace candsamp {

// 2^64 divided by the golden ratio, rounded to an odd number. The multiples of consecutive ids,
// modulo 2^64, lie evenly spread, so their high bits are a hash.
constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CORE_GOLDEN_RATIO_H_
