// SPDX-License-Identifier: Apache-2.0
// The forward pass of the full softmax.
//
//  1. For each panel of classes, multiply each block of rows and classes. While the logits are in
//     the cache, take those of labels, and reduce a row's part to its largest logit and a sum.
//  2. After each panel, merge these into the row's own, in order.
#include <cmath>
#include <limits>

#include "cc/lib/exact/full_softmax.h"
#include "cc/lib/logits/softcap.h"

namespace candsamp {
namespace {

template <typename W>
class FullSoftmax {
 public:
  using A = Accumulator<W>;

  FullSoftmax(Runtime& runtime, const Scoring<W>& scoring, const FullSoftmaxLabels& labels,
              const FullSoftmaxOutput<A>& output)
      : runtime_(runtime),
        labels_(labels),
        output_(output),
        softcap_(scoring.options.softcap),
        panels_(runtime, scoring, 0, 1),
        parts_(runtime.Allocate<Part>(panels_.panel_blocks() * scoring.rows)),
        sums_(runtime.Allocate<double>(scoring.rows)),
        label_logits_(runtime.Allocate<A>(scoring.rows * labels.num_true)) {}

  void Run() {
    const int64_t rows = panels_.rows().size;
    std::fill_n(output_.max, rows, kLowest);
    std::fill_n(sums_, rows, 0.0);
    panels_.ForEachPanel([&](int64_t first, int64_t count) {
      panels_.ForEachTile(count, 2,
                          [&](int64_t r, int64_t slot) { RunTile(r, slot, first + slot); });
      runtime_.ParallelFor(rows, count * 30, [&](int64_t row, int64_t end) {
        for (; row < end; ++row) Merge(row, count);
      });
    });
    runtime_.ParallelFor(rows, 50 + labels_.num_true * 2, [&](int64_t row, int64_t end) {
      for (; row < end; ++row) Finish(row);
    });
  }

 private:
  struct Part {
    A max, sum;
  };
  static constexpr A kLowest = -std::numeric_limits<A>::infinity();

  void RunTile(int64_t r, int64_t slot, int64_t b) const {
    alignas(64) A tile[LogitPanels<W>::kTileSize];
    panels_.Logits(r, slot, b, tile);
    const Blocks &rows = panels_.rows(), &columns = panels_.columns();
    const int64_t first = columns.begin(b), length = columns.length(b);
    for (int64_t i = 0; i < rows.length(r); ++i) {
      const int64_t row = rows.begin(r) + i;
      A* const z = tile + i * LogitPanels<W>::kWidth;
      if (softcap_ > 0) SoftcapAll(softcap_, length, z);
      for (int64_t k = row * labels_.num_true; k < (row + 1) * labels_.num_true; ++k) {
        const uint64_t column = static_cast<uint64_t>(labels_.ids[k] - first);
        if (column < static_cast<uint64_t>(length)) label_logits_[k] = z[column];
      }
      const A max = loops_.largest(z, length);
      // Minus infinity minus itself would be NaN.
      parts_[slot * rows.size + row] = {
          max, loops_.exp_minus(z, length, max == kLowest ? A(0) : max, z)};
    }
  }

  void Merge(int64_t row, int64_t count) const {
    const int64_t rows = panels_.rows().size;
    A max = output_.max[row];
    for (int64_t slot = 0; slot < count; ++slot) {
      max = std::max(max, parts_[slot * rows + row].max);
    }
    const auto factor = [max](A of) { return of == kLowest ? 1.0 : std::exp(double{of} - max); };
    // A part without a number above minus infinity has a sum of 0, or of NaN.
    double sum = sums_[row] * factor(output_.max[row]);
    for (int64_t slot = 0; slot < count; ++slot) {
      const Part& part = parts_[slot * rows + row];
      sum += part.sum * factor(part.max);
    }
    output_.max[row] = max;
    sums_[row] = sum;
  }

  void Finish(int64_t row) const {
    const bool masked = output_.max[row] == kLowest;
    // NaN logits leave their trace in the sum.
    if (masked) output_.max[row] = A(0);
    if (masked && sums_[row] == 0) sums_[row] = 1;
    double mean = 0;
    for (int64_t t = 0; t < labels_.num_true; ++t) {
      mean +=
          double{label_logits_[row * labels_.num_true + t]} / static_cast<double>(labels_.num_true);
    }
    output_.sum[row] = static_cast<A>(sums_[row]);
    output_.loss[row] =
        static_cast<A>(std::log(sums_[row]) - (mean - static_cast<double>(output_.max[row])));
  }

  Runtime& runtime_;
  const FullSoftmaxLabels labels_;
  const FullSoftmaxOutput<A> output_;
  const A softcap_;
  LogitPanels<W> panels_;
  Part* parts_;      // [slots, rows]
  double* sums_;     // [rows]
  A* label_logits_;  // [rows, num_true]
  const LogitLoops<A>& loops_ = ChosenLogitLoops<A>();
};

}  // namespace

template <typename W>
void FullSoftmaxForward(Runtime& runtime, const Scoring<W>& scoring,
                        const FullSoftmaxLabels& labels,
                        const FullSoftmaxOutput<Accumulator<W>>& output) {
  FullSoftmax<W>(runtime, scoring, labels, output).Run();
}

#define CANDSAMP_INSTANTIATE(W)                                                              \
  template void FullSoftmaxForward<W>(Runtime&, const Scoring<W>&, const FullSoftmaxLabels&, \
                                      const FullSoftmaxOutput<Accumulator<W>>&);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
