// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/exact/logit_panels.h"

#include <type_traits>

#include "cc/lib/logits/unit_rows.h"

namespace candsamp {
namespace {

// Scratch that grows with the batch stays below this size where panels can be cut smaller.
constexpr int64_t kMostKept = int64_t{48} << 20;

// A few rows are soon multiplied, so they get longer panels. Otherwise threads wait for each other
// too often.
template <typename A>
int64_t ChoosePanelBlocks(const Blocks& rows, const Blocks& columns, int64_t depth, int64_t width,
                          int64_t kept_per_row, int64_t fewest) {
  constexpr int64_t kFewRowBlocks = 2, kMostBlocks = 64, kMostPacked = int64_t{8} << 20;
  int64_t blocks = PanelBlocks(depth);
  if (rows.count() <= kFewRowBlocks) {
    const int64_t size = width * std::max<int64_t>(depth, 1) * int64_t{sizeof(A)};
    blocks = std::clamp(kMostPacked / size, blocks, kMostBlocks);
  }
  if (kept_per_row > 0 && rows.size > 0) {
    const int64_t size = kept_per_row * rows.size * width * int64_t{sizeof(A)};
    blocks = std::clamp(kMostKept / size, std::min(fewest, blocks), blocks);
  }
  return std::max<int64_t>(1, std::min(blocks, columns.count()));
}

}  // namespace

template <typename W>
LogitPanels<W>::LogitPanels(Runtime& runtime, const Scoring<W>& scoring, int64_t kept_per_row,
                            int64_t fewest)
    : runtime_(runtime),
      scoring_(scoring),
      panel_blocks_(ChoosePanelBlocks<A>(rows_, columns_, depth_, kWidth, kept_per_row, fewest)),
      inputs_(runtime.Allocate<A>(RoundUp(rows_.size, kPadRows) * depth_)),
      input_factors_(runtime.Allocate<A>(rows_.size)),
      packed_inputs_(runtime, rows_.count(),
                     scoring.matrices.left_size(RoundUp(rows_.longest(), kPadRows), depth_)),
      packed_classes_(runtime, panel_blocks_, scoring.matrices.right_size(depth_, kWidth)),
      biases_(runtime.Allocate<A>(panel_blocks_ * kWidth)),
      slot_rows_(panel_blocks_) {
  const bool in_place = std::is_same_v<W, A> && scoring.weights.shards() == 1;
  const bool few_copies = in_place && !scoring.options.normalize;
  wide_rows_ = runtime.Allocate<A>((few_copies ? 1 : panel_blocks_) * kWidth * depth_);
  if (scoring.options.normalize) {
    class_factors_ = runtime.Allocate<A>(panel_blocks_ * kWidth);
  }
  const A scale = static_cast<A>(1 / scoring.options.temperature);
  runtime.ParallelFor(rows_.count(), rows_.longest() * (depth_ + 4), [&](int64_t r, int64_t end) {
    for (; r < end; ++r) {
      const int64_t first = rows_.begin(r), padded = RoundUp(rows_.length(r), kPadRows);
      for (int64_t i = first; i < first + padded; ++i) {
        A* const out = inputs_ + i * depth_;
        if (i >= rows_.size) {
          std::fill_n(out, depth_, A(0));
          continue;
        }
        const A* const in = scoring_.inputs + i * depth_;
        const A factor = scoring_.options.normalize ? InverseNorm(in, depth_) * scale : scale;
        input_factors_[i] = factor;
        ChosenRowLoops<A>().scale_and_narrow(in, factor, depth_, out);
      }
      scoring_.matrices.pack_left(inputs_ + first * depth_, depth_, Layout::kRows, padded, depth_,
                                  packed_inputs_[r]);
    }
  });
}

template <typename W>
typename LogitPanels<W>::A LogitPanels<W>::Bias(int64_t id) const {
  return scoring_.biases.empty() ? A(0) : A(Widen(*scoring_.biases.Row(id)));
}

template <typename W>
typename LogitPanels<W>::A LogitPanels<W>::PrepareClass(int64_t id, A* out) const {
  ChosenRowLoops<W>().widen(scoring_.weights.Row(id), depth_, out);
  if (!scoring_.options.normalize) return A(1);
  const A factor = InverseNorm(out, depth_);
  ChosenRowLoops<A>().scale_and_narrow(out, factor, depth_, out);
  return factor;
}

template <typename W>
void LogitPanels<W>::Open(int64_t slot, int64_t b) {
  const int64_t first = columns_.begin(b), length = columns_.length(b);
  const int64_t padded = RoundUp(length, kPadColumns);
  const bool in_place =
      std::is_same_v<W, A> && scoring_.weights.shards() == 1 && !scoring_.options.normalize;
  const A* rows = nullptr;
  if (in_place && padded == length) {
    if constexpr (std::is_same_v<W, A>) rows = scoring_.weights.Row(first);
  } else {
    A* const wide = wide_rows_ + (in_place ? 0 : slot * kWidth * depth_);
    for (int64_t k = 0; k < length; ++k) {
      const A factor = PrepareClass(first + k, wide + k * depth_);
      if (class_factors_) class_factors_[slot * kWidth + k] = factor;
    }
    std::fill_n(wide + length * depth_, (padded - length) * depth_, A(0));
    rows = wide;
  }
  slot_rows_[slot] = rows;
  scoring_.matrices.pack_right(rows, depth_, Layout::kTransposed, depth_, padded,
                               packed_classes_[slot]);
  A* const biases = biases_ + slot * kWidth;
  for (int64_t k = 0; k < length; ++k) biases[k] = Bias(first + k);
  std::fill_n(biases + length, padded - length, A(0));
}

template <typename W>
void LogitPanels<W>::Logits(int64_t r, int64_t slot, int64_t b, A* tile) const {
  const int64_t padded = RoundUp(columns_.length(b), kPadColumns);
  const int64_t rows = RoundUp(rows_.length(r), kPadRows);
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(biases_ + slot * kWidth, padded, tile + i * kWidth);
  }
  scoring_.matrices.multiply_add(packed_inputs_[r], packed_classes_[slot], rows, depth_, padded,
                                 tile, kWidth);
}

