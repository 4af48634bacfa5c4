// Matrices packed block by block for products.
#ifndef TF_CANDSAMP_CC_LIB_PACKED_BLOCKS_H_
#define TF_CANDSAMP_CC_LIB_PACKED_BLOCKS_H_

#include <algorithm>
#include <cstdint>

#include "cc/lib/half.h"
#include "cc/lib/host.h"
#include "cc/lib/matrix_kernels.h"
#include "cc/lib/row_kernels.h"
#include "cc/lib/sampled_batch.h"

namespace candsamp {

// Room for `count` packed blocks of at most `size` values.
template <typename A>
class PackedBlocks {
 public:
  PackedBlocks(Host& host, int64_t count, int64_t size)
      : size_((size + kLine - 1) / kLine * kLine), values_(host.Allocate<A>(count * size_)) {}

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
  WidenedRows(Host& host, int64_t rows, int64_t depth)
      : depth_(depth), scratch_(kInPlace ? nullptr : host.Allocate<A>(rows * depth)) {}

  // `slot` says where in the scratch, in rows, the `count` rows go.
  const A* Widen(const W* rows, int64_t count, int64_t slot) const {
    if constexpr (kInPlace) {
      return rows;
    } else {
      A* wide = scratch_ + slot * depth_;
      ChosenRowKernels<W>().widen(rows, count * depth_, wide);
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

#endif  // TF_CANDSAMP_CC_LIB_PACKED_BLOCKS_H_
