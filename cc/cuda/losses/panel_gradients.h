// SPDX-License-Identifier: Apache-2.0
// The gradients of a panel of logits, and their sums over rows, which are gradients of biases.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_PANEL_GRADIENTS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_PANEL_GRADIENTS_H_

#include "cc/cuda/losses/sampled_segments.h"

namespace candsamp {

// `Source` makes the gradients. What it keeps of a segment is a State<Block>: Begin(block, first,
// &state) begins that which begins at column `first`, and Write(block, state, row, first, g) writes
// a lane's gradients of the row there. On each processor kLeastBlocks run at once.
template <typename A, typename P, typename Source>
struct PanelGradientsKernel {
  static constexpr int kLeastBlocks = Source::kLeastBlocks;
  static constexpr int kSharedWords = kMostLaneGroups * kSegment * sizeof(A) / sizeof(uint32_t);

  Source source;
  int64_t rows;
  SegmentShares shares;
  Panel<P> gradients;
  A* column_sums;  // [blocks that share rows, stride], of the panel's columns; or nullptr
  int64_t stride;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t items = shares.Blocks(rows, block.lane_groups()) * shares.segments;
    for (int64_t s = block.block(); s < items; s += block.blocks()) {
      const int64_t first = gradients.first + s % shares.segments * kSegment;
      const int64_t begin =
          (s / shares.segments * block.lane_groups() + block.lane_group()) * shares.rows;
      typename Source::template State<Block> state;
      source.Begin(block, first, &state);
      A sums[kSegment / Block::kLeastLanes];
      CANDSAMP_UNROLL
      for (int j = 0; j < ColumnsOfLane(block); ++j) sums[j] = A(0);
      for (int64_t row = begin; row < Least(begin + shares.rows, rows); ++row) {
        A g[kSegment / Block::kLeastLanes];
        source.Write(block, state, row, first, g);
        CANDSAMP_UNROLL
        for (int j = 0; j < ColumnsOfLane(block); ++j) sums[j] += g[j];
        StoreSegment(block, g, gradients, row, first);
      }
      if (column_sums != nullptr) {
        SumColumns(block, first, sums, column_sums + s / shares.segments * stride);
      }
    }
  }

 private:
  // Sums the columns of a segment over the lane groups of a block.
  template <typename Block>
  CANDSAMP_DEVICE void SumColumns(Block& block, int64_t first, const A* sums, A* out) const {
    A* const shared = reinterpret_cast<A*>(block.words());
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); ++j) {
      shared[block.lane_group() * kSegment + ColumnOfLane(block, j)] = sums[j];
    }
    block.Sync();
    const int64_t end = Least(kSegment, gradients.first + gradients.count - first);
    for (int64_t c = block.thread(); c < end; c += block.threads()) {
      A sum = A(0);
      for (int g = 0; g < block.lane_groups(); ++g) sum += shared[g * kSegment + c];
      out[first - gradients.first + c] = sum;
    }
    block.Sync();
  }
};

// Launches it. `shares` may be those of a longer panel, but for the number of segments.
template <typename A, typename P, typename Source, typename Launcher>
void WritePanelGradients(Launcher& launcher, const Source& source, int64_t rows,
                         SegmentShares shares, const Panel<P>& gradients, A* column_sums,
                         int64_t stride) {
  shares.segments = SegmentsOf(gradients.count);
  launcher.ForEachBlock(
      shares.Blocks(rows, launcher.lane_groups()) * shares.segments,
      PanelGradientsKernel<A, P, Source>{source, rows, shares, gradients, column_sums, stride});
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_PANEL_GRADIENTS_H_
