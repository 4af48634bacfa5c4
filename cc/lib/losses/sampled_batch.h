// SPDX-License-Identifier: Apache-2.0
// A dense batch: the classes of rows that share their candidates.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_BATCH_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_BATCH_H_

#include <cstdint>

#include "cc/lib/losses/loss_kind.h"

namespace candsamp {

// Distinct classes have numbers. First come the distinct candidates, in the order in which they
// first occur: they are the columns of the matrix of logits [rows, columns]. Then come the labels
// that are no candidates.
struct SampledBatch {
  LossKind kind;
  bool remove_accidental_hits;  // drop a row's candidates that are its labels
  int64_t rows;
  int64_t num_true;  // labels of each row
  int64_t num_sampled;
  int64_t columns;                // distinct candidates
  int64_t classes;                // distinct candidates and labels
  const int64_t* label_classes;   // [rows, num_true], the number of each label
  const int64_t* sample_columns;  // [num_sampled], the number of each candidate

  // Hit ids, by which accidental hits are found instead of by class (HitColumns); nullptr: by
  // class.
  const int64_t* label_hits = nullptr;   // [rows, num_true]
  const int64_t* sample_hits = nullptr;  // [num_sampled]

  LossOptions options = {};

  int64_t num_labels() const { return rows * num_true; }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_BATCH_H_
