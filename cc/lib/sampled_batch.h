// The classes of a batch whose rows share their candidates.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLED_BATCH_H_
#define TF_CANDSAMP_CC_LIB_SAMPLED_BATCH_H_

#include <cstdint>

#include "cc/lib/loss_kind.h"

namespace candsamp {

// Distinct classes are numbered: first the candidates', which are the columns of the matrix of
// logits [rows, columns], then the labels' that are no candidates.
struct SampledBatch {
  LossKind kind;
  bool remove_accidental_hits;  // drop a candidate that is one of the row's labels
  int64_t rows;
  int64_t num_true;  // labels of each row
  int64_t num_sampled;
  int64_t columns;
  int64_t classes;
  const int64_t* label_classes;   // [rows, num_true], numbers of classes
  const int64_t* sample_columns;  // [num_sampled]

  int64_t num_labels() const { return rows * num_true; }
};

// A range cut into blocks of at most `block`.
struct Blocks {
  int64_t size, block;

  int64_t count() const { return (size + block - 1) / block; }
  int64_t begin(int64_t b) const { return b * block; }
  int64_t length(int64_t b) const { return b + 1 < count() ? block : size - b * block; }
  int64_t longest() const { return size < block ? size : block; }
};

// The matrix of logits is worked on in blocks, and the blocks in panels of some columns, so that
// what belongs to a panel stays in the caches. How it is cut depends on the shape alone, so results
// do not depend on the machine's number of threads.
constexpr int64_t kRowBlock = 128;
constexpr int64_t kColumnBlock = 192;
constexpr int64_t kPanelBlocks = 4;

// Small batches are cut smaller, so that there is work for several threads.
inline Blocks RowBlocks(int64_t rows) {
  return {rows, rows < 4 * kRowBlock ? kRowBlock / 2 : kRowBlock};
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLED_BATCH_H_