// For y = factor * w, a unit vector, the gradient by w is that by y without its part along y, times
// the factor.
template <typename W>
void LogitPanels<W>::PullBack(const A* prepared, A factor, A* gradient) const {
  A along;
  ChosenRowLoops<A>().dot(&prepared, 1, 1, gradient, depth_, &along);
  const A minus = -along;
  ChosenRowLoops<A>().add_weighted(&prepared, &minus, 1, depth_, gradient);
  ChosenRowLoops<A>().scale_and_narrow(gradient, factor, depth_, gradient);
}

template <typename W>
void LogitPanels<W>::PullBackClass(int64_t slot, int64_t k, A* gradient) const {
  if (!class_factors_) return;
  PullBack(slot_rows_[slot] + k * depth_, class_factors_[slot * kWidth + k], gradient);
}

template <typename W>
void LogitPanels<W>::PullBackInput(int64_t row, A* gradient) const {
  const A factor = input_factors_[row];
  if (!scoring_.options.normalize) {
    if (factor != A(1)) ChosenRowLoops<A>().scale_and_narrow(gradient, factor, depth_, gradient);
    return;
  }
  // The prepared input is 1 / temperature long: its part along itself needs that length squared.
  const A temperature = static_cast<A>(scoring_.options.temperature);
  const A* const prepared = inputs_ + row * depth_;
  A along;
  ChosenRowLoops<A>().dot(&prepared, 1, 1, gradient, depth_, &along);
  const A minus = -along * temperature * temperature;
  ChosenRowLoops<A>().add_weighted(&prepared, &minus, 1, depth_, gradient);
  ChosenRowLoops<A>().scale_and_narrow(gradient, factor, depth_, gradient);
}

template <typename W>
void LogitPanels<W>::LogitsOf(const int64_t* classes, int64_t per_row, A* logits) const {
  // Eight rows are multiplied with eight classes, one of each row; the diagonal is what is wanted.
  constexpr int64_t kSlots = 64;
  const int64_t groups = (rows_.size + kPadRows - 1) / kPadRows * per_row;
  const int64_t slots = std::min(kSlots, groups);
  const PackedBlocks<A> left(runtime_, slots, scoring_.matrices.left_size(kPadRows, depth_));
  const PackedBlocks<A> right(runtime_, slots, scoring_.matrices.right_size(depth_, kPadColumns));
  A* const wide = runtime_.Allocate<A>(slots * kPadColumns * depth_);
  std::fill_n(wide, slots * kPadColumns * depth_, A(0));
  for (int64_t done = 0; done < groups; done += slots) {
    runtime_.ParallelFor(
        std::min(slots, groups - done), kPadRows * kPadColumns * (depth_ / 8 + 10),
        [&](int64_t slot, int64_t end) {
          for (; slot < end; ++slot) {
            const int64_t first = (done + slot) / per_row * kPadRows, t = (done + slot) % per_row;
            const int64_t count = std::min(kPadRows, rows_.size - first);
            A* const rows = wide + slot * kPadColumns * depth_;
            alignas(64) A tile[kPadRows * kPadColumns] = {};
            for (int64_t i = 0; i < count; ++i) {
              const int64_t id = classes[(first + i) * per_row + t];
              PrepareClass(id, rows + i * depth_);
              tile[i * kPadColumns + i] = Bias(id);
            }
            scoring_.matrices.pack_left(inputs_ + first * depth_, depth_, Layout::kRows, kPadRows,
                                        depth_, left[slot]);
            scoring_.matrices.pack_right(rows, depth_, Layout::kTransposed, depth_, kPadColumns,
                                         right[slot]);
            scoring_.matrices.multiply_add(left[slot], right[slot], kPadRows, depth_, kPadColumns,
                                           tile, kPadColumns);
            for (int64_t i = 0; i < count; ++i) {
              logits[(first + i) * per_row + t] = tile[i * kPadColumns + i];
            }
          }
        });
  }
}

#define CANDSAMP_INSTANTIATE(W) template class LogitPanels<W>;
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
