// The forward pass of the ragged losses.
//
// A row's classes, labels first, are cut into segments. A segment goes through its class rows in
// tiles that stay in the first-level cache between their two uses: the dot products, and the
// weighted sum that is the gradient of `inputs`. For softmax the weights are relative to the
// largest logit so far (the online softmax of Milakov and Gimelshein, arXiv 1805.02867). Segments
// of a long row are merged in order afterwards.
//
// Class rows lie anywhere in memory, so time is what it takes to fetch them: the segments of
// several short rows are looked up together, and rows are fetched well ahead of their use, across
// the ends of segments.
#include "cc/lib/losses/ragged_forward.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cc/lib/core/float_math.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/segments.h"

namespace candsamp {
namespace {

constexpr int64_t kTile = 16;

// Costs in cycles, for the division of work.
constexpr int64_t kCostPerClass = 40;
template <typename W>
int64_t CostOf(int64_t depth) {
  return kCostPerClass + depth * static_cast<int64_t>(sizeof(W)) / 4;
}

// Says whether a candidate is one of its row's labels. Rows with many labels are looked up in a
// sorted copy.
class AccidentalHits {
 public:
  AccidentalHits(Runtime& runtime, const RaggedBatch& batch, bool remove)
      : batch_(batch), remove_(remove) {
    int64_t most = 0;
    for (int64_t i = 0; remove && i < batch.rows; ++i) most = std::max(most, batch.labels.size(i));
    if (most <= kFew) return;
    sorted_ = runtime.Allocate<int64_t>(batch.num_labels());
    const RaggedIds& labels = batch.labels;
    runtime.ParallelFor(batch.rows, most * 4, [&](int64_t first, int64_t last) {
      std::copy(labels.values + labels.begin(first), labels.values + labels.begin(last),
                sorted_ + labels.begin(first));
      for (int64_t i = first; i < last; ++i) {
        std::sort(sorted_ + labels.begin(i), sorted_ + labels.end(i));
      }
    });
  }

  // The labels of one row.
  class OfRow {
   public:
    OfRow(const int64_t* begin, const int64_t* end) : begin_(begin), end_(end) {}

    bool Contain(int64_t id) const {
      if (end_ - begin_ > kFew) return std::binary_search(begin_, end_, id);
      for (const int64_t* label = begin_; label < end_; ++label) {
        if (*label == id) return true;
      }
      return false;
    }

   private:
    const int64_t* begin_;
    const int64_t* end_;
  };

  OfRow ForRow(int64_t row) const {
    if (!remove_) return OfRow(nullptr, nullptr);
    const RaggedIds& labels = batch_.labels;
    const int64_t* ids = labels.size(row) > kFew ? sorted_ : labels.values;
    return OfRow(ids + labels.begin(row), ids + labels.end(row));
  }

 private:
  static constexpr int64_t kFew = 8;
  const RaggedBatch& batch_;
  const bool remove_;
  int64_t* sorted_ = nullptr;
};

// The classes of the segments that are worked on together: where their rows are, what is added to
// the dot products, and where the logits' gradients go.
template <typename W>
class Classes {
 public:
  using A = Accumulator<W>;

  Classes(const RowTable<W>& weights, const RowTable<W>& biases)
      : weights_(weights), biases_(biases) {}

  // REQUIRES: size() < kSegmentLength. log_q may be nullptr.
  void Add(int64_t id, const float* log_q, A* logit_grad) {
    rows_[size_] = weights_.Row(id);
    // Nothing before the first rows fetches them ahead.
    if (size_ < kRowsAhead) FetchRow(rows_[size_], weights_.depth());
    if (!biases_.empty()) {
      biases_at_[size_] = biases_.Row(id);
      __builtin_prefetch(biases_at_[size_]);
    }
    minus_log_q_[size_] = log_q ? -A(*log_q) : A(0);
    logit_grads_[size_++] = logit_grad;
  }

  void Clear() { size_ = 0; }
  int64_t size() const { return size_; }
  const W* const* rows() const { return rows_; }
  A* logit_grad(int64_t k) const { return logit_grads_[k]; }

  // logits[0 .. count) = those of the classes first .. first + count, for the inputs x.
  void Logits(int64_t first, int64_t count, const A* x, A* logits) const {
    loops_.dot(rows_ + first, count, size_ - first, x, weights_.depth(), logits);
    for (int64_t k = 0; k < count; ++k) logits[k] += minus_log_q_[first + k];
    if (biases_.empty()) return;
    for (int64_t k = 0; k < count; ++k) logits[k] += Widen(*biases_at_[first + k]);
  }

 private:
  const RowTable<W>& weights_;
  const RowTable<W>& biases_;
  const RowLoops<W>& loops_ = ChosenRowLoops<W>();
  int64_t size_ = 0;
  const W* rows_[kSegmentLength];
  const W* biases_at_[kSegmentLength];
  A minus_log_q_[kSegmentLength];
  A* logit_grads_[kSegmentLength];
};

// Takes segments until their classes fill a block, then works through the block:
// gather(segment, &classes) adds a segment's classes, run(segment, classes, first, end) works on
// those at first .. end.
template <typename W, typename Gather, typename Run>
class BlockWorker {
 public:
  BlockWorker(const RowTable<W>& weights, const RowTable<W>& biases, Gather gather, Run run)
      : classes_(weights, biases), gather_(gather), run_(run) {}

