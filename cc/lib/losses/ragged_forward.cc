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
//
// Where logits have options, inputs and class rows are the scaled ones (unit_rows.h). The weighted
// sum is over those rows, with the derivative of a softcap among its weights. Gradients of logits
// get that derivative last.
#include "cc/lib/losses/ragged_forward.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cc/lib/core/float_math.h"
#include "cc/lib/logits/logit_option_loops.h"
#include "cc/lib/logits/unit_rows.h"
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

  // For statistics.
  A largest_label = -std::numeric_limits<A>::infinity();
  A largest = -std::numeric_limits<A>::infinity();  // NCE: the largest logit
  A exps = 0;                                       // NCE: sum of exp(z - largest)
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
                const RaggedLossOutput<A>& output, const LossOptions& options)
      : runtime_(runtime),
        kind_(kind),
        options_(options),
        batch_(batch),
        inputs_(runtime, options.logit, inputs, batch.rows, weights.depth()),
        weights_(weights),
        biases_(biases),
        output_(output),
        depth_(weights.depth()),
        row_labels_(runtime, batch, remove_accidental_hits) {
    if (!capped_) return;
    label_slopes_ = runtime.Allocate<A>(batch.num_labels());
    candidate_slopes_ = runtime.Allocate<A>(batch.num_candidates());
  }

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
    segments.ForEachRange(runtime_, CostOf<W>(depth_), [&] {
      return SegmentCollector(weights_, biases_, options_.logit, gather, run);
    });

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
  const A* Input(int64_t row) const { return inputs_.values() + row * depth_; }
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
      merged.largest_label = std::max(merged.largest_label, partials[s].largest_label);
      merged.largest = std::max(merged.largest, partials[s].largest);
    }
    for (int64_t s = 0; options_.stats && s < group.segments; ++s) {
      merged.exps += partials[s].exps * std::exp(partials[s].largest - Reference(merged.largest));
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
        if (capped_) candidate_slopes_[k] = A(1);
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
      A slopes[kTile], inverse_norms[kTile];
      classes.Logits(tile, count, Input(row), z, slopes, inverse_norms);
      const int64_t labels = std::clamp<int64_t>(num_labels - (tile - first), 0, count);
      if (options_.stats) AddStats(z, count, labels, &partial);
      if (kind_ == LossKind::kSoftmax) {
        for (int64_t k = 0; k < labels; ++k) partial.label_logits += z[k];
        A coefficients[kTile];
        AddExponentials(z, count, coefficients, sum, &partial);
        if (capped_ || normalize_) WeighCoefficients(slopes, inverse_norms, count, coefficients);
        row_loops_.add_weighted(classes.rows() + tile, coefficients, count, depth_, sum);
      } else {
        const A target = A(1) / static_cast<A>(batch_.labels.size(row));
        for (int64_t k = 0; k < labels; ++k) {
          partial.sum += SigmoidCrossEntropy(z[k], target);
          z[k] = Sigmoid(z[k]);
        }
        partial.sum += logit_loops_.sigmoid_softplus(z + labels, count - labels, z + labels);
        A weighed[kTile];
        const A* coefficients = z;
        if (capped_ || normalize_) {
          std::copy_n(z, count, weighed);
          WeighCoefficients(slopes, inverse_norms, count, weighed);
          coefficients = weighed;
        }
        row_loops_.add_weighted(classes.rows() + tile, coefficients, count, depth_, sum);
      }
      if (!capped_) continue;
      const int64_t label = batch_.labels.end(row) - num_labels + (tile - first);
      std::copy_n(slopes, labels, label_slopes_ + label);
      for (int64_t k = labels; k < count; ++k) {
        candidate_slopes_[classes.logit_grad(tile + k) - output_.candidate_logit_grad] = slopes[k];
      }
    }
    return partial;
  }

  // From the coefficients of logits to those of class rows.
  void WeighCoefficients(const A* slopes, const A* inverse_norms, int64_t count,
                         A* coefficients) const {
    const SoftcapLoops<A>& loops = ChosenSoftcapLoops<A>();
    if (capped_) loops.multiply(slopes, count, coefficients);
    if (normalize_) loops.multiply(inverse_norms, count, coefficients);
  }

  void AddStats(const A* z, int64_t count, int64_t labels, Partial<A>* partial) const {
    partial->largest_label = std::max(partial->largest_label, logit_loops_.largest(z, labels));
    if (kind_ == LossKind::kSoftmax) return;
    const A largest = std::max(partial->largest, logit_loops_.largest(z, count));
    A exps[kTile];
    const A sum = logit_loops_.exp_minus(z, count, Reference(largest), exps);
    const A before = partial->exps == A(0) ? A(0) : std::exp(partial->largest - largest);
    partial->exps = partial->exps * before + sum;
    partial->largest = largest;
  }

  void FinishStats(int64_t row, const Partial<A>& partial, A loss) const {
    const bool softmax = kind_ == LossKind::kSoftmax;
    const A largest = softmax ? partial.max : partial.largest;
    output_.log_sum_exp[row] = Reference(largest) + std::log(softmax ? partial.sum : partial.exps);
    output_.label_is_top[row] = partial.largest_label > -std::numeric_limits<A>::infinity() &&
                                partial.largest_label >= largest && !std::isnan(loss);
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
        A coefficient = minus_target;
        if (capped_) coefficient *= label_slopes_[k];
        if (normalize_) coefficient *= InverseNorm(label_row, depth_);
        row_loops_.add_weighted(&label_row, &coefficient, 1, depth_, inputs_grad);
      }
    }
    output_.loss[row] = loss;
    if (options_.stats) FinishStats(row, partial, loss);
    inputs_.GradientOfInput(row, inputs_grad);
    if (!capped_) return;
    const SoftcapLoops<A>& loops = ChosenSoftcapLoops<A>();
    const RaggedIds& candidates = batch_.candidates;
    loops.multiply(label_slopes_ + labels.begin(row), num_labels,
                   output_.label_logit_grad + labels.begin(row));
    loops.multiply(candidate_slopes_ + candidates.begin(row), candidates.size(row),
                   output_.candidate_logit_grad + candidates.begin(row));
  }

  Runtime& runtime_;
  const LossKind kind_;
  const LossOptions& options_;
  const bool capped_ = options_.logit.softcap != 0;
  const bool normalize_ = options_.logit.normalize;
  const RaggedBatch& batch_;
  const ScaledInputs<A> inputs_;
  const RowTable<W>& weights_;
  const RowTable<W>& biases_;
  const RaggedLossOutput<A>& output_;
  const int64_t depth_;
  const RowLabels row_labels_;
  A* label_slopes_ = nullptr;      // one for each label, with a softcap
  A* candidate_slopes_ = nullptr;  // one for each candidate
  const RowLoops<W>& row_loops_ = ChosenRowLoops<W>();
  const RowLoops<A>& accumulator_loops_ = ChosenRowLoops<A>();
  const LogitLoops<A>& logit_loops_ = ChosenLogitLoops<A>();
};

}  // namespace

