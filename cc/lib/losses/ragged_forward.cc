// SPDX-License-Identifier: Apache-2.0
// The forward pass of the ragged losses.
//
//  1. Cut each row's classes, labels first, into segments (rows/segments.h).
//  2. For each segment, gather its classes (class_buffer.h) without accidental hits, and work
//     through them in tiles of kTile. The class rows of a tile stay in the first-level cache
//     between their two uses: the dot products, and the weighted sum that is the gradient of
//     `inputs`. For softmax the weights are relative to the largest logit so far. When it grows,
//     the sums are rescaled (the online softmax of Milakov and Gimelshein, arXiv 1805.02867).
//  3. Merge the segments of each long row, in order.
//  4. Subtract the targets.
#include "cc/lib/losses/ragged_forward.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cc/lib/core/float_math.h"
#include "cc/lib/losses/class_buffer.h"
#include "cc/lib/losses/row_labels.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/segments.h"

namespace candsamp {
namespace {

constexpr int64_t kTile = 16;  // classes

// Costs in cycles, by which Runtime divides the work.
constexpr int64_t kCostPerClass = 40;
template <typename W>
int64_t CostOf(int64_t depth) {
  return kCostPerClass + depth * static_cast<int64_t>(sizeof(W)) / 4;
}

// The results of a segment, or of a row, besides the weighted sum of class rows.
template <typename A>
struct Partial {
  A max = -std::numeric_limits<A>::infinity();  // softmax: the largest logit
  A sum = 0;           // softmax: sum of exp(z - max); NCE: sum of the cross-entropies
  A label_logits = 0;  // softmax: sum
};

// A finite number to subtract from logits of which `max` is the largest.
template <typename A>
A Reference(A max) {
  return max == -std::numeric_limits<A>::infinity() ? A(0) : max;
}

// The number by which softmax divides a row's exponentials: their sum. It is at least 1 unless all
// classes are masked. Then the loss is infinite, but gradients are finite.
template <typename A>
A Divisor(A sum) {
  return sum == A(0) ? A(1) : sum;
}

template <typename W>
class RaggedForward {
 public:
  using A = Accumulator<W>;

  RaggedForward(Runtime& runtime, LossKind kind, const RaggedBatch& batch, const A* inputs,
                const RowTable<W>& weights, const RowTable<W>& biases, bool remove_accidental_hits,
                const RaggedLossOutput<A>& output)
      : runtime_(runtime),
        kind_(kind),
        batch_(batch),
        inputs_(inputs),
        weights_(weights),
        biases_(biases),
        output_(output),
        depth_(weights.depth()),
        row_labels_(runtime, batch, remove_accidental_hits) {}

  void Run() {
    const RaggedIds& labels = batch_.labels;
    const RaggedIds& candidates = batch_.candidates;
    const Segments segments(
        batch_.rows, [&](int64_t row) { return labels.splits[row] + candidates.splits[row]; });
    std::vector<Partial<A>> partials(segments.slots());
    A* partial_sums = runtime_.Allocate<A>(segments.slots() * depth_);
    const auto gather = [&](const Segment& segment, ClassBuffer<W>* classes) {
      Gather(segment, classes);
    };
    const auto run = [&](const Segment& segment, const ClassBuffer<W>& classes, int64_t first,
                         int64_t end) {
      if (segment.slot < 0) {
        RunWholeRow(segment.group, classes, first, end);
      } else {
        partials[segment.slot] =
            RunLongRowSegment(segment, classes, first, end, partial_sums + segment.slot * depth_);
      }
    };
    segments.ForEachRange(runtime_, CostOf<W>(depth_),
                          [&] { return SegmentCollector(weights_, biases_, gather, run); });

    const std::vector<LongGroup>& long_rows = segments.long_groups();
    if (long_rows.empty()) return;
    const int64_t count = static_cast<int64_t>(long_rows.size());
    runtime_.ParallelFor(count, segments.slots() / count * depth_,
                         [&](int64_t first, int64_t last) {
                           for (int64_t k = first; k < last; ++k) {
                             const LongGroup& row = long_rows[k];
                             FinishLongRow(row, partials.data() + row.first_slot,
                                           partial_sums + row.first_slot * depth_);
                           }
                         });
  }

 private:
  const A* Input(int64_t row) const { return inputs_ + row * depth_; }
  A* InputsGrad(int64_t row) const { return output_.unscaled_inputs_grad + row * depth_; }

  void RunWholeRow(int64_t row, const ClassBuffer<W>& classes, int64_t first, int64_t end) const {
    A logits[kSegmentLength];
    const Partial<A> partial =
        RunTiles(row, batch_.labels.size(row), classes, first, end, logits, InputsGrad(row));
    if (kind_ == LossKind::kSoftmax) {
      logit_loops_.scaled_exp_minus(logits, end - first, Reference(partial.max),
                                    A(1) / Divisor(partial.sum), logits);
    }
    for (int64_t k = first; k < end; ++k) *classes.logit_grad(k) = logits[k - first];
    FinishRow(row, partial);
  }

