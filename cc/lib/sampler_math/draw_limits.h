// SPDX-License-Identifier: Apache-2.0
// How many draws a call may make.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_DRAW_LIMITS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_DRAW_LIMITS_H_

#include <stdint.h>

#include "cc/lib/core/host_device.h"

namespace candsamp {

// The blocks of a stream that TensorFlow reserves for each candidate of a call.
constexpr uint64_t kBlocksPerSample = 512;

// After this many draws for `count` candidates, rejection sampling gives up and clocks decide. The
// reserved blocks have words for them, two for a draw.
CANDSAMP_FORMULA int64_t MostDraws(int64_t count) {
  const int64_t reserved = static_cast<int64_t>(kBlocksPerSample) * 2 * count;
  const int64_t most = 64 * count + 1024;
  return most < reserved ? most : reserved;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_DRAW_LIMITS_H_
