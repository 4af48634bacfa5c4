// Matrices packed block by block for products.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_PACKED_BLOCKS_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_PACKED_BLOCKS_H_

#include <algorithm>
#include <cstdint>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/losses/sampled_batch.h"
#include "cc/lib/matrix/matrix_loops.h"
#include "cc/lib/rows/row_loops.h"

namespace candsamp {

// Room for `count` packed blocks of at most `size` values.
template <typename A>
class PackedBlocks {
 public:
  PackedBlocks(Runtime& runtime, int64_t count, int64_t size)
      : size_((size + kLine - 1) / kLine * kLine), values_(runtime.Allocate<A>(count * size_)) {}

  A* operator[](int64_t b) const { return values_ + b * size_; }

 private:
  static constexpr int64_t kLine = 64 / sizeof(A);  // blocks begin at cache lines
  int64_t size_;
  A* values_;
};

// Rows of a table in the type of the arithmetic: where they are, or widened into scratch.
template <typename W>
class WidenedRows {
 public:
  using A = Accumulator<W>;

  // Room for `rows` rows at a time.
  WidenedRows(Runtime& runtime, int64_t rows, int64_t depth)
      : depth_(depth), scratch_(kInPlace ? nullptr : runtime.Allocate<A>(rows * depth)) {}

  // `slot` says where in the scratch, in rows, the `count` rows go.
  const A* Widen(const W* rows, int64_t count, int64_t slot) const {
    if constexpr (kInPlace) {
      return rows;
    } else {
      A* wide = scratch_ + slot * depth_;
      ChosenRowLoops<W>().widen(rows, count * depth_, wide);
      return wide;
    }
  }

 private:
  static constexpr bool kInPlace = std::is_same_v<W, A>;
  int64_t depth_;
  A* scratch_;
};

// Calls work(first, count) for the ranges of column blocks that are worked on together.
template <typename Work>
void ForEachPanel(const Blocks& columns, int64_t panel_blocks, Work work) {
  for (int64_t first = 0; first < columns.count(); first += panel_blocks) {
    work(first, std::min(panel_blocks, columns.count() - first));
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_PACKED_BLOCKS_H_