  // Step 2 for a segment of a long row. Stores logits (softmax) or their gradients (NCE) where the
  // gradients of logits go.
  Partial<A> RunLongRowSegment(const Segment& segment, const ClassBuffer<W>& classes, int64_t first,
                               int64_t end, A* sum) const {
    A logits[kSegmentLength];
    const int64_t num_labels = batch_.labels.size(segment.group) - segment.begin;
    const Partial<A> partial =
        RunTiles(segment.group, num_labels, classes, first, end, logits, sum);
    for (int64_t k = first; k < end; ++k) *classes.logit_grad(k) = logits[k - first];
    return partial;
  }

  // Step 3.
  void FinishLongRow(const LongGroup& group, const Partial<A>* partials, const A* sums) const {
    const int64_t row = group.group;
    Partial<A> merged;
    for (int64_t s = 0; s < group.segments; ++s) {
      merged.max = std::max(merged.max, partials[s].max);
    }
    A* inputs_grad = InputsGrad(row);
    std::fill_n(inputs_grad, depth_, A(0));
    for (int64_t s = 0; s < group.segments; ++s) {
      const A factor =
          kind_ == LossKind::kSoftmax ? std::exp(partials[s].max - Reference(merged.max)) : A(1);
      merged.sum += factor * partials[s].sum;
      merged.label_logits += partials[s].label_logits;
      const A* part = sums + s * depth_;
      accumulator_loops_.add_weighted(&part, &factor, 1, depth_, inputs_grad);
    }
    if (kind_ == LossKind::kSoftmax) {
      const auto normalise = [&](A* logits, int64_t count) {
        logit_loops_.scaled_exp_minus(logits, count, Reference(merged.max),
                                      A(1) / Divisor(merged.sum), logits);
      };
      normalise(output_.label_logit_grad + batch_.labels.begin(row), batch_.labels.size(row));
      normalise(output_.candidate_logit_grad + batch_.candidates.begin(row),
                batch_.candidates.size(row));
    }
    FinishRow(row, merged);
  }

  void Gather(const Segment& segment, ClassBuffer<W>* classes) const {
    const int64_t row = segment.group;
    const RaggedIds& labels = batch_.labels;
    const RaggedIds& candidates = batch_.candidates;
    const int64_t label_end = std::min(labels.begin(row) + segment.end, labels.end(row));
    for (int64_t k = labels.begin(row) + segment.begin; k < label_end; ++k) {
      classes->Add(labels.values[k], At(batch_.label_log_q, k), output_.label_logit_grad + k);
    }
    // The gradient of a dropped candidate is 0. FinishLongRow takes the stored values of softmax
    // for logits, and makes 0 of minus infinity.
    const A dropped = segment.slot >= 0 && kind_ == LossKind::kSoftmax
                          ? -std::numeric_limits<A>::infinity()
                          : A(0);
    const int64_t origin = candidates.begin(row) - labels.size(row);
    const int64_t begin = std::max(candidates.begin(row), origin + segment.begin);
    const auto labels_of_row = row_labels_.ForRow(row);
    for (int64_t k = begin; k < origin + segment.end; ++k) {
      if (labels_of_row.Contains(candidates.values[k])) {
        output_.candidate_logit_grad[k] = dropped;
      } else {
        classes->Add(candidates.values[k], At(batch_.candidate_log_q, k),
                     output_.candidate_logit_grad + k);
      }
    }
  }

  static const float* At(const float* values, int64_t k) { return values ? values + k : nullptr; }

  // Step 2. Fills `logits` with logits (softmax) or their gradients (NCE), and `sum` with the
  // weighted sum of the class rows. The first num_labels classes are labels.
  Partial<A> RunTiles(int64_t row, int64_t num_labels, const ClassBuffer<W>& classes, int64_t first,
                      int64_t end, A* logits, A* sum) const {
    std::fill_n(sum, depth_, A(0));
    Partial<A> partial;
    for (int64_t tile = first; tile < end; tile += kTile) {
      const int64_t count = std::min(kTile, end - tile);
      A* z = logits + (tile - first);
      classes.Logits(tile, count, Input(row), z);
      const int64_t labels = std::clamp<int64_t>(num_labels - (tile - first), 0, count);
      if (kind_ == LossKind::kSoftmax) {
        for (int64_t k = 0; k < labels; ++k) partial.label_logits += z[k];
        A coefficients[kTile];
        AddExponentials(z, count, coefficients, sum, &partial);
        row_loops_.add_weighted(classes.rows() + tile, coefficients, count, depth_, sum);
      } else {
        const A target = A(1) / static_cast<A>(batch_.labels.size(row));
        for (int64_t k = 0; k < labels; ++k) {
          partial.sum += SigmoidCrossEntropy(z[k], target);
          z[k] = Sigmoid(z[k]);
        }
        partial.sum += logit_loops_.sigmoid_softplus(z + labels, count - labels, z + labels);
        row_loops_.add_weighted(classes.rows() + tile, z, count, depth_, sum);
      }
    }
    return partial;
  }

