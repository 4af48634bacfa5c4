// SPDX-License-Identifier: Apache-2.0
// The forward pass of the dense losses.
//
//  1. Pack the inputs.
//  2. For each panel of columns, gather and pack the rows of its candidates. Multiply each block of
//     rows and columns. While its logits are in the cache, reduce them to a largest one and a sum
//     (the online softmax, see sampled_logits.h).
//  3. Gather the rows of labels that are no candidates.
//  4. For each row, compute the labels' logits, and merge them with its blocks, in order.
#include "cc/lib/losses/sampled_forward.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cc/lib/core/float_math.h"
#include "cc/lib/losses/packed_blocks.h"
#include "cc/lib/losses/tiling.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/widened_rows.h"

namespace candsamp {
namespace {

template <typename W>
class SampledForward {
 public:
  using A = Accumulator<W>;

  SampledForward(Runtime& runtime, const SampledLogits<A>& logits, const MatrixLoops<A>& matrices,
                 const int64_t* class_ids, const A* label_log_q, const A* inputs,
                 const RowTable<W>& weights, const RowTable<W>& biases,
                 const SampledLossOutput<W>& output)
      : runtime_(runtime),
        logits_(logits),
        matrices_(matrices),
        class_ids_(class_ids),
        label_log_q_(label_log_q),
        inputs_(inputs),
        weights_(weights),
        biases_(biases),
        output_(output),
        depth_(weights.depth()),
        sums_(runtime.Allocate<BlockSum<A>>(columns_.count() * batch_.rows)) {}

  void Run() {
    const PackedBlocks<A> inputs = PackInputs();
    const int64_t blocks = std::min(columns_.count(), PanelBlocks(depth_));
    const PackedBlocks<A> panel(runtime_, blocks, matrices_.right_size(depth_, columns_.longest()));
    const WidenedRows<W> widened(runtime_, blocks * columns_.longest(), depth_);
    ForEachPanel(columns_, blocks, [&](int64_t first, int64_t count) {
      runtime_.ParallelFor(
          count, columns_.longest() * (depth_ + kCostOfRow), [&](int64_t b, int64_t end) {
            for (; b < end; ++b) {
              const int64_t length = columns_.length(first + b);
              GatherRows(columns_.begin(first + b), length);
              const A* wide = widened.Widen(ClassRow(columns_.begin(first + b)), length,
                                            b * columns_.longest());
              matrices_.pack_right(wide, depth_, Layout::kTransposed, depth_, length, panel[b]);
            }
          });
      runtime_.ParallelFor(rows_.count() * count,
                           rows_.longest() * columns_.longest() * (depth_ / 16 + 2),
                           [&](int64_t unit, int64_t end) {
                             for (; unit < end; ++unit) {
                               const int64_t r = unit / count, b = unit % count;
                               RunBlock(r, first + b, inputs[r], panel[b]);
                             }
                           });
    });
    const int64_t others = batch_.classes - batch_.columns;
    runtime_.ParallelFor(others, depth_ + kCostOfRow, [&](int64_t begin, int64_t end) {
      GatherRows(batch_.columns + begin, end - begin);
    });
    runtime_.ParallelFor(batch_.rows, columns_.count() * 8 + batch_.num_true * (40 + depth_ / 8),
                         [&](int64_t begin, int64_t end) {
                           for (int64_t i = begin; i < end; ++i) FinishRow(i);
                         });
  }

 private:
  static constexpr int64_t kCostOfRow = 200;  // in cycles, to find a row in memory

  W* ClassRow(int64_t number) const { return output_.class_rows + number * depth_; }

  void GatherRows(int64_t first, int64_t count) const {
    const int64_t* ids = class_ids_ + first;
    for (int64_t k = 0; k < std::min(count, kRowsAhead); ++k) {
      FetchRow(weights_.Row(ids[k]), depth_);
    }
    for (int64_t k = 0; k < count; ++k) {
      if (k + kRowsAhead < count) FetchRow(weights_.Row(ids[k + kRowsAhead]), depth_);
      std::copy_n(weights_.Row(ids[k]), depth_, ClassRow(first + k));
    }
  }

  PackedBlocks<A> PackInputs() const {
    const PackedBlocks<A> packed(runtime_, rows_.count(),
                                 matrices_.left_size(rows_.longest(), depth_));
    runtime_.ParallelFor(rows_.count(), rows_.longest() * depth_, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        matrices_.pack_left(inputs_ + rows_.begin(r) * depth_, depth_, Layout::kRows,
                            rows_.length(r), depth_, packed[r]);
      }
    });
    return packed;
  }

