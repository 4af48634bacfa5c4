// SPDX-License-Identifier: Apache-2.0
// The end of the dense forward pass: the logits of labels, and each row's loss from them and its
// segments. The arithmetic is that of cc/lib/losses/sampled_forward.cc, where lanes share the sums.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_ROWS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_ROWS_H_

#include <float.h>
#include <math.h>

#include "cc/cuda/losses/sampled_segments.h"
#include "cc/cuda/rows/gather_rows.h"
#include "cc/cuda/rows/row_table.h"
#include "cc/cuda/rows/unit_rows.h"

namespace candsamp {

// Writes the logits of labels, and with a softcap its derivatives.
// REQUIRES: kSize divides the depth, and rows are aligned to so many values.
template <typename T, typename W, int kSize>
struct LabelLogitsKernel {
  using A = Accumulator<W>;

  SampledBatch batch;
  int64_t depth;
  const T* inputs;
  DeviceRowTable<W> weights;
  const int64_t* class_ids;  // of the numbers of labels; nullptr: they are ids
  DeviceRowTable<W> biases;
  const A* label_log_q;
  A* z;           // [rows, num_true]
  A* cap_slopes;  // likewise, or nullptr

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t labels = batch.rows * batch.num_true;
    for (int64_t k = GridLaneGroup(block); k < labels; k += GridLaneGroups(block)) {
      const int64_t number = batch.label_classes[k];
      const int64_t id = class_ids == nullptr ? number : class_ids[number];
      const T* const input = inputs + k / batch.num_true * depth;
      const W* const row = weights.Row(id);
      A dot = A(0);
      for (int64_t d = block.lane() * kSize; row != nullptr && d < depth;
           d += block.lanes() * kSize) {
        const auto of_input = Pack<T, kSize>::Load(input + d);
        const auto of_row = Pack<W, kSize>::Load(row + d);
        CANDSAMP_UNROLL
        for (int v = 0; v < kSize; ++v) {
          dot = MulAdd(static_cast<A>(Widen(of_input.values[v])),
                       static_cast<A>(Widen(of_row.values[v])), dot);
        }
      }
      dot = block.SumOfLanes(dot) * static_cast<A>(1 / batch.options.logit.temperature);
      if (batch.options.logit.normalize) {
        dot *= InverseNormOfLanes(block, row, depth);
        dot *= static_cast<A>(InverseNormOfLanes(block, input, depth));
      }
      if (block.lane() == 0) z[k] = Logit(k, dot, BiasOf(biases, id));
    }
  }

 private:
  CANDSAMP_DEVICE A Logit(int64_t label, A dot, A bias) const {
    const A log_q = batch.options.corrected_log_q ? A(0) : label_log_q[label];
    if (cap_slopes == nullptr) return dot - log_q + bias;
    const A cap = static_cast<A>(batch.options.logit.softcap);
    const A capped = Softcap(dot + BiasUnderSoftcap(bias), cap, &cap_slopes[label]);
    return IsMask(bias) ? bias : capped - log_q;
  }
};

template <typename T, typename W, typename Launcher>
void WriteLabelLogits(Launcher& launcher, const SampledBatch& batch, const T* inputs,
                      const DeviceRowTable<W>& weights, const int64_t* class_ids,
                      const DeviceRowTable<W>& biases, const Accumulator<W>* label_log_q,
                      Accumulator<W>* z, Accumulator<W>* cap_slopes) {
  const int64_t depth = weights.depth;
  if (InPacks<4>(inputs, depth) && RowsInPacks<W, 4>(weights)) {
    launcher.ForEachLaneGroup(batch.num_labels(),
                              LabelLogitsKernel<T, W, 4>{batch, depth, inputs, weights, class_ids,
                                                         biases, label_log_q, z, cap_slopes});
  } else {
    launcher.ForEachLaneGroup(batch.num_labels(),
                              LabelLogitsKernel<T, W, 1>{batch, depth, inputs, weights, class_ids,
                                                         biases, label_log_q, z, cap_slopes});
  }
}