  void Add(const Segment& segment) {
    if (count_ == kMostSegments || classes_.size() + segment.end - segment.begin > kSegmentLength) {
      End();
    }
    gather_(segment, &classes_);
    segments_[count_] = segment;
    ends_[count_++] = classes_.size();
  }

  void End() {
    int64_t first = 0;
    for (int64_t k = 0; k < count_; first = ends_[k++]) {
      run_(segments_[k], classes_, first, ends_[k]);
    }
    classes_.Clear();
    count_ = 0;
  }

 private:
  static constexpr int64_t kMostSegments = 64;
  Classes<W> classes_;
  Gather gather_;
  Run run_;
  int64_t count_ = 0;
  Segment segments_[kMostSegments];
  int64_t ends_[kMostSegments];
};

// What a segment leaves behind besides its weighted sum of class rows.
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

// What softmax divides a row's exponentials by: their sum, which is at least 1 unless all classes
// are masked. Then the loss is infinite, but no gradient is.
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
        hits_(runtime, batch, remove_accidental_hits) {}

  void Run() {
    const RaggedIds& labels = batch_.labels;
    const RaggedIds& candidates = batch_.candidates;
    const Segments segments(
        batch_.rows, [&](int64_t row) { return labels.splits[row] + candidates.splits[row]; });
    std::vector<Partial<A>> partials(segments.slots());
    A* partial_sums = runtime_.Allocate<A>(segments.slots() * depth_);
    const auto gather = [&](const Segment& segment, Classes<W>* classes) {
      Gather(segment, classes);
    };
    const auto run = [&](const Segment& segment, const Classes<W>& classes, int64_t first,
                         int64_t end) {
      if (segment.slot < 0) {
        RunWholeRow(segment.group, classes, first, end);
      } else {
        partials[segment.slot] =
            RunLongRowSegment(segment, classes, first, end, partial_sums + segment.slot * depth_);
      }
    };
    segments.ForEachRange(runtime_, CostOf<W>(depth_),
                          [&] { return BlockWorker(weights_, biases_, gather, run); });

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

  void RunWholeRow(int64_t row, const Classes<W>& classes, int64_t first, int64_t end) const {
    A logits[kSegmentLength];
    const Partial<A> partial =
        RunTiles(row, batch_.labels.size(row), classes, first, end, logits, InputsGrad(row));
    if (kind_ == LossKind::kSoftmax) {
      logit_kernels_.scaled_exp_minus(logits, end - first, Reference(partial.max),
                                      A(1) / Divisor(partial.sum), logits);
    }
    for (int64_t k = first; k < end; ++k) *classes.logit_grad(k) = logits[k - first];
    FinishRow(row, partial);
  }

  // Leaves the logits (softmax) or their gradients (NCE) in place of the gradients.
  Partial<A> RunLongRowSegment(const Segment& segment, const Classes<W>& classes, int64_t first,
                               int64_t end, A* sum) const {
    A logits[kSegmentLength];
    const int64_t num_labels = batch_.labels.size(segment.group) - segment.begin;
    const Partial<A> partial =
        RunTiles(segment.group, num_labels, classes, first, end, logits, sum);
    for (int64_t k = first; k < end; ++k) *classes.logit_grad(k) = logits[k - first];
    return partial;
  }

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
      accumulator_kernels_.add_weighted(&part, &factor, 1, depth_, inputs_grad);
    }
    if (kind_ == LossKind::kSoftmax) {
      const auto normalise = [&](A* logits, int64_t count) {
        logit_kernels_.scaled_exp_minus(logits, count, Reference(merged.max),
                                        A(1) / Divisor(merged.sum), logits);
      };
      normalise(output_.label_logit_grad + batch_.labels.begin(row), batch_.labels.size(row));
      normalise(output_.candidate_logit_grad + batch_.candidates.begin(row),
                batch_.candidates.size(row));
    }
    FinishRow(row, merged);
  }

  void Gather(const Segment& segment, Classes<W>* classes) const {
    const int64_t row = segment.group;
    const RaggedIds& labels = batch_.labels;
    const RaggedIds& candidates = batch_.candidates;
    const int64_t label_end = std::min(labels.begin(row) + segment.end, labels.end(row));
    for (int64_t k = labels.begin(row) + segment.begin; k < label_end; ++k) {
      classes->Add(labels.values[k], At(batch_.label_log_q, k), output_.label_logit_grad + k);
    }
    // What is left in place of a dropped candidate's gradient ends up as 0: a long row's softmax
    // takes it for a logit.
    const A dropped = segment.slot >= 0 && kind_ == LossKind::kSoftmax
                          ? -std::numeric_limits<A>::infinity()
                          : A(0);
    const int64_t origin = candidates.begin(row) - labels.size(row);
    const int64_t begin = std::max(candidates.begin(row), origin + segment.begin);
    const auto hits = hits_.ForRow(row);
    for (int64_t k = begin; k < origin + segment.end; ++k) {
      if (hits.Contain(candidates.values[k])) {
        output_.candidate_logit_grad[k] = dropped;
      } else {
        classes->Add(candidates.values[k], At(batch_.candidate_log_q, k),
                     output_.candidate_logit_grad + k);
      }
    }
  }

