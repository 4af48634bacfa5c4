// SPDX-License-Identifier: Apache-2.0
// What happens to the logits of a dense loss once their product is made: the twin of
// cc/lib/losses/sampled_logits.h.
//
// Each row is cut into segments of kSegment columns. A lane group holds a segment in registers, and
// reduces it to its largest logit and a sum; what it keeps are slopes, the derivatives of logits up
// to a factor for the row and the segment. So logits, which are read once, need no place in the
// device's memory but the panel that is in the L2 cache.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_SEGMENTS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_SEGMENTS_H_

#include "cc/cuda/core/team.h"
#include "cc/cuda/losses/sampled_columns.h"
#include "cc/lib/core/float_math.h"
#include "cc/lib/core/half.h"
#include "cc/lib/logits/softcap.h"

namespace candsamp {

constexpr int kSegment = 512;
constexpr int kSegmentPack = 4;  // columns that a lane loads at once

CANDSAMP_FORMULA int64_t SegmentsOf(int64_t columns) { return (columns + kSegment - 1) / kSegment; }

template <typename A>
CANDSAMP_FORMULA A MinusInfinity() {
  return -A(__builtin_inf());
}

// A finite number to subtract from logits of which `largest` is the largest.
template <typename A>
CANDSAMP_FORMULA A ReferenceOf(A largest) {
  return largest == MinusInfinity<A>() ? A(0) : largest;
}

// The part of one row in one segment.
template <typename A>
struct SegmentSum {
  A max;  // softmax: the largest logit, minus infinity if all are dropped or masked
  A sum;  // softmax: sum of exp(z - max); NCE: sum of softplus(z)
};

// What statistics and corrected_log_q need of it.
template <typename A>
struct SegmentStats {
  A largest;  // the largest logit of a single draw
  A exps;     // NCE: sum of exp(z - largest)
  A dropped;  // how many draws are accidental hits
};

// How many columns of a segment a lane has, and which is its j-th. It has values of them in arrays
// that it indexes by constants once loops are unrolled.
template <typename Block>
CANDSAMP_DEVICE int ColumnsOfLane(const Block& block) {
  return kSegment / block.lanes();
}
template <typename Block>
CANDSAMP_DEVICE int ColumnOfLane(const Block& block, int j) {
  return (j / kSegmentPack * block.lanes() + block.lane()) * kSegmentPack + j % kSegmentPack;
}

// How many blocks a processor runs at once of a kernel of which it runs `blocks` for float: doubles
// take twice the registers.
template <typename A>
constexpr int BlocksOf(int blocks) {
  return sizeof(A) == 8 ? blocks / 2 : blocks;
}

// Calls use(j, label) for each label of the row that is column j of this lane, of the segment that
// begins at column `first`.
template <typename Block, typename Use>
CANDSAMP_DEVICE void ForLabels(const Block& block, const SampledBatch& batch, int64_t row,
                               int64_t first, Use use) {
  for (int64_t label = row * batch.num_true; label < (row + 1) * batch.num_true; ++label) {
    const int64_t column = batch.label_classes[label];
    if (column < first || column >= first + kSegment || column >= batch.columns) continue;
    const int of_segment = static_cast<int>(column - first);
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); ++j) {
      if (ColumnOfLane(block, j) == of_segment) use(j, label);
    }
  }
}

// The arithmetic of a segment. Where it is kPlain, no column repeats and nobody asks for
// statistics, which leaves registers for more blocks.
template <typename A, LossKind kKind, bool kCapped, bool kPlain>
struct SegmentLogits {
  // Of ReducePanelKernel.
  static constexpr int kLeastBlocks = BlocksOf<A>(kPlain ? 3 : 2);

  SampledBatch batch;
  SampledColumns<A> columns;
  A softcap;

  template <typename Block>
  static constexpr int kMost = kSegment / Block::kLeastLanes;

  template <typename Block>
  struct OfColumns {
    A offsets[kMost<Block>];
    A biases[kCapped ? kMost<Block> : 1];
  };

