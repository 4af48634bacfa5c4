// SPDX-License-Identifier: Apache-2.0
// The backward pass of the full softmax. For each panel of classes:
//  1. Multiply each block of rows and classes again, and turn its logits into their gradients.
//  2. Multiply these with the class rows: that is added to the gradients of the inputs.
//  3. Multiply their transpose with the inputs: those are the gradients of the class rows.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cc/lib/exact/full_softmax.h"
#include "cc/lib/logits/softcap.h"

namespace candsamp {
namespace {

template <typename W>
class FullSoftmaxGradient {
 public:
  using A = Accumulator<W>;

  FullSoftmaxGradient(Runtime& runtime, const Scoring<W>& scoring, const FullSoftmaxLabels& labels,
                      const FullSoftmaxKept<A>& kept, const FullSoftmaxGradients<W>& gradients)
      : runtime_(runtime),
        matrices_(scoring.matrices),
        labels_(labels),
        kept_(kept),
        gradients_(gradients),
        softcap_(scoring.options.softcap),
        panels_(runtime, scoring, 1, kFewestBlocks),
        parts_(Parts(panels_)),
        right_inputs_(runtime, rows_.count(), matrices_.right_size(rows_.longest(), depth_)),
        right_classes_(runtime, panels_.panel_blocks(), matrices_.right_size(kWidth, depth_)),
        packed_(runtime, rows_.count() * panels_.panel_blocks(),
                matrices_.left_size(kWidth, rows_.longest())),
        inputs_(runtime.Allocate<A>((parts_ - 1) * rows_.size * depth_)),
        column_sums_(runtime.Allocate<A>(rows_.count() * panels_.panel_blocks() * kWidth)),
        row_sums_(kInPlace && gradients.weights.is_whole()
                      ? nullptr
                      : runtime.Allocate<A>(panels_.panel_blocks() * kWidth * depth_)) {}

  void Run() {
    gradients_.weights.ClearRest(columns_.size, depth_);
    gradients_.biases.ClearRest(columns_.size, 1);
    std::fill_n(gradients_.inputs, rows_.size * depth_, A(0));
    std::fill_n(inputs_, (parts_ - 1) * rows_.size * depth_, A(0));
    runtime_.ParallelFor(rows_.count(), rows_.longest() * depth_, [&](int64_t r, int64_t end) {
      for (; r < end; ++r) {
        matrices_.pack_right(panels_.inputs() + rows_.begin(r) * depth_, depth_, Layout::kRows,
                             rows_.length(r), depth_, right_inputs_[r]);
      }
    });
    panels_.ForEachPanel([&](int64_t first, int64_t count) {
      runtime_.ParallelFor(count, kWidth * depth_, [&](int64_t slot, int64_t end) {
        for (; slot < end; ++slot) {
          matrices_.pack_right(panels_.ClassRows(slot), depth_, Layout::kRows,
                               columns_.length(first + slot), depth_, right_classes_[slot]);
        }
      });
      runtime_.ParallelFor(rows_.count() * parts_,
                           rows_.longest() * (count * kWidth / parts_ + 1) * (depth_ / 8 + 3),
                           [&](int64_t unit, int64_t end) {
                             for (; unit < end; ++unit) RunPart(unit, first, count);
                           });
      runtime_.ParallelFor(count, kWidth * rows_.size * (depth_ / 16 + 1),
                           [&](int64_t slot, int64_t end) {
                             for (; slot < end; ++slot) {
                               SumRows(slot, first + slot);
                               SumBiases(slot, first + slot);
                             }
                           });
    });
    runtime_.ParallelFor(rows_.size, depth_ * parts_, [&](int64_t row, int64_t end) {
      for (; row < end; ++row) FinishInput(row);
    });
  }

 private:
  static constexpr int64_t kWidth = LogitPanels<W>::kWidth;
  static constexpr int64_t kFewestBlocks = 4;  // so that several threads sum gradients of classes
  static constexpr bool kInPlace = std::is_same_v<W, A>;

  // Few blocks of rows are not enough work for many threads. So several threads take parts of a
  // panel, and sum the gradients of inputs on their own.
  static int64_t Parts(const LogitPanels<W>& panels) {
    constexpr int64_t kUnits = 32;
    const int64_t blocks = std::max<int64_t>(panels.rows().count(), 1);
    return std::clamp<int64_t>(kUnits / blocks, 1, panels.panel_blocks());
  }

  void RunPart(int64_t unit, int64_t first, int64_t count) const {
    const int64_t r = unit / parts_, part = unit % parts_;
    A* const inputs = part == 0 ? gradients_.inputs : inputs_ + (part - 1) * rows_.size * depth_;
    for (int64_t slot = part * count / parts_; slot < (part + 1) * count / parts_; ++slot) {
      RunTile(r, slot, first + slot, inputs + rows_.begin(r) * depth_);
    }
  }

  void RunTile(int64_t r, int64_t slot, int64_t b, A* inputs) const {
    alignas(64) A tile[LogitPanels<W>::kTileSize];
    alignas(64) A packed[LogitPanels<W>::kTileSize];
    panels_.Logits(r, slot, b, tile);
    const int64_t length = columns_.length(b);
    A* const sums = column_sums_ + (r * panels_.panel_blocks() + slot) * kWidth;
    std::fill_n(sums, length, A(0));
    for (int64_t i = 0; i < rows_.length(r); ++i) {
      LogitGradients(rows_.begin(r) + i, columns_.begin(b), length, tile + i * kWidth, sums);
    }
    matrices_.pack_left(tile, kWidth, Layout::kRows, rows_.length(r), length, packed);
    matrices_.multiply_add(packed, right_classes_[slot], rows_.length(r), length, depth_, inputs,
                           depth_);
    matrices_.pack_left(tile, kWidth, Layout::kTransposed, length, rows_.length(r),
                        packed_[slot * rows_.count() + r]);
  }

