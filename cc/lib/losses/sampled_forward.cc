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
#include "cc/lib/logits/softcap.h"
#include "cc/lib/logits/unit_rows.h"
#include "cc/lib/losses/packed_blocks.h"
#include "cc/lib/losses/tiling.h"
#include "cc/lib/rows/row_loops.h"

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
        inputs_(runtime, logits.batch().options.logit, inputs, logits.batch().rows,
                weights.depth()),
        weights_(weights),
        biases_(biases),
        output_(output),
        depth_(weights.depth()),
        sums_(runtime.Allocate<BlockSum<A>>(columns_.count() * batch_.rows)) {
    if (batch_.options.stats) {
      stats_ = runtime.Allocate<BlockStats<A>>(columns_.count() * batch_.rows);
    }
    if (batch_.options.logit.softcap != 0) {
      label_slopes_ = runtime.Allocate<A>(batch_.num_labels());
    }
  }

  void Run() {
    const PackedBlocks<A> inputs = PackInputs();
    const int64_t blocks = std::min(columns_.count(), PanelBlocks(depth_));
    const PackedBlocks<A> panel(runtime_, blocks, matrices_.right_size(depth_, columns_.longest()));
    const ScoredRows<W> scored(runtime_, batch_.options.logit, blocks * columns_.longest(), depth_);
    ForEachPanel(columns_, blocks, [&](int64_t first, int64_t count) {
      runtime_.ParallelFor(
          count, columns_.longest() * (depth_ + kCostOfRow), [&](int64_t b, int64_t end) {
            for (; b < end; ++b) {
              const int64_t length = columns_.length(first + b);
              GatherRows(columns_.begin(first + b), length);
              const A* rows =
                  scored.Get(ClassRow(columns_.begin(first + b)), length, b * columns_.longest());
              matrices_.pack_right(rows, depth_, Layout::kTransposed, depth_, length, panel[b]);
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
  static constexpr A kMinusInfinity = -std::numeric_limits<A>::infinity();

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
        matrices_.pack_left(inputs_.values() + rows_.begin(r) * depth_, depth_, Layout::kRows,
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
      const int64_t row = rows_.begin(r) + i, at = b * batch_.rows + row;
      sums_[at] = logits_.Reduce(row, b, z + i * columns, stats_ ? &stats_[at] : nullptr);
    }
  }

  // Writes the labels' logits, and with a softcap its derivatives.
  void LabelLogits(int64_t row, A* z) const {
    const LogitOptions& options = batch_.options.logit;
    for (int64_t t = 0; t < batch_.num_true; ++t) {
      const int64_t label = row * batch_.num_true + t;
      const int64_t number = batch_.label_classes[label];
      const W* class_row = ClassRow(number);
      row_loops_.dot(&class_row, 1, 1, inputs_.values() + row * depth_, depth_, &z[t]);
      if (options.normalize) z[t] *= InverseNorm(class_row, depth_);
      const A bias = biases_.empty() ? A(0) : Widen(*biases_.Row(class_ids_[number]));
      if (options.softcap != 0) {
        const A cap = static_cast<A>(options.softcap);
        const A capped = Softcap(z[t] + BiasUnderSoftcap(bias), cap, &label_slopes_[label]);
        z[t] = capped - LabelLogQ(label);
        if (IsMask(bias)) z[t] = bias;
        continue;
      }
      z[t] -= LabelLogQ(label);
      if (!biases_.empty()) z[t] += bias;
    }
  }

  // What is subtracted from a label's logit.
  A LabelLogQ(int64_t label) const {
    return batch_.options.corrected_log_q ? A(0) : label_log_q_[label];
  }

  void FinishRow(int64_t row) const {
    const int64_t num_true = batch_.num_true;
    A* z = output_.label_logit_grad + row * num_true;  // logits until they become gradients
    LabelLogits(row, z);
    A largest_label = kMinusInfinity;
    if (batch_.options.stats) {
      for (int64_t t = 0; t < num_true; ++t) largest_label = std::max(largest_label, z[t]);
    }
    if (batch_.kind == LossKind::kNce) {
      if (batch_.options.stats) output_.log_sum_exp[row] = NceLogSumExp(row, z, largest_label);
      FinishNce(row, z);
    } else if (batch_.options.corrected_log_q) {
      FinishCorrected(row, z);
    } else {
      FinishSoftmax(row, z);
    }
    if (batch_.options.stats) output_.label_is_top[row] = IsTop(row, largest_label);
    if (batch_.options.logit.softcap == 0) return;
    for (int64_t t = 0; t < num_true; ++t) z[t] *= label_slopes_[row * num_true + t];
  }

  // Calls use(sum, scale) for each block of a row.
  template <typename Use>
  void ForEachBlock(int64_t row, Use use) const {
    for (int64_t at = row; at < columns_.count() * batch_.rows; at += batch_.rows) {
      use(sums_[at], output_.scales[at]);
    }
  }

  void FinishNce(int64_t row, A* z) const {
    const int64_t num_true = batch_.num_true;
    const A target = A(1) / static_cast<A>(num_true);
    const A weight = static_cast<A>(batch_.options.positive_weight);
    A loss = 0;
    ForEachBlock(row, [&](const BlockSum<A>& block, A& scale) {
      loss += block.sum;
      scale = 1;
    });
    for (int64_t t = 0; t < num_true; ++t) {
      loss += weight * SigmoidCrossEntropy(z[t], target);
      z[t] = weight * (Sigmoid(z[t]) - target);
    }
    output_.loss[row] = loss;
  }

  void FinishSoftmax(int64_t row, A* z) const {
    const int64_t num_true = batch_.num_true;
    A mean = 0;
    for (int64_t t = 0; t < num_true; ++t) mean += z[t] / static_cast<A>(num_true);
    const A target = A(1) / static_cast<A>(num_true);
    A max = *std::max_element(z, z + num_true);
    ForEachBlock(row, [&](const BlockSum<A>& block, A&) { max = std::max(max, block.max); });
    // A row whose classes are all masked has no logit above minus infinity, which minus itself
    // would be NaN. Its loss is infinite, but scales and gradients are finite.
    const bool masked = max == kMinusInfinity;
    if (masked) max = A(0);
    A sum = masked ? A(1) : A(0);
    ForEachBlock(row, [&](const BlockSum<A>& block, A& scale) {
      scale = std::exp(block.max - max);
      sum += block.sum * scale;
    });
    for (int64_t t = 0; t < num_true; ++t) sum += std::exp(z[t] - max);
    output_.loss[row] = std::log(sum) - (mean - max);
    if (batch_.options.stats) {
      output_.log_sum_exp[row] = masked && sum == A(1) ? kMinusInfinity : LogSumExp(max, sum);
    }
    ForEachBlock(row, [&](const BlockSum<A>&, A& scale) { scale /= sum; });
    for (int64_t t = 0; t < num_true; ++t) z[t] = std::exp(z[t] - max) / sum - target;
  }

  // "Correcting the LogQ Correction" (RecSys 2025), in expected counts q among S draws instead of
  // probabilities Q of one draw; with replacement q = S Q. For the label p and its logit s(p),
  //   Z = sum over the k draws left of exp(s(j)) (1 - Q(p)) / Q(j) = (S - q(p)) * sum of exp(z(j)),
  //   loss = (1 - P) (log Z - s(p)), where 1 - P = 1 / (1 + k exp(s(p)) / Z) is a constant.
  void FinishCorrected(int64_t row, A* z) const {
    const A score = z[0];
    A max = kMinusInfinity;
    ForEachBlock(row, [&](const BlockSum<A>& block, A&) { max = std::max(max, block.max); });
    if (max == kMinusInfinity) max = A(0);
    A sum = 0;
    ForEachBlock(row, [&](const BlockSum<A>& block, A& scale) {
      scale = std::exp(block.max - max);
      sum += block.sum * scale;
    });
    const A draws = static_cast<A>(batch_.num_sampled);
    const A left = draws - static_cast<A>(logits_.DroppedDraws(row));
    if (sum == A(0) || left <= A(0)) {  // no negative
      ForEachBlock(row, [](const BlockSum<A>&, A& scale) { scale = 0; });
      output_.loss[row] = std::isnan(score) ? score : A(0);
      if (batch_.options.stats) output_.log_sum_exp[row] = score;
      z[0] = A(0);
      return;
    }
    // Rounding must not make 0 of what is expected to be left.
    const A expected_left =
        std::max(draws - std::exp(label_log_q_[row]), draws * std::numeric_limits<A>::epsilon());
    const A log_z = std::log(expected_left) + max + std::log(sum);
    const A log_mean = log_z - std::log(left);
    const A weight = Sigmoid(log_mean - score);
    output_.loss[row] = weight * (log_z - score);
    if (batch_.options.stats) {
      output_.log_sum_exp[row] = score > log_mean ? score + Softplus(log_mean - score)
                                                  : log_mean + Softplus(score - log_mean);
    }
    ForEachBlock(row, [&](const BlockSum<A>&, A& scale) { scale *= weight / sum; });
    z[0] = -weight;
  }

  A NceLogSumExp(int64_t row, const A* z, A largest_label) const {
    A max = std::max(largest_label, LargestCandidate(row));
    if (max == kMinusInfinity) max = A(0);
    A sum = 0;
    for (int64_t at = row; at < columns_.count() * batch_.rows; at += batch_.rows) {
      sum += stats_[at].exps * std::exp(stats_[at].largest - max);
    }
    for (int64_t t = 0; t < batch_.num_true; ++t) sum += std::exp(z[t] - max);
    return LogSumExp(max, sum);
  }

  // The log of sum * exp(max). Masked candidates have the lowest number for a logit.
  static A LogSumExp(A max, A sum) {
    return max <= std::numeric_limits<A>::lowest() ? kMinusInfinity : max + std::log(sum);
  }

  bool IsTop(int64_t row, A largest_label) const {
    return largest_label > kMinusInfinity && largest_label >= LargestCandidate(row) &&
           !std::isnan(output_.loss[row]);
  }

  A LargestCandidate(int64_t row) const {
    A largest = kMinusInfinity;
    for (int64_t at = row; at < columns_.count() * batch_.rows; at += batch_.rows) {
      largest = std::max(largest, stats_[at].largest);
    }
    return largest;
  }

  Runtime& runtime_;
  const SampledLogits<A>& logits_;
  const MatrixLoops<A>& matrices_;
  const int64_t* class_ids_;
  const A* label_log_q_;
  const ScaledInputs<A> inputs_;
  const RowTable<W>& weights_;
  const RowTable<W>& biases_;
  const SampledLossOutput<W>& output_;
  const int64_t depth_;
  const SampledBatch& batch_ = logits_.batch();
  const Blocks columns_ = logits_.columns();
  const Blocks rows_ = RowBlocks(batch_.rows);
  BlockSum<A>* sums_;               // [column blocks, rows]
  BlockStats<A>* stats_ = nullptr;  // [column blocks, rows], if wanted
  A* label_slopes_ = nullptr;       // [rows, num_true], the derivatives of a softcap
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
