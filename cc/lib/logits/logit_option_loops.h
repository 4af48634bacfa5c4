// SPDX-License-Identifier: Apache-2.0
// The loops that options of logits need: a struct of functions for each instruction set.
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_LOGIT_OPTION_LOOPS_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_LOGIT_OPTION_LOOPS_H_

#include <stdint.h>

#include "cc/lib/core/half.h"

namespace candsamp {

// Over rows that are divided by their norms.
template <typename W>
struct UnitLoops {
  using A = Accumulator<W>;

  // The sum of row[d]^2.
  A (*squares)(const W* row, int64_t depth);
  // out[d] = factor * row[d]. `out` may be `row`.
  void (*scale)(const W* row, A factor, int64_t depth, A* out);
  // out[d] = factor * (gradient[d] - coefficient * row[d]). `out` may be `row` or `gradient`.
  void (*project)(const A* gradient, const W* row, A coefficient, A factor, int64_t depth, W* out);
};

// Elementwise functions of logits.
template <typename A>
struct SoftcapLoops {
  // z[k] = cap * tanh(z[k] / cap) + shifts[k]; slopes[k] = the derivative by the old z[k].
  void (*softcap)(A* z, const A* shifts, int64_t count, A cap, A* slopes);
  // out[k] *= factors[k].
  void (*multiply)(const A* factors, int64_t count, A* out);
};

// W is float, double, Bfloat16 or Half. A is float or double.
template <typename W>
const UnitLoops<W>& ChosenUnitLoops();
template <typename A>
const SoftcapLoops<A>& ChosenSoftcapLoops();

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOGITS_LOGIT_OPTION_LOOPS_H_
