// SPDX-License-Identifier: Apache-2.0
// From the dot products of a row with a block of columns to that block's part of the loss.
//
// The softmax is computed online (Milakov and Gimelshein, arXiv 1805.02867), so that no pass over
// the whole row is needed:
//  1. Start fills a block with the offsets, and the product of matrices adds the dot products. With
//     a softcap Start fills in the biases, and Reduce caps the sums and adds the offsets.
//  2. Reduce finds the block's largest logit m, replaces each logit z by exp(z - m), and returns m
//     and the sum of these exponentials.
//  3. SampledForward takes M, the largest of the row's m and label logits. The denominator of the
//     softmax is the blocks' sums times exp(m - M), plus exp(z - M) for each label.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_LOGITS_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_LOGITS_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "cc/lib/core/runtime.h"
#include "cc/lib/logits/hit_columns.h"
#include "cc/lib/logits/offsets.h"
#include "cc/lib/logits/softcap.h"
#include "cc/lib/losses/sampled_batch.h"
#include "cc/lib/losses/tiling.h"

namespace candsamp {

// The part of one row in one block.
template <typename A>
struct BlockSum {
  A max;  // softmax: the largest logit, minus infinity if all are dropped or masked
  A sum;  // softmax: sum of exp(z - max); NCE: sum of softplus(z)
};

// What statistics need of the part of one row in one block.
template <typename A>
struct BlockStats {
  A largest;  // the largest logit of a single draw
  A exps;     // NCE: sum of exp(z - largest)
};

// The logits of the candidates. A candidate that was drawn several times is one column, with the
// offset that stands for all its draws: for softmax the log of the sum of their exponentials. NCE
// has no such offset. Its column has the offset of the first draw, and the others are repeats.
template <typename A>
class SampledLogits {
 public:
  // sample_offsets: [num_sampled]. sample_biases: with a softcap [num_sampled], else not read.
  SampledLogits(Runtime& runtime, const SampledBatch& batch, const A* sample_offsets,
                const A* sample_biases = nullptr);

  const SampledBatch& batch() const { return batch_; }
  Blocks columns() const { return ColumnBlocks(batch_.columns); }

  // Step 1: fills a block of `rows` rows with the offsets of its columns.
  void Start(int64_t block, int64_t rows, A* z) const;

  // How many draws a row drops. REQUIRES: options.corrected_log_q.
  int64_t DroppedDraws(int64_t row) const;

  // Takes the logits of a row in a block, and writes minus infinity over those of accidental hits.
  // Returns the largest logit that is left.
  A Drop(int64_t row, int64_t block, A* z) const;

  // Step 2: drops accidental hits, and replaces the logits of a row in a block by their slopes.
  //
  // A slope is the derivative of the row's loss with respect to a candidate's logit (under the
  // softcap, if there is one), up to a factor
  // that all columns of the block share. For softmax it is exp(z - the block's largest logit): the
  // factor, SampledLossOutput::scales, is known only when all blocks are. For NCE it is sigmoid(z),
  // summed over a column's repeats, and the factor is 1.
  // Writes to *stats if that is not nullptr.
  BlockSum<A> Reduce(int64_t row, int64_t block, A* z, BlockStats<A>* stats = nullptr) const;

  // Calls use(count, columns, z) for the repeats in a block, some at a time. Repeat k is of the
  // column columns[k], counted from the block's first, and has the logit z[k], which `use` may
  // overwrite. `logits` are those of the block's columns.
  template <typename Use>
  void ForRepeats(int64_t block, const A* logits, Use use) const {
    A z[kColumnBlock];
    for (int64_t k = first_repeat_[block]; k < first_repeat_[block + 1]; k += kColumnBlock) {
      const int64_t left = first_repeat_[block + 1] - k;
      const int64_t count = left < kColumnBlock ? left : kColumnBlock;
      for (int64_t r = 0; r < count; ++r) {
        z[r] = logits[repeat_columns_[k + r]] + repeat_shifts_[k + r];
      }
      use(count, repeat_columns_ + k, z);
    }
  }

  // Calls use(label, column) for the labels of a row that are columns of a block. `label` is a
  // position among all labels of the batch, `column` counts from the block's first.
  template <typename Use>
  void ForLabels(int64_t row, int64_t block, Use use) const {
    const int64_t begin = columns().begin(block);
    const uint64_t count = static_cast<uint64_t>(columns().length(block));
    for (int64_t k = row * batch_.num_true; k < (row + 1) * batch_.num_true; ++k) {
      const int64_t column = batch_.label_classes[k] - begin;
      if (static_cast<uint64_t>(column) < count) use(k, column);
    }
  }

 private:
  void FindRepeats(Runtime& runtime, const A* sample_offsets);
  void FindGains(Runtime& runtime, const A* sample_offsets);
  BlockSum<A> ReduceLogits(int64_t row, int64_t block, A* z, BlockStats<A>* stats) const;
  A LargestDraw(int64_t block, const A* z, A max) const;
  BlockStats<A> NceStats(int64_t block, const A* z, A max) const;

  // Calls use(column) for the accidental hits of a row in a block, some of them perhaps twice.
  template <typename Use>
  void ForHits(int64_t row, int64_t block, Use use) const {
    if (!hits_) return ForLabels(row, block, [&](int64_t, int64_t column) { use(column); });
    const int64_t begin = columns().begin(block), end = begin + columns().length(block);
    for (int64_t k = row * batch_.num_true; k < (row + 1) * batch_.num_true; ++k) {
      hits_->ForLabel(k, begin, end, [&](int64_t column) { use(column - begin); });
    }
  }

  SampledBatch batch_;
  std::optional<HitColumns> hits_;
  A* offsets_;                         // [columns]
  A* biases_ = nullptr;                // [columns], with a softcap
  A* gains_ = nullptr;                 // [columns]: an offset less that of its largest draw
  int64_t* draws_ = nullptr;           // [columns]: how often each was drawn
  int64_t* first_repeat_;              // [blocks + 1]
  int64_t* repeat_columns_ = nullptr;  // counted from the block's first
  A* repeat_shifts_ = nullptr;         // the repeat's offset minus the column's
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_LOGITS_H_