template <typename A>
struct FinishRowsKernel {
  SampledBatch batch;
  int64_t segments;
  const SegmentSum<A>* sums;     // [segments, rows]
  const SegmentStats<A>* stats;  // likewise, or nullptr
  const A* label_log_q;
  const A* cap_slopes;  // [rows, num_true], or nullptr
  A* z;                 // [rows, num_true], logits that become gradients
  A* scales;            // [segments, rows]
  A* loss;
  A* log_sum_exp;
  bool* label_is_top;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t row = GridLaneGroup(block); row < batch.rows; row += GridLaneGroups(block)) {
      A* const labels = z + row * batch.num_true;
      A largest_label = MinusInfinity<A>(), largest = MinusInfinity<A>();
      if (batch.options.stats) {
        ForLanes(block, batch.num_true, [&](int64_t t) {
          largest_label = labels[t] > largest_label ? labels[t] : largest_label;
        });
        ForLanes(block, segments, [&](int64_t s) {
          const A of_segment = stats[s * batch.rows + row].largest;
          largest = of_segment > largest ? of_segment : largest;
        });
        largest_label = block.LargestOfLanes(largest_label);
        largest = block.LargestOfLanes(largest);
      }
      A row_loss;
      if (batch.kind == LossKind::kNce) {
        if (batch.options.stats) NceLogSumExp(block, row, labels, largest_label, largest);
        row_loss = FinishNce(block, row, labels);
      } else if (batch.options.corrected_log_q) {
        row_loss = FinishCorrected(block, row, labels);
      } else {
        row_loss = FinishSoftmax(block, row, labels);
      }
      if (block.lane() == 0) {
        loss[row] = row_loss;
        if (batch.options.stats) {
          label_is_top[row] = largest_label > MinusInfinity<A>() && largest_label >= largest &&
                              row_loss == row_loss;
        }
      }
      if (cap_slopes == nullptr) continue;
      ForLanes(block, batch.num_true,
               [&](int64_t t) { labels[t] *= cap_slopes[row * batch.num_true + t]; });
    }
  }

 private:
  // Calls use(k) for this lane's share of `count`. A label is always the same lane's.
  template <typename Block, typename Use>
  static CANDSAMP_DEVICE void ForLanes(const Block& block, int64_t count, Use use) {
    for (int64_t k = block.lane(); k < count; k += block.lanes()) use(k);
  }

  template <typename Block>
  CANDSAMP_DEVICE A FinishNce(Block& block, int64_t row, A* labels) const {
    const A target = A(1) / static_cast<A>(batch.num_true);
    const A weight = static_cast<A>(batch.options.positive_weight);
    A sum = A(0);
    ForLanes(block, segments, [&](int64_t s) {
      sum += sums[s * batch.rows + row].sum;
      scales[s * batch.rows + row] = A(1);
    });
    ForLanes(block, batch.num_true, [&](int64_t t) {
      sum += weight * SigmoidCrossEntropy(labels[t], target);
      labels[t] = weight * (Sigmoid(labels[t]) - target);
    });
    return block.SumOfLanes(sum);
  }

  template <typename Block>
  CANDSAMP_DEVICE A LargestOfSegments(Block& block, int64_t row) const {
    A max = MinusInfinity<A>();
    ForLanes(block, segments, [&](int64_t s) {
      const A of_segment = sums[s * batch.rows + row].max;
      max = of_segment > max ? of_segment : max;
    });
    return block.LargestOfLanes(max);
  }

  template <typename Block>
  CANDSAMP_DEVICE A FinishSoftmax(Block& block, int64_t row, A* labels) const {
    const A target = A(1) / static_cast<A>(batch.num_true);
    A mean = A(0), max = MinusInfinity<A>();
    ForLanes(block, batch.num_true, [&](int64_t t) {
      mean += labels[t] / static_cast<A>(batch.num_true);
      max = labels[t] > max ? labels[t] : max;
    });
    mean = block.SumOfLanes(mean);
    max = block.LargestOfLanes(max);
    const A of_segments = LargestOfSegments(block, row);
    max = of_segments > max ? of_segments : max;
    // A row whose classes are all masked: its loss is infinite, but scales and gradients are
    // finite.
    const bool masked = max == MinusInfinity<A>();
    max = ReferenceOf(max);
    A sum = A(0);
    ForLanes(block, segments, [&](int64_t s) {
      const SegmentSum<A> segment = sums[s * batch.rows + row];
      sum += segment.sum * exp(segment.max - max);
    });
    ForLanes(block, batch.num_true, [&](int64_t t) { sum += exp(labels[t] - max); });
    sum = block.SumOfLanes(sum) + (masked ? A(1) : A(0));
    ForLanes(block, segments, [&](int64_t s) {
      scales[s * batch.rows + row] = exp(sums[s * batch.rows + row].max - max) / sum;
    });
    ForLanes(block, batch.num_true,
             [&](int64_t t) { labels[t] = exp(labels[t] - max) / sum - target; });
    if (batch.options.stats && block.lane() == 0) {
      log_sum_exp[row] = masked && sum == A(1) ? MinusInfinity<A>() : LogSumExp(max, sum);
    }
    return log(sum) - (mean - max);
  }

  // See SampledForward::FinishCorrected.
  template <typename Block>
  CANDSAMP_DEVICE A FinishCorrected(Block& block, int64_t row, A* labels) const {
    // All lanes read the logit before the one whose label it is writes the gradient.
    const A score = block.SumOfLanes(block.lane() == 0 ? labels[0] : A(0));
    const A max = ReferenceOf(LargestOfSegments(block, row));
    A sum = A(0), dropped = A(0);
    ForLanes(block, segments, [&](int64_t s) {
      const SegmentSum<A> segment = sums[s * batch.rows + row];
      sum += segment.sum * exp(segment.max - max);
      dropped += stats[s * batch.rows + row].dropped;
    });
    sum = block.SumOfLanes(sum);
    const A draws = static_cast<A>(batch.num_sampled);
    const A left = draws - block.SumOfLanes(dropped);
    if (sum == A(0) || left <= A(0)) {  // no negative
      ForLanes(block, segments, [&](int64_t s) { scales[s * batch.rows + row] = A(0); });
      if (block.lane() == 0) {
        labels[0] = A(0);
        if (batch.options.stats) log_sum_exp[row] = score;
      }
      return score == score ? A(0) : score;
    }
    constexpr A kEpsilon = sizeof(A) == 8 ? A(DBL_EPSILON) : A(FLT_EPSILON);
    const A expected = draws - exp(label_log_q[row]);
    const A expected_left = expected < draws * kEpsilon ? draws * kEpsilon : expected;
    const A log_z = log(expected_left) + max + log(sum);
    const A log_mean = log_z - log(left);
    const A weight = Sigmoid(log_mean - score);
    ForLanes(block, segments, [&](int64_t s) {
      scales[s * batch.rows + row] = exp(sums[s * batch.rows + row].max - max) * (weight / sum);
    });
    if (block.lane() == 0) {
      labels[0] = -weight;
      if (batch.options.stats) {
        log_sum_exp[row] = score > log_mean ? score + Softplus(log_mean - score)
                                            : log_mean + Softplus(score - log_mean);
      }
    }
    return weight * (log_z - score);
  }

  template <typename Block>
  CANDSAMP_DEVICE void NceLogSumExp(Block& block, int64_t row, const A* labels, A largest_label,
                                    A largest) const {
    const A max = ReferenceOf(largest_label > largest ? largest_label : largest);
    A sum = A(0);
    ForLanes(block, segments, [&](int64_t s) {
      const SegmentStats<A> segment = stats[s * batch.rows + row];
      sum += segment.exps * exp(segment.largest - max);
    });
    ForLanes(block, batch.num_true, [&](int64_t t) { sum += exp(labels[t] - max); });
    sum = block.SumOfLanes(sum);
    if (block.lane() == 0) log_sum_exp[row] = LogSumExp(max, sum);
  }

  // The log of sum * exp(max). Masked candidates have the lowest number for a logit.
  static CANDSAMP_DEVICE A LogSumExp(A max, A sum) {
    return max <= LowestOf<A>() ? MinusInfinity<A>() : max + log(sum);
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_ROWS_H_