  void RunBlock(int64_t r, int64_t b, const A* inputs, const A* candidates) const {
    alignas(64) A tile[kRowBlock * kColumnBlock];
    const int64_t rows = rows_.length(r), columns = columns_.length(b);
    A* z = output_.slopes ? output_.slopes + BlockBegin(rows_, r, columns_, b) : tile;
    logits_.Start(b, rows, z);
    matrices_.multiply_add(inputs, candidates, rows, depth_, columns, z, columns);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = rows_.begin(r) + i;
      sums_[b * batch_.rows + row] = logits_.Reduce(row, b, z + i * columns);
    }
  }

  void FinishRow(int64_t row) const {
    const int64_t num_true = batch_.num_true;
    A* z = output_.label_logit_grad + row * num_true;  // logits until they become gradients
    A mean = 0;
    for (int64_t t = 0; t < num_true; ++t) {
      const int64_t label = row * num_true + t;
      const int64_t number = batch_.label_classes[label];
      const W* class_row = ClassRow(number);
      row_loops_.dot(&class_row, 1, 1, inputs_ + row * depth_, depth_, &z[t]);
      z[t] -= label_log_q_[label];
      if (!biases_.empty()) z[t] += Widen(*biases_.Row(class_ids_[number]));
      mean += z[t] / static_cast<A>(num_true);
    }
    const A target = A(1) / static_cast<A>(num_true);
    const auto for_each_block = [&](auto use) {
      for (int64_t at = row; at < columns_.count() * batch_.rows; at += batch_.rows) {
        use(sums_[at], output_.scales[at]);
      }
    };
    if (batch_.kind == LossKind::kNce) {
      A loss = 0;
      for_each_block([&](const BlockSum<A>& block, A& scale) {
        loss += block.sum;
        scale = 1;
      });
      for (int64_t t = 0; t < num_true; ++t) {
        loss += SigmoidCrossEntropy(z[t], target);
        z[t] = Sigmoid(z[t]) - target;
      }
      output_.loss[row] = loss;
      return;
    }
    A max = *std::max_element(z, z + num_true);
    for_each_block([&](const BlockSum<A>& block, A&) { max = std::max(max, block.max); });
    // A row whose classes are all masked has no logit above minus infinity, which minus itself
    // would be NaN. Its loss is infinite, but scales and gradients are finite.
    const bool masked = max == -std::numeric_limits<A>::infinity();
    if (masked) max = A(0);
    A sum = masked ? A(1) : A(0);
    for_each_block([&](const BlockSum<A>& block, A& scale) {
      scale = std::exp(block.max - max);
      sum += block.sum * scale;
    });
    for (int64_t t = 0; t < num_true; ++t) sum += std::exp(z[t] - max);
    output_.loss[row] = std::log(sum) - (mean - max);
    for_each_block([&](const BlockSum<A>&, A& scale) { scale /= sum; });
    for (int64_t t = 0; t < num_true; ++t) z[t] = std::exp(z[t] - max) / sum - target;
  }

  Runtime& runtime_;
  const SampledLogits<A>& logits_;
  const MatrixLoops<A>& matrices_;
  const int64_t* class_ids_;
  const A* label_log_q_;
  const A* inputs_;
  const RowTable<W>& weights_;
  const RowTable<W>& biases_;
  const SampledLossOutput<W>& output_;
  const int64_t depth_;
  const SampledBatch& batch_ = logits_.batch();
  const Blocks columns_ = logits_.columns();
  const Blocks rows_ = RowBlocks(batch_.rows);
  BlockSum<A>* sums_;  // [column blocks, rows]
  const RowLoops<W>& row_loops_ = ChosenRowLoops<W>();
};

}  // namespace

template <typename W>
void SampledLossForward(Runtime& runtime, const SampledLogits<Accumulator<W>>& logits,
                        const MatrixLoops<Accumulator<W>>& matrices, const int64_t* class_ids,
                        const Accumulator<W>* label_log_q, const Accumulator<W>* inputs,
                        const RowTable<W>& weights, const RowTable<W>& biases,
                        const SampledLossOutput<W>& output) {
  SampledForward<W>(runtime, logits, matrices, class_ids, label_log_q, inputs, weights, biases,
                    output)
      .Run();
}

#define CANDSAMP_INSTANTIATE(W)                                                           \
  template void SampledLossForward<W>(                                                    \
      Runtime&, const SampledLogits<Accumulator<W>>&, const MatrixLoops<Accumulator<W>>&, \
      const int64_t*, const Accumulator<W>*, const Accumulator<W>*, const RowTable<W>&,   \
      const RowTable<W>&, const SampledLossOutput<W>&);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
