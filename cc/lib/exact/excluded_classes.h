// SPDX-License-Identifier: Apache-2.0
// The classes that do not compete in a row.
#ifndef TF_CANDSAMP_CC_LIB_EXACT_EXCLUDED_CLASSES_H_
#define TF_CANDSAMP_CC_LIB_EXACT_EXCLUDED_CLASSES_H_

#include <algorithm>
#include <cstdint>

#include "cc/lib/classes/ragged_ids.h"
#include "cc/lib/core/runtime.h"

namespace candsamp {

class ExcludedClasses {
 public:
  // No row excludes a class.
  ExcludedClasses() = default;
  // Sorts each row's ids, and drops repeats.
  ExcludedClasses(Runtime& runtime, const RaggedIds& ids, int64_t rows);

  const int64_t* begin(int64_t row) const { return ids_ ? ids_ + splits_[row] : nullptr; }
  const int64_t* end(int64_t row) const { return ids_ ? begin(row) + sizes_[row] : nullptr; }

  // How many classes the row excludes.
  int64_t size(int64_t row) const { return ids_ ? sizes_[row] : 0; }

  bool Contains(int64_t row, int64_t id) const {
    return ids_ && std::binary_search(begin(row), end(row), id);
  }

  // Calls use(id) for the excluded ids in [first, last).
  template <typename Use>
  void ForIds(int64_t row, int64_t first, int64_t last, Use use) const {
    if (!ids_) return;
    const int64_t* const stop = end(row);
    for (const int64_t* id = std::lower_bound(begin(row), stop, first); id < stop && *id < last;
         ++id) {
      use(*id);
    }
  }

 private:
  int64_t* ids_ = nullptr;
  int64_t* sizes_ = nullptr;
  const int64_t* splits_ = nullptr;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_EXACT_EXCLUDED_CLASSES_H_