  // coefficients = exp(z - max). If z raises the max, first rescales the sums, which are relative
  // to the smaller one.
  void AddExponentials(const A* z, int64_t count, A* coefficients, A* sum,
                       Partial<A>* partial) const {
    // A comparison with NaN is false, but NaN reaches the loss through the sum.
    A max = partial->max;
    for (int64_t k = 0; k < count; ++k) max = std::max(max, z[k]);
    if (partial->sum > A(0) && max > partial->max) {
      const A factor = std::exp(partial->max - max);
      partial->sum *= factor;
      accumulator_loops_.scale_and_narrow(sum, factor, depth_, sum);
    }
    partial->max = max;
    partial->sum += logit_loops_.exp_minus(z, count, Reference(max), coefficients);
  }

  // Step 4. Subtracts the targets: the mean label logit from the loss, 1 / T from the gradient of
  // each of T labels.
  void FinishRow(int64_t row, const Partial<A>& partial) const {
    const RaggedIds& labels = batch_.labels;
    const int64_t num_labels = labels.size(row);
    const bool softmax = kind_ == LossKind::kSoftmax;
    A* inputs_grad = InputsGrad(row);
    A loss = partial.sum;
    if (softmax) {
      const A divisor = Divisor(partial.sum);
      accumulator_loops_.scale_and_narrow(inputs_grad, A(1) / divisor, depth_, inputs_grad);
      loss = std::log(divisor) -
             (partial.label_logits / static_cast<A>(num_labels) - Reference(partial.max));
    }
    if (num_labels > 0) {
      const A target = A(1) / static_cast<A>(num_labels);
      const A minus_target = -target;
      for (int64_t k = labels.begin(row); k < labels.end(row); ++k) {
        output_.label_logit_grad[k] -= target;
        const W* label_row = weights_.Row(labels.values[k]);
        row_loops_.add_weighted(&label_row, &minus_target, 1, depth_, inputs_grad);
      }
    }
    output_.loss[row] = loss;
  }

  Runtime& runtime_;
  const LossKind kind_;
  const RaggedBatch& batch_;
  const A* const inputs_;
  const RowTable<W>& weights_;
  const RowTable<W>& biases_;
  const RaggedLossOutput<A>& output_;
  const int64_t depth_;
  const RowLabels row_labels_;
  const RowLoops<W>& row_loops_ = ChosenRowLoops<W>();
  const RowLoops<A>& accumulator_loops_ = ChosenRowLoops<A>();
  const LogitLoops<A>& logit_loops_ = ChosenLogitLoops<A>();
};

}  // namespace

template <typename W>
void RaggedLossForward(Runtime& runtime, LossKind kind, const RaggedBatch& batch,
                       const Accumulator<W>* inputs, const RowTable<W>& weights,
                       const RowTable<W>& biases, bool remove_accidental_hits,
                       const RaggedLossOutput<Accumulator<W>>& output) {
  RaggedForward<W>(runtime, kind, batch, inputs, weights, biases, remove_accidental_hits, output)
      .Run();
}

template <typename W>
void RaggedLogits(Runtime& runtime, const RaggedBatch& batch, const Accumulator<W>* inputs,
                  const RowTable<W>& weights, const RowTable<W>& biases, Accumulator<W>* logits) {
  const int64_t depth = weights.depth();
  const RaggedIds& candidates = batch.candidates;
  const Segments segments(batch.rows, [&](int64_t row) { return candidates.splits[row]; });
  const auto gather = [&](const Segment& segment, ClassBuffer<W>* classes) {
    const int64_t begin = candidates.begin(segment.group);
    for (int64_t k = begin + segment.begin; k < begin + segment.end; ++k) {
      classes->Add(candidates.values[k], nullptr, nullptr);
    }
  };
  const auto run = [&](const Segment& segment, const ClassBuffer<W>& classes, int64_t first,
                       int64_t end) {
    classes.Logits(first, end - first, inputs + segment.group * depth,
                   logits + candidates.begin(segment.group) + segment.begin);
  };
  segments.ForEachRange(runtime, CostOf<W>(depth),
                        [&] { return SegmentCollector(weights, biases, gather, run); });
}

#define CANDSAMP_INSTANTIATE(W)                                                          \
  template void RaggedLossForward<W>(                                                    \
      Runtime&, LossKind, const RaggedBatch&, const Accumulator<W>*, const RowTable<W>&, \
      const RowTable<W>&, bool, const RaggedLossOutput<Accumulator<W>>&);                \
  template void RaggedLogits<W>(Runtime&, const RaggedBatch&, const Accumulator<W>*,     \
                                const RowTable<W>&, const RowTable<W>&, Accumulator<W>*);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
