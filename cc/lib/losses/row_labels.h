// SPDX-License-Identifier: Apache-2.0
// A lookup of the labels of each row of a ragged batch.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_ROW_LABELS_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_ROW_LABELS_H_

#include <algorithm>
#include <cstdint>

#include "cc/lib/classes/ragged_ids.h"
#include "cc/lib/core/runtime.h"

namespace candsamp {

// Says whether a class is one of a row's labels, so that the losses can drop accidental hits. Scans
// few labels, and searches many in a sorted copy.
class RowLabels {
 public:
  // With `enabled` false, no class is a label.
  RowLabels(Runtime& runtime, const RaggedBatch& batch, bool enabled)
      : batch_(batch), enabled_(enabled) {
    int64_t most = 0;
    for (int64_t i = 0; enabled && i < batch.rows; ++i) most = std::max(most, batch.labels.size(i));
    if (most <= kFew) return;
    sorted_ = runtime.Allocate<int64_t>(batch.num_labels());
    const RaggedIds& labels = batch.labels;
    runtime.ParallelFor(batch.rows, most * 4, [&](int64_t first, int64_t last) {
      std::copy(labels.values + labels.begin(first), labels.values + labels.begin(last),
                sorted_ + labels.begin(first));
      for (int64_t i = first; i < last; ++i) {
        std::sort(sorted_ + labels.begin(i), sorted_ + labels.end(i));
      }
    });
  }

  // The labels of one row.
  class OfRow {
   public:
    OfRow(const int64_t* begin, const int64_t* end) : begin_(begin), end_(end) {}

    bool Contains(int64_t id) const {
      if (end_ - begin_ > kFew) return std::binary_search(begin_, end_, id);
      for (const int64_t* label = begin_; label < end_; ++label) {
        if (*label == id) return true;
      }
      return false;
    }

   private:
    const int64_t* begin_;
    const int64_t* end_;
  };

  OfRow ForRow(int64_t row) const {
    if (!enabled_) return OfRow(nullptr, nullptr);
    const RaggedIds& labels = batch_.labels;
    const int64_t* ids = labels.size(row) > kFew ? sorted_ : labels.values;
    return OfRow(ids + labels.begin(row), ids + labels.end(row));
  }

 private:
  static constexpr int64_t kFew = 8;
  const RaggedBatch& batch_;
  const bool enabled_;
  int64_t* sorted_ = nullptr;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_ROW_LABELS_H_
