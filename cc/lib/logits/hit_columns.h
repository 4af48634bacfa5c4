// SPDX-License-Identifier: Apache-2.0
// Which columns are accidental hits, where that is not decided by equal classes.
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_HIT_COLUMNS_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_HIT_COLUMNS_H_

#include <algorithm>
#include <cstdint>

#include "cc/lib/core/runtime.h"

namespace candsamp {

// Labels and candidates have hit ids beside their classes. A candidate is a hit of the labels with
// its hit id: several candidates may have one, as when an item occurs several times in a batch.
class HitColumns {
 public:
  // label_hits: [num_labels]. sample_hits and sample_columns: [num_sampled].
  // REQUIRES: columns are numbered as they first occur, and candidates of one column have one hit
  // id.
  HitColumns(Runtime& runtime, const int64_t* label_hits, int64_t num_labels,
             const int64_t* sample_hits, const int64_t* sample_columns, int64_t num_sampled);

  // Calls use(column) for the hits of a label among the columns [begin, end), in ascending order.
  template <typename Use>
  void ForLabel(int64_t label, int64_t begin, int64_t end, Use use) const {
    const int64_t group = label_groups_[label];
    if (group < 0) return;
    const int64_t* const first = columns_ + starts_[group];
    const int64_t* const last = columns_ + starts_[group + 1];
    const int64_t* column = std::lower_bound(first, last, begin);
    for (; column < last && *column < end; ++column) use(*column);
  }

 private:
  int64_t* label_groups_;  // -1: no candidate has the label's hit id
  int64_t* starts_;        // [groups + 1]
  int64_t* columns_;       // by group, ascending in each
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOGITS_HIT_COLUMNS_H_
