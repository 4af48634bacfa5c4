// SPDX-License-Identifier: Apache-2.0
// The best classes of each row.
#ifndef TF_CANDSAMP_CC_LIB_EXACT_TOP_CLASSES_H_
#define TF_CANDSAMP_CC_LIB_EXACT_TOP_CLASSES_H_

#include <cstdint>

#include "cc/lib/core/runtime.h"
#include "cc/lib/exact/excluded_classes.h"
#include "cc/lib/exact/logit_panels.h"

namespace candsamp {

// Writes the best k classes of each row, best first (IsBetter), and their logits: [rows, k] each.
// The softcap is applied to the logits that are written, since it does not change an order.
// REQUIRES: each row has k classes that are not excluded.
template <typename W>
void TopClasses(Runtime& runtime, const Scoring<W>& scoring, const ExcludedClasses& excluded,
                int64_t k, Accumulator<W>* logits, int64_t* ids);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_EXACT_TOP_CLASSES_H_
