// The classes of a batch whose rows share their candidates.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_BATCH_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_BATCH_H_

#include <cstdint>

#include "cc/lib/losses/loss_kind.h"

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

// Small batches are cut smaller, so that there is work for several threads.
inline Blocks RowBlocks(int64_t rows) {
  return {rows, rows < 4 * kRowBlock ? kRowBlock / 2 : kRowBlock};
}

// Blocks of like lengths but for the last, and where these divide the columns an even number of
// them, so that two threads have the same to do.
inline Blocks ColumnBlocks(int64_t columns) {
  constexpr int64_t kVector = 16;
  if (columns <= kColumnBlock) return {columns, kColumnBlock};
  const int64_t vectors = (columns + kVector - 1) / kVector;
  const int64_t count = (columns + 2 * kColumnBlock - 1) / (2 * kColumnBlock) * 2;
  return {columns, (vectors + count - 1) / count * kVector};
}

// Blocks of a panel: more where rows are short.
inline int64_t PanelBlocks(int64_t depth) { return depth > 256 ? 4 : 8; }

// Where a block begins of a matrix that is stored block by block, each of them row by row.
inline int64_t BlockBegin(const Blocks& rows, int64_t r, const Blocks& columns, int64_t b) {
  return rows.begin(r) * columns.size + rows.length(r) * columns.begin(b);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_BATCH_H_