  // Replaces the logits of a row in a block by their gradients, and adds these to the sums.
  void LogitGradients(int64_t row, int64_t first, int64_t length, A* z, A* sums) const {
    A capped[kWidth];
    if (softcap_ > 0) {
      SoftcapAll(softcap_, length, z);
      std::copy_n(z, length, capped);
    }
    loops_.exp_minus(z, length, kept_.max[row], z);
    const A factor = kept_.grad[row] / kept_.sum[row];
    if (softcap_ > 0) {
      ChosenRowLoops<A>().scale_and_narrow(z, factor, length, z);
    } else {
      loops_.scale_and_add(z, factor, length, z, sums);
    }
    const A target = kept_.grad[row] / static_cast<A>(labels_.num_true);
    for (int64_t k = row * labels_.num_true; k < (row + 1) * labels_.num_true; ++k) {
      const uint64_t column = static_cast<uint64_t>(labels_.ids[k] - first);
      if (column >= static_cast<uint64_t>(length)) continue;
      z[column] -= target;
      if (!(softcap_ > 0)) sums[column] -= target;
    }
    if (softcap_ > 0) {
      ScaleBySoftcapSlope(softcap_, capped, length, z);
      loops_.scale_and_add(z, A(1), length, z, sums);
    }
  }

  void SumRows(int64_t slot, int64_t b) const {
    const int64_t length = columns_.length(b), first = columns_.begin(b);
    A* sums;
    if constexpr (kInPlace) {
      sums = row_sums_ ? row_sums_ + slot * kWidth * depth_ : gradients_.weights.Row(first, depth_);
    } else {
      sums = row_sums_ + slot * kWidth * depth_;
    }
    std::fill_n(sums, length * depth_, A(0));
    for (int64_t r = 0; r < rows_.count(); ++r) {
      matrices_.multiply_add(packed_[slot * rows_.count() + r], right_inputs_[r], length,
                             rows_.length(r), depth_, sums, depth_);
    }
    for (int64_t k = 0; k < length; ++k) {
      panels_.PullBackClass(slot, k, sums + k * depth_);
      if (row_sums_) {
        ChosenRowLoops<W>().scale_and_narrow(sums + k * depth_, A(1), depth_,
                                             gradients_.weights.Row(first + k, depth_));
      }
    }
  }

  void SumBiases(int64_t slot, int64_t b) const {
    if (gradients_.biases.empty()) return;
    for (int64_t k = 0; k < columns_.length(b); ++k) {
      double sum = 0;
      for (int64_t r = 0; r < rows_.count(); ++r) {
        sum += column_sums_[(r * panels_.panel_blocks() + slot) * kWidth + k];
      }
      Narrow(static_cast<A>(sum), gradients_.biases.Row(columns_.begin(b) + k, 1));
    }
  }

  void FinishInput(int64_t row) const {
    A* const sum = gradients_.inputs + row * depth_;
    const A one = 1;
    for (int64_t part = 1; part < parts_; ++part) {
      const A* const of_part = inputs_ + ((part - 1) * rows_.size + row) * depth_;
      ChosenRowLoops<A>().add_weighted(&of_part, &one, 1, depth_, sum);
    }
    panels_.PullBackInput(row, sum);
  }

  Runtime& runtime_;
  const MatrixLoops<A>& matrices_;
  const FullSoftmaxLabels labels_;
  const FullSoftmaxKept<A> kept_;
  const FullSoftmaxGradients<W>& gradients_;
  const A softcap_;
  LogitPanels<W> panels_;
  const Blocks& rows_ = panels_.rows();
  const Blocks& columns_ = panels_.columns();
  const int64_t depth_ = panels_.depth();
  const int64_t parts_;  // of each panel
  const PackedBlocks<A> right_inputs_, right_classes_;
  const PackedBlocks<A> packed_;  // [slots, row blocks], gradients of logits, transposed
  A* inputs_;                     // [parts - 1, rows, depth]
  A* column_sums_;                // [row blocks, slots, kWidth]
  A* row_sums_;                   // [slots, kWidth, depth], or nullptr
  const LogitLoops<A>& loops_ = ChosenLogitLoops<A>();
};

}  // namespace

template <typename W>
void FullSoftmaxBackward(Runtime& runtime, const Scoring<W>& scoring,
                         const FullSoftmaxLabels& labels,
                         const FullSoftmaxKept<Accumulator<W>>& kept,
                         const FullSoftmaxGradients<W>& gradients) {
  FullSoftmaxGradient<W>(runtime, scoring, labels, kept, gradients).Run();
}

#define CANDSAMP_INSTANTIATE(W)                                                               \
  template void FullSoftmaxBackward<W>(Runtime&, const Scoring<W>&, const FullSoftmaxLabels&, \
                                       const FullSoftmaxKept<Accumulator<W>>&,                \
                                       const FullSoftmaxGradients<W>&);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
