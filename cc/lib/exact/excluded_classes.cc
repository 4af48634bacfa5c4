// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/exact/excluded_classes.h"

namespace candsamp {

ExcludedClasses::ExcludedClasses(Runtime& runtime, const RaggedIds& ids, int64_t rows)
    : ids_(runtime.Allocate<int64_t>(std::max<int64_t>(ids.splits[rows], 1))),
      sizes_(runtime.Allocate<int64_t>(rows)),
      splits_(ids.splits) {
  const int64_t mean = rows == 0 ? 0 : ids.splits[rows] / rows;
  runtime.ParallelFor(rows, 10 + mean * 30, [&](int64_t row, int64_t last) {
    for (; row < last; ++row) {
      int64_t* const first = ids_ + ids.begin(row);
      int64_t* const end = std::copy(ids.values + ids.begin(row), ids.values + ids.end(row), first);
      std::sort(first, end);
      sizes_[row] = std::unique(first, end) - first;
    }
  });
}

}  // namespace candsamp
