// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/logits/hit_columns.h"

#include <algorithm>

#include "cc/lib/classes/distinct_classes.h"

namespace candsamp {

HitColumns::HitColumns(Runtime& runtime, const int64_t* label_hits, int64_t num_labels,
                       const int64_t* sample_hits, const int64_t* sample_columns,
                       int64_t num_sampled)
    : label_groups_(runtime.Allocate<int64_t>(num_labels)) {
  DistinctClasses distinct(runtime, num_sampled);
  int64_t* groups = runtime.Allocate<int64_t>(num_sampled);  // of each column
  int64_t columns = 0;
  for (int64_t k = 0; k < num_sampled; ++k) {
    if (sample_columns[k] == columns) groups[columns++] = distinct.Insert(sample_hits[k]);
  }
  starts_ = runtime.Allocate<int64_t>(distinct.size() + 1);
  columns_ = runtime.Allocate<int64_t>(columns);
  std::fill_n(starts_, distinct.size() + 1, 0);
  for (int64_t c = 0; c < columns; ++c) ++starts_[groups[c] + 1];
  for (int64_t g = 0; g < distinct.size(); ++g) starts_[g + 1] += starts_[g];
  int64_t* next = runtime.Allocate<int64_t>(distinct.size());
  std::copy_n(starts_, distinct.size(), next);
  for (int64_t c = 0; c < columns; ++c) columns_[next[groups[c]]++] = c;
  for (int64_t k = 0; k < num_labels; ++k) label_groups_[k] = distinct.Find(label_hits[k]);
}

}  // namespace candsamp
