// SPDX-License-Identifier: Apache-2.0
// The bits of a value as another type of the same size.
#ifndef TF_CANDSAMP_CC_LIB_CORE_BIT_CAST_H_
#define TF_CANDSAMP_CC_LIB_CORE_BIT_CAST_H_

#include <string.h>

#include "cc/lib/core/host_device.h"

namespace candsamp {

template <typename To, typename From>
CANDSAMP_FORMULA To BitCast(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "BitCast keeps every bit");
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CORE_BIT_CAST_H_
