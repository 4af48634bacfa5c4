// SPDX-License-Identifier: Apache-2.0
// The ranks of labels among all classes.
#ifndef TF_CANDSAMP_CC_LIB_EXACT_LABEL_RANKS_H_
#define TF_CANDSAMP_CC_LIB_EXACT_LABEL_RANKS_H_

#include <cstdint>

#include "cc/lib/core/runtime.h"
#include "cc/lib/exact/excluded_classes.h"
#include "cc/lib/exact/logit_panels.h"

namespace candsamp {

// Writes how many classes of the row are better (IsBetter) than each of its labels, leaving out the
// excluded ones. `labels` and `ranks` are [rows, num_true]. REQUIRES: every label is a class.
template <typename W>
void LabelRanks(Runtime& runtime, const Scoring<W>& scoring, const ExcludedClasses& excluded,
                const int64_t* labels, int64_t num_true, int64_t* ranks);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_EXACT_LABEL_RANKS_H_