  static const float* At(const float* values, int64_t k) { return values ? values + k : nullptr; }

  // Fills `logits` with logits (softmax) or their gradients (NCE), and `sum` with the weighted sum
  // of the class rows. The first num_labels classes are labels.
  Partial<A> RunTiles(int64_t row, int64_t num_labels, const Classes<W>& classes, int64_t first,
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
        row_kernels_.add_weighted(classes.rows() + tile, coefficients, count, depth_, sum);
      } else {
        const A target = A(1) / static_cast<A>(batch_.labels.size(row));
        for (int64_t k = 0; k < labels; ++k) {
          partial.sum += SigmoidCrossEntropy(z[k], target);
          z[k] = Sigmoid(z[k]);
        }
        partial.sum += logit_kernels_.sigmoid_softplus(z + labels, count - labels, z + labels);
        row_kernels_.add_weighted(classes.rows() + tile, z, count, depth_, sum);
      }
    }
    return partial;
  }

  // coefficients = exp(z - max), after rescaling what was summed relative to a smaller max.
  void AddExponentials(const A* z, int64_t count, A* coefficients, A* sum,
                       Partial<A>* partial) const {
    // NaN is not larger than anything, but reaches the loss through the sum.
    A max = partial->max;
    for (int64_t k = 0; k < count; ++k) max = std::max(max, z[k]);
    if (partial->sum > A(0) && max > partial->max) {
      const A factor = std::exp(partial->max - max);
      partial->sum *= factor;
      accumulator_kernels_.scale_and_narrow(sum, factor, depth_, sum);
    }
    partial->max = max;
    partial->sum += logit_kernels_.exp_minus(z, count, Reference(max), coefficients);
  }

  // The part of the loss and of the gradients that the labels add by being the targets.
  void FinishRow(int64_t row, const Partial<A>& partial) const {
    const RaggedIds& labels = batch_.labels;
    const int64_t num_labels = labels.size(row);
    const bool softmax = kind_ == LossKind::kSoftmax;
    A* inputs_grad = InputsGrad(row);
    A loss = partial.sum;
    if (softmax) {
      const A divisor = Divisor(partial.sum);
      accumulator_kernels_.scale_and_narrow(inputs_grad, A(1) / divisor, depth_, inputs_grad);
      loss = std::log(divisor) -
             (partial.label_logits / static_cast<A>(num_labels) - Reference(partial.max));
    }
    if (num_labels > 0) {
      const A target = A(1) / static_cast<A>(num_labels);
      const A minus_target = -target;
      for (int64_t k = labels.begin(row); k < labels.end(row); ++k) {
        output_.label_logit_grad[k] -= target;
        const W* label_row = weights_.Row(labels.values[k]);
        row_kernels_.add_weighted(&label_row, &minus_target, 1, depth_, inputs_grad);
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
  const AccidentalHits hits_;
  const RowLoops<W>& row_kernels_ = ChosenRowLoops<W>();
  const RowLoops<A>& accumulator_kernels_ = ChosenRowLoops<A>();
  const LogitLoops<A>& logit_kernels_ = ChosenLogitLoops<A>();
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
  const auto gather = [&](const Segment& segment, Classes<W>* classes) {
    const int64_t begin = candidates.begin(segment.group);
    for (int64_t k = begin + segment.begin; k < begin + segment.end; ++k) {
      classes->Add(candidates.values[k], nullptr, nullptr);
    }
  };
  const auto run = [&](const Segment& segment, const Classes<W>& classes, int64_t first,
                       int64_t end) {
    classes.Logits(first, end - first, inputs + segment.group * depth,
                   logits + candidates.begin(segment.group) + segment.begin);
  };
  segments.ForEachRange(runtime, CostOf<W>(depth),
                        [&] { return BlockWorker(weights, biases, gather, run); });
}

#define CANDSAMP_INSTANTIATE(W)                                                          \
  template void RaggedLossForward<W>(                                                    \
      Runtime&, LossKind, const RaggedBatch&, const Accumulator<W>*, const RowTable<W>&, \
      const RowTable<W>&, bool, const RaggedLossOutput<Accumulator<W>>&);                \
  template void RaggedLogits<W>(Runtime&, const RaggedBatch&, const Accumulator<W>*,     \
                                const RowTable<W>&, const RowTable<W>&, Accumulator<W>*);
CANDSAMP_INSTANTIATE(float)
CANDSAMP_INSTANTIATE(double)
CANDSAMP_INSTANTIATE(Bfloat16)
CANDSAMP_INSTANTIATE(Half)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
