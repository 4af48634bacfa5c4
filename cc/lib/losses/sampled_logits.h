// From the dot products of a row and a block of columns to terms of the loss and their slopes.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_LOGITS_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_LOGITS_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "cc/lib/core/runtime.h"
#include "cc/lib/losses/sampled_batch.h"

namespace candsamp {

// What a block leaves behind of a row.
template <typename A>
struct BlockSum {
  A max;  // softmax: the largest logit, minus infinity if there is none
  A sum;  // softmax: sum of exp(z - max); NCE: sum of softplus(z)
};

// What is added to a candidate's dot products. It is kept for the backward pass and so must be
// finite: a bias of minus infinity, which masks the class, becomes the lowest number.
template <typename A>
A OffsetOf(A bias, A log_q) {
  return std::max(bias - log_q, std::numeric_limits<A>::lowest());
}

// What is added to a column's dot products: the offset of its candidate. A candidate that was drawn
// several times is one column. For softmax the column's offset holds the sum of the candidates'
// exponentials; for NCE the first candidate's, and the others are repeats of it.
template <typename A>
class SampledLogits {
 public:
  // sample_offsets: [num_sampled].
  SampledLogits(Runtime& runtime, const SampledBatch& batch, const A* sample_offsets);

  const SampledBatch& batch() const { return batch_; }
  Blocks columns() const { return ColumnBlocks(batch_.columns); }

  // Fills a block of `rows` rows with what dot products are to be added to.
  void Start(int64_t block, int64_t rows, A* z) const;

  // Takes the logits of a row's columns in a block, and writes minus infinity where a candidate is
  // dropped. Returns the largest.
  A Drop(int64_t row, int64_t block, A* z) const;

  // Takes the logits of a row's columns in a block, and writes their slopes: what the derivatives
  // of the row's loss are with respect to them, for softmax relative to the block's largest
  // exponential. Those of a column's repeats are added up.
  BlockSum<A> Reduce(int64_t row, int64_t block, A* z) const;

  // Calls use(count, columns, z) for the repeats in a block, some at a time: those of the columns
  // columns[0 .. count), counted from the block's first, have the logits z. `logits` are the
  // block's; z may be overwritten.
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

  // Calls use(label, column) for the labels of a row that are among the columns of a block: `label`
  // counts all labels of the batch, `column` from the block's first.
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

  SampledBatch batch_;
  A* offsets_;                         // [columns]
  int64_t* first_repeat_;              // [blocks + 1]
  int64_t* repeat_columns_ = nullptr;  // counted from the block's first
  A* repeat_shifts_ = nullptr;         // the repeat's offset less the column's
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_LOGITS_H_