  template <typename Block>
  CANDSAMP_DEVICE void Load(const Block& block, int64_t first, OfColumns<Block>* of) const {
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); ++j) {
      const int64_t column = first + ColumnOfLane(block, j);
      const bool is_column = column < columns.count;
      of->offsets[j] = is_column ? columns.offsets[column] : MinusInfinity<A>();
      if (kCapped) of->biases[j] = is_column ? columns.biases[column] : A(0);
    }
  }

  // Turns dot products into logits and, with a softcap, writes its derivatives. A place that is no
  // column gets minus infinity.
  template <typename Block>
  CANDSAMP_DEVICE void Add(const Block& block, const OfColumns<Block>& of, A* z,
                           A* cap_slopes) const {
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); ++j) {
      const bool is_column = of.offsets[j] != MinusInfinity<A>();
      if (kCapped) {
        z[j] = Softcap(z[j] + of.biases[j], softcap, &cap_slopes[j]);
        cap_slopes[j] = is_column ? cap_slopes[j] : A(0);
      }
      z[j] = is_column ? z[j] + of.offsets[j] : MinusInfinity<A>();
    }
  }

  // Turns the dot products of the row's segment into slopes. The segment begins at column `first`.
  template <typename Block>
  CANDSAMP_DEVICE SegmentSum<A> Reduce(Block& block, int64_t row, int64_t first,
                                       const OfColumns<Block>& of, A* z,
                                       SegmentStats<A>* stats) const {
    A cap_slopes[kCapped ? kMost<Block> : 1];
    Add(block, of, z, cap_slopes);
    const A dropped = batch.remove_accidental_hits ? Drop(block, row, first, z) : A(0);
    SegmentSum<A> sum;
    if (kKind == LossKind::kSoftmax) {
      sum.max = Largest(block, z);
      if (!kPlain && stats != nullptr) {
        *stats = {LargestDraw(block, first, z, sum.max), A(0), dropped};
      }
      const A reference = ReferenceOf(sum.max);
      sum.sum = SumOfColumns(block, [&](int j) {
        z[j] = ExpNonPositive(z[j] - reference);
        return z[j];
      });
    } else {
      sum.max = MinusInfinity<A>();
      if (!kPlain && stats != nullptr) *stats = NceStats(block, first, z, dropped);
      sum.sum = SumOfColumns(block, [&](int j) {
        const A first_draw = z[j];
        A of_draws = Softplus(first_draw);
        z[j] = Sigmoid(first_draw);
        if (HasRepeats()) {
          ForRepeats(block, first, j, first_draw, [&](A repeat) {
            of_draws += Softplus(repeat);
            z[j] += Sigmoid(repeat);
          });
        }
        return of_draws;
      });
    }
    if (kCapped) {
      CANDSAMP_UNROLL
      for (int j = 0; j < ColumnsOfLane(block); ++j) z[j] *= cap_slopes[j];
    }
    return sum;
  }

 private:
  CANDSAMP_DEVICE bool HasRepeats() const { return !kPlain && columns.has_repeats; }

  // The sum of term(j) over the segment. Packs are summed first: a long sum's rounding adds up.
  template <typename Block, typename Term>
  static CANDSAMP_DEVICE A SumOfColumns(Block& block, Term term) {
    A sum = A(0);
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); j += kSegmentPack) {
      A of_pack = A(0);
      CANDSAMP_UNROLL
      for (int v = 0; v < kSegmentPack; ++v) of_pack += term(j + v);
      sum += of_pack;
    }
    return block.SumOfLanes(sum);
  }

  // Sets the logits of accidental hits to minus infinity; returns how many draws those are.
  template <typename Block>
  CANDSAMP_DEVICE A Drop(Block& block, int64_t row, int64_t first, A* z) const {
    A dropped = A(0);
    const auto drop = [&](int j) {
      if (z[j] != MinusInfinity<A>()) {
        dropped += static_cast<A>(columns.Draws(first + ColumnOfLane(block, j)));
      }
      z[j] = MinusInfinity<A>();
    };
    if (columns.hits == nullptr) {
      ForLabels(block, batch, row, first, [&](int j, int64_t) { drop(j); });
    } else {
      for (int64_t label = row * batch.num_true; label < (row + 1) * batch.num_true; ++label) {
        const int64_t id = batch.label_hits[label];
        CANDSAMP_UNROLL
        for (int j = 0; j < ColumnsOfLane(block); ++j) {
          const int64_t column = first + ColumnOfLane(block, j);
          if (column < columns.count && columns.hits[column] == id) drop(j);
        }
      }
    }
    return !kPlain && batch.options.corrected_log_q ? block.SumOfLanes(dropped) : A(0);
  }

  // NaN is not above any number; it reaches the loss through the sum.
  template <typename Block>
  CANDSAMP_DEVICE A Largest(Block& block, const A* z) const {
    A largest = MinusInfinity<A>();
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); ++j) largest = z[j] > largest ? z[j] : largest;
    return block.LargestOfLanes(largest);
  }

  template <typename Block>
  CANDSAMP_DEVICE A LargestDraw(Block& block, int64_t first, const A* z, A max) const {
    if (!HasRepeats()) return max;
    A largest = MinusInfinity<A>();
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); ++j) {
      const int64_t column = first + ColumnOfLane(block, j);
      if (column >= columns.count) continue;
      const A draw = z[j] - columns.Gain(column);
      largest = draw > largest ? draw : largest;
    }
    return block.LargestOfLanes(largest);
  }

  // Calls use(logit) for each draw of a column behind its first.
  template <typename Block, typename Use>
  CANDSAMP_DEVICE void ForRepeats(const Block& block, int64_t first, int j, A first_draw,
                                  Use use) const {
    const int64_t column = first + ColumnOfLane(block, j);
    if (column >= columns.count) return;
    const int64_t draws = columns.Draws(column);
    for (int64_t k = 1; k < draws; ++k) use(first_draw + columns.Shift(column, k));
  }

  template <typename Block>
  CANDSAMP_DEVICE SegmentStats<A> NceStats(Block& block, int64_t first, const A* z,
                                           A dropped) const {
    A largest = Largest(block, z);
    if (HasRepeats()) {
      CANDSAMP_UNROLL
      for (int j = 0; j < ColumnsOfLane(block); ++j) {
        ForRepeats(block, first, j, z[j],
                   [&](A repeat) { largest = repeat > largest ? repeat : largest; });
      }
      largest = block.LargestOfLanes(largest);
    }
    const A reference = ReferenceOf(largest);
    A exps = A(0);
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); ++j) {
      exps += ExpNonPositive(z[j] - reference);
      if (!HasRepeats()) continue;
      ForRepeats(block, first, j, z[j],
                 [&](A repeat) { exps += ExpNonPositive(repeat - reference); });
    }
    return {largest, block.SumOfLanes(exps), dropped};
  }
};