template <typename W>
void RaggedLossForward(Runtime& runtime, LossKind kind, const RaggedBatch& batch,
                       const Accumulator<W>* inputs, const RowTable<W>& weights,
                       const RowTable<W>& biases, bool remove_accidental_hits,
                       const RaggedLossOutput<Accumulator<W>>& output, const LossOptions& options) {
  RaggedForward<W>(runtime, kind, batch, inputs, weights, biases, remove_accidental_hits, output,
                   options)
      .Run();
}

template <typename W>
void RaggedLogits(Runtime& runtime, const RaggedBatch& batch, const Accumulator<W>* inputs,
                  const RowTable<W>& weights, const RowTable<W>& biases, Accumulator<W>* logits,
                  const LogitOptions& options, Accumulator<W>* slopes) {
  using A = Accumulator<W>;
  const int64_t depth = weights.depth();
  const ScaledInputs<A> scaled(runtime, options, inputs, batch.rows, depth);
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
    A inverse_norms[kSegmentLength];
    const int64_t begin = candidates.begin(segment.group) + segment.begin;
    classes.Logits(first, end - first, scaled.values() + segment.group * depth, logits + begin,
                   slopes ? slopes + begin : nullptr, inverse_norms);
  };
  segments.ForEachRange(runtime, CostOf<W>(depth),
                        [&] { return SegmentCollector(weights, biases, options, gather, run); });
}

#define CANDSAMP_INSTANTIATE(W)                                                               \
  template void RaggedLossForward<W>(                                                         \
      Runtime&, LossKind, const RaggedBatch&, const Accumulator<W>*, const RowTable<W>&,      \
      const RowTable<W>&, bool, const RaggedLossOutput<Accumulator<W>>&, const LossOptions&); \
  template void RaggedLogits<W>(Runtime&, const RaggedBatch&, const Accumulator<W>*,          \
                                const RowTable<W>&, const RowTable<W>&, Accumulator<W>*,      \
                                const LogitOptions&, Accumulator<W>*);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
