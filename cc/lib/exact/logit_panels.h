// SPDX-License-Identifier: Apache-2.0
// The logits of all classes for a batch of inputs, tile by tile. Nobody ever holds all of them.
//
// Classes are cut into blocks, and the blocks into panels, as in cc/lib/losses/tiling.h. But here a
// logit's bits depend on its class row, bias and input alone, not on its place in the batch or in
// the table: equal rows have equal logits. The matrix products promise that for tiles whose sizes
// are multiples of what their innermost loops take at a time, so tiles are padded to such sizes.
#ifndef TF_CANDSAMP_CC_LIB_EXACT_LOGIT_PANELS_H_
#define TF_CANDSAMP_CC_LIB_EXACT_LOGIT_PANELS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/logits/logit_options.h"
#include "cc/lib/losses/packed_blocks.h"
#include "cc/lib/losses/tiling.h"
#include "cc/lib/matrix/matrix_loops.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

inline int64_t RoundUp(int64_t size, int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

// What is scored: the classes [0, num_classes) of a table, for each row of inputs.
// REQUIRES: every class has a row in weights and in biases. Biases have depth 1, or are empty.
template <typename W>
struct Scoring {
  using A = Accumulator<W>;
  const RowTable<W>& weights;
  const RowTable<W>& biases;
  int64_t num_classes;
  const A* inputs;  // [rows, depth]
  int64_t rows;
  LogitOptions options;
  const MatrixLoops<A>& matrices;
};

template <typename W>
class LogitPanels {
 public:
  using A = Accumulator<W>;

  // Tiles are this wide in memory, and this is what their sizes are padded to.
  static constexpr int64_t kWidth = kColumnBlock;
  static constexpr int64_t kPadColumns = 48;
  static constexpr int64_t kPadRows = 8;
  static constexpr int64_t kTileSize = kRowBlock * kWidth;

  // Panels hold as many blocks as fit, at least `fewest`, if somebody keeps `kept_per_row` values
  // of each row and class of a panel.
  LogitPanels(Runtime& runtime, const Scoring<W>& scoring, int64_t kept_per_row, int64_t fewest);

  const Scoring<W>& scoring() const { return scoring_; }
  const Blocks& rows() const { return rows_; }
  const Blocks& columns() const { return columns_; }
  int64_t depth() const { return depth_; }
  int64_t panel_blocks() const { return panel_blocks_; }

  // Calls work(first, count) for each panel, the blocks [first, first + count), after Open of each
  // block: block b in the slot b - first.
  template <typename Work>
  void ForEachPanel(Work work) {
    candsamp::ForEachPanel(columns_, panel_blocks_, [&](int64_t first, int64_t count) {
      runtime_.ParallelFor(count, kWidth * (depth_ + 20), [&](int64_t slot, int64_t end) {
        for (; slot < end; ++slot) Open(slot, first + slot);
      });
      work(first, count);
    });
  }

  // Runs work(r, slot) for each block of rows and slot of a panel.
  template <typename Work>
  void ForEachTile(int64_t count, int64_t cost_of_logit, Work work) {
    runtime_.ParallelFor(rows_.count() * count,
                         rows_.longest() * kWidth * (depth_ / 16 + cost_of_logit),
                         [&](int64_t unit, int64_t end) {
                           for (; unit < end; ++unit) work(unit / count, unit % count);
                         });
  }

  // Fills a tile with the logits of a block of rows, before the softcap. Only its first rows and
  // columns, rows().length(r) and columns().length(b), hold logits.
  void Logits(int64_t r, int64_t slot, int64_t b, A* tile) const;

  // The rows of the classes of a block as they are multiplied: normalized, if that is asked for.
  const A* ClassRows(int64_t slot) const { return slot_rows_[slot]; }
  // The inputs likewise, and divided by the temperature.
  const A* inputs() const { return inputs_; }

  // Turns the gradient of a class row as it was multiplied into that of the row itself; `k` is the
  // position in the block. And the same for inputs.
  void PullBackClass(int64_t slot, int64_t k, A* gradient) const;
  void PullBackInput(int64_t row, A* gradient) const;

  // Writes the logits of given classes, [rows, per_row], with the bits that they have in tiles.
  void LogitsOf(const int64_t* classes, int64_t per_row, A* logits) const;

 private:
  void Open(int64_t slot, int64_t b);
  // Writes the row of a class as it is multiplied. Returns what it was multiplied with.
  A PrepareClass(int64_t id, A* out) const;
  A Bias(int64_t id) const;
  void PullBack(const A* prepared, A factor, A* gradient) const;

  Runtime& runtime_;
  const Scoring<W> scoring_;
  const int64_t depth_ = scoring_.weights.depth();
  const Blocks rows_ = RowBlocks(scoring_.rows);
  const Blocks columns_ = {scoring_.num_classes, kWidth};
  int64_t panel_blocks_;
  A* inputs_;         // [rows, padded][depth]
  A* input_factors_;  // [rows]
  PackedBlocks<A> packed_inputs_;
  PackedBlocks<A> packed_classes_;
  A* wide_rows_;                // [slots, kWidth, depth], or [1, kWidth, depth] for the last block
  A* class_factors_ = nullptr;  // [slots, kWidth]
  A* biases_;                   // [slots, kWidth]
  std::vector<const A*> slot_rows_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_EXACT_LOGIT_PANELS_H_