// Some columns of all rows: dot products [rows, stride] of the columns from `first` on.
// REQUIRES: `first` is a multiple of kSegment, `stride` of kSegmentPack.
template <typename Z>
struct Panel {
  Z* values;
  int64_t stride, first, count;

  CANDSAMP_METHOD Z* At(int64_t row, int64_t column) const {
    return values + row * stride + (column - first);
  }
};

// A lane's columns of a row, where the panel has them; else 0.
template <typename A, typename Z, typename Block>
CANDSAMP_DEVICE void LoadSegment(const Block& block, const Panel<Z>& panel, int64_t row,
                                 int64_t first, A* values) {
  const int64_t end = panel.first + panel.stride;
  CANDSAMP_UNROLL
  for (int j = 0; j < kSegment / block.lanes(); j += kSegmentPack) {
    const int64_t column = first + (j / kSegmentPack * block.lanes() + block.lane()) * kSegmentPack;
    if (column < end) {
      const auto pack = Pack<Z, kSegmentPack>::Load(panel.At(row, column));
      CANDSAMP_UNROLL
      for (int v = 0; v < kSegmentPack; ++v) values[j + v] = Widen(pack.values[v]);
    } else {
      CANDSAMP_UNROLL
      for (int v = 0; v < kSegmentPack; ++v) values[j + v] = A(0);
    }
  }
}

