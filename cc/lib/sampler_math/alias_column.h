// SPDX-License-Identifier: Apache-2.0
// A column of an alias table (Vose, 1991), and a draw from it.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_ALIAS_COLUMN_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_ALIAS_COLUMN_H_

#include <float.h>
#include <stdint.h>

#include "cc/lib/core/bit_cast.h"
#include "cc/lib/core/host_device.h"

namespace candsamp {

// A draw that falls on a column is the column's own class with probability `keep`, else `alias`.
struct alignas(16) AliasColumn {
  float keep;
  uint32_t alias;
  float weight, alias_weight;
};

// Whether a class of this weight can be drawn. Subnormal weights count as zeros: some threads flush
// them to zero, and all threads must agree.
CANDSAMP_FORMULA bool CanBeDrawn(float weight) { return weight >= FLT_MIN; }

// A class, and its weight.
struct WeightedClass {
  int64_t id;
  float weight;
};

// The class of a draw that falls on column `id`. The low 23 bits of `fraction` decide.
CANDSAMP_FORMULA WeightedClass ChooseOfColumn(const AliasColumn& column, uint64_t id,
                                              uint32_t fraction) {
  const bool keep = BitCast<float>((fraction & 0x7fffff) | 0x3f800000) - 1.0f < column.keep;
  return {static_cast<int64_t>(keep ? id : column.alias),
          keep ? column.weight : column.alias_weight};
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_ALIAS_COLUMN_H_
