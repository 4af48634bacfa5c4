// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy over all classes: the forward pass and its gradient.
//
// The softmax is computed online, panel by panel (Milakov and Gimelshein, arXiv 1805.02867). The
// gradient computes the logits again: what it needs of the forward pass is two numbers for a row.
#ifndef TF_CANDSAMP_CC_LIB_EXACT_FULL_SOFTMAX_H_
#define TF_CANDSAMP_CC_LIB_EXACT_FULL_SOFTMAX_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/exact/logit_panels.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// The labels of each row. REQUIRES: every id is a class, num_true > 0.
struct FullSoftmaxLabels {
  const int64_t* ids;  // [rows, num_true]
  int64_t num_true;
};

// [rows] each. The softmax of a row is exp(logit - max) / sum. A row whose classes are all masked,
// by biases of minus infinity, has a max of 0 and a sum of 1.
template <typename A>
struct FullSoftmaxOutput {
  A* loss;  // log(sum of exp(logits)) - the mean of the labels' logits
  A* max;
  A* sum;
};

template <typename W>
void FullSoftmaxForward(Runtime& runtime, const Scoring<W>& scoring,
                        const FullSoftmaxLabels& labels,
                        const FullSoftmaxOutput<Accumulator<W>>& output);

// The gradient of a class table: a row for each row of the table, in its shards.
template <typename W>
class GradientTable {
 public:
  explicit GradientTable(Partition partition) : partition_(partition) {}

  void AddShard(W* rows, int64_t count) {
    shards_.push_back(rows);
    first_row_.push_back(first_row_.back() + count);
  }

  bool empty() const { return shards_.empty(); }
  bool is_whole() const { return shards_.size() == 1; }

  // REQUIRES: the id has a row.
  W* Row(int64_t id, int64_t depth) const {
    if (is_whole()) return shards_[0] + id * depth;
    const ShardRow at = ShardRowOf(first_row_, partition_, id);
    return shards_[at.shard] + at.row * depth;
  }

  // Writes zeros into the rows that belong to no class.
  void ClearRest(int64_t num_classes, int64_t depth) const {
    const int64_t shards = static_cast<int64_t>(shards_.size());
    for (int64_t k = 0; k < shards; ++k) {
      const int64_t rows = first_row_[k + 1] - first_row_[k];
      const int64_t used = partition_ == Partition::kInTurn
                               ? RowsInTurn(num_classes, shards, k)
                               : std::clamp<int64_t>(num_classes - first_row_[k], 0, rows);
      std::fill_n(shards_[k] + used * depth, (rows - used) * depth, W{});
    }
  }

 private:
  Partition partition_;
  std::vector<W*> shards_;
  std::vector<int64_t> first_row_ = {0};
};

// The gradient of the losses, and what the forward pass found.
template <typename A>
struct FullSoftmaxKept {
  const A* grad;  // [rows]
  const A* max;   // [rows]
  const A* sum;   // [rows]
};

template <typename W>
struct FullSoftmaxGradients {
  Accumulator<W>* inputs;  // [rows, depth]
  GradientTable<W> weights;
  GradientTable<W> biases;  // or empty
};

template <typename W>
void FullSoftmaxBackward(Runtime& runtime, const Scoring<W>& scoring,
                         const FullSoftmaxLabels& labels,
                         const FullSoftmaxKept<Accumulator<W>>& kept,
                         const FullSoftmaxGradients<W>& gradients);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_EXACT_FULL_SOFTMAX_H_