template <typename A, typename Z, typename Block>
CANDSAMP_DEVICE void StoreSegment(const Block& block, const A* values, const Panel<Z>& panel,
                                  int64_t row, int64_t first) {
  const int64_t end = panel.first + panel.stride;
  CANDSAMP_UNROLL
  for (int j = 0; j < kSegment / block.lanes(); j += kSegmentPack) {
    const int64_t column = first + (j / kSegmentPack * block.lanes() + block.lane()) * kSegmentPack;
    if (column >= end) continue;
    Pack<Z, kSegmentPack> pack;
    CANDSAMP_UNROLL
    for (int v = 0; v < kSegmentPack; ++v) Narrow(values[j + v], &pack.values[v]);
    pack.Store(panel.At(row, column));
  }
}

// How the rows of a panel are dealt out: a block has some rows of one segment, and each of its lane
// groups `rows` of those.
struct SegmentShares {
  int64_t rows;
  int64_t segments;  // of the panel

  // For as many lane groups as a large device runs at once, where each of its processors runs so
  // many blocks: one more would wait for all others.
  static SegmentShares Of(int64_t rows, int64_t columns, int64_t blocks) {
    const int64_t lane_groups = blocks * 1024, segments = SegmentsOf(columns);
    return {Most(1, Least(16, (rows * segments + lane_groups - 1) / lane_groups)), segments};
  }
  // How many blocks share the rows of a segment.
  CANDSAMP_METHOD int64_t Blocks(int64_t all_rows, int64_t lane_groups) const {
    return (all_rows + rows * lane_groups - 1) / (rows * lane_groups);
  }
};

// Reduces the segments of a panel. Logits past its last column, up to the stride, may be anything.
template <typename Logits, typename A, typename Slope>
struct ReducePanelKernel {
  static constexpr int kLeastBlocks = Logits::kLeastBlocks;

  Logits logits;
  Panel<const A> panel;
  SegmentShares shares;
  SegmentSum<A>* sums;     // [segments of all columns, rows]
  SegmentStats<A>* stats;  // likewise, or nullptr
  Panel<Slope> slopes;     // of all columns; no values: not kept

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t rows = logits.batch.rows;
    const int64_t items = shares.Blocks(rows, block.lane_groups()) * shares.segments;
    for (int64_t s = block.block(); s < items; s += block.blocks()) {
      const int64_t first = panel.first + s % shares.segments * kSegment;
      const int64_t begin =
          (s / shares.segments * block.lane_groups() + block.lane_group()) * shares.rows;
      typename Logits::template OfColumns<Block> of;
      logits.Load(block, first, &of);
      const int64_t end = Least(begin + shares.rows, rows);
      A next[kSegment / Block::kLeastLanes];  // a row on its way while the one before is reduced
      if (begin < end) LoadSegment(block, panel, begin, first, next);
      for (int64_t row = begin; row < end; ++row) {
        A z[kSegment / Block::kLeastLanes];
        CANDSAMP_UNROLL
        for (int j = 0; j < ColumnsOfLane(block); ++j) z[j] = next[j];
        if (row + 1 < end) LoadSegment(block, panel, row + 1, first, next);
        SegmentStats<A> of_row;
        const SegmentSum<A> sum =
            logits.Reduce(block, row, first, of, z, stats == nullptr ? nullptr : &of_row);
        if (slopes.values != nullptr) StoreSegment(block, z, slopes, row, first);
        if (block.lane() != 0) continue;
        sums[first / kSegment * rows + row] = sum;
        if (stats != nullptr) stats[first / kSegment * rows + row] = of_row;
      }
    }
  }
};

template <typename Logits, typename A, typename Slope, typename Launcher>
void ReducePanel(Launcher& launcher, const Logits& logits, const Panel<const A>& panel,
                 SegmentSum<A>* sums, SegmentStats<A>* stats, const Panel<Slope>& slopes) {
  using Kernel = ReducePanelKernel<Logits, A, Slope>;
  const int64_t rows = logits.batch.rows;
  const auto shares = SegmentShares::Of(rows, panel.count, Kernel::kLeastBlocks);
  launcher.ForEachBlock(shares.Blocks(rows, launcher.lane_groups()) * shares.segments,
                        Kernel{logits, panel, shares, sums, stats, slopes});
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_SEGMENTS_H_
