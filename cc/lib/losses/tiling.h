// SPDX-License-Identifier: Apache-2.0
// How the dense losses cut the matrix of logits [rows, columns].
//
// The matrix is worked on in blocks, and the blocks in panels: the rows of all candidates of a
// panel stay in the caches while every block of rows passes over them. The cuts depend on the shape
// alone, so results do not depend on the number of threads.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_TILING_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_TILING_H_

#include <algorithm>
#include <cstdint>

namespace candsamp {

// A range cut into blocks of `block`. The last one has what is left.
struct Blocks {
  int64_t size, block;

  int64_t count() const { return (size + block - 1) / block; }
  int64_t begin(int64_t b) const { return b * block; }
  int64_t length(int64_t b) const { return b + 1 < count() ? block : size - b * block; }
  int64_t longest() const { return size < block ? size : block; }
};

// The longest blocks.
constexpr int64_t kRowBlock = 128;
constexpr int64_t kColumnBlock = 192;

// Fewer rows than this are cut into blocks of half the length, so that several threads have work.
constexpr int64_t kManyRows = 4 * kRowBlock;

inline Blocks RowBlocks(int64_t rows) {
  return {rows, rows < kManyRows ? kRowBlock / 2 : kRowBlock};
}

// More columns than kColumnBlock are cut into blocks of one length, a multiple of kColumnVector.
// The length is chosen for an even number of blocks, so that two threads have the same work. Two
// things keep the cut from being even:
// - The last block takes what rounding up the length leaves: as few as 17 columns, and from 1,921
//   columns on a single one at worst.
// - From 1,921 columns on, rounding may also leave one block fewer, an odd number.
// An even cut would change the order of sums over columns, and so the bits of losses.
constexpr int64_t kColumnVector = 16;
inline Blocks ColumnBlocks(int64_t columns) {
  if (columns <= kColumnBlock) return {columns, kColumnBlock};
  const int64_t vectors = (columns + kColumnVector - 1) / kColumnVector;
  const int64_t count = (columns + 2 * kColumnBlock - 1) / (2 * kColumnBlock) * 2;
  return {columns, (vectors + count - 1) / count * kColumnVector};
}

// The number of column blocks in a panel. Short rows leave room in the caches for more.
constexpr int64_t kShortDepth = 256;
inline int64_t PanelBlocks(int64_t depth) { return depth > kShortDepth ? 4 : 8; }

// Calls work(first, count) for each panel: the column blocks [first, first + count).
template <typename Work>
void ForEachPanel(const Blocks& columns, int64_t panel_blocks, Work work) {
  for (int64_t first = 0; first < columns.count(); first += panel_blocks) {
    work(first, std::min(panel_blocks, columns.count() - first));
  }
}

// Where the block (r, b) begins in a matrix that is stored block by block. A block lies row by row.
inline int64_t BlockBegin(const Blocks& rows, int64_t r, const Blocks& columns, int64_t b) {
  return rows.begin(r) * columns.size + rows.length(r) * columns.begin(b);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_TILING_H_
