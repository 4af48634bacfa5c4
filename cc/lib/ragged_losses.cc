// The forward pass of the ragged losses.
//
// A row's classes, labels first, are cut into segments. A segment goes through its class rows in
// tiles that stay in the first-level cache between their two uses: the dot products, and the
// weighted sum that is the slope of `inputs`. For softmax the weights are relative to the largest
// logit so far (the online softmax of Milakov and Gimelshein, arXiv 1805.02867). Segments of a
// long row are merged in order afterwards.
#include "cc/lib/ragged_losses.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cc/lib/row_kernels.h"
#include "cc/lib/segments.h"

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
  AccidentalHits(Host& host, const RaggedBatch& batch, bool remove)
      : batch_(batch), remove_(remove) {
    int64_t most = 0;
    for (int64_t i = 0; remove && i < batch.rows; ++i) most = std::max(most, batch.labels.size(i));
    if (most <= kFew) return;
    sorted_ = host.Allocate<int64_t>(batch.num_labels());
    const RaggedIds& labels = batch.labels;
    host.ParallelFor(batch.rows, most * 4, [&](int64_t first, int64_t last) {
      std::copy(labels.values + labels.begin(first), labels.values + labels.begin(last),
                sorted_ + labels.begin(first));
      for (int64_t i = first; i < last; ++i) {
        std::sort(sorted_ + labels.begin(i), sorted_ + labels.end(i));
      }
    });
  }

  bool Contain(int64_t row, int64_t id) const {
    if (!remove_) return false;
    const RaggedIds& labels = batch_.labels;
    if (labels.size(row) > kFew) {
      return std::binary_search(sorted_ + labels.begin(row), sorted_ + labels.end(row), id);
    }
    for (int64_t k = labels.begin(row); k < labels.end(row); ++k) {
      if (labels.values[k] == id) return true;
    }
    return false;
  }

 private:
  static constexpr int64_t kFew = 8;
  const RaggedBatch& batch_;
  const bool remove_;
  int64_t* sorted_ = nullptr;
};

// The classes of a segment: where their rows are, what is added to the dot product, and where
// their slope goes.
template <typename W>
struct Classes {
  using A = Accumulator<W>;

  void Add(const RowTable<W>& weights, const RowTable<W>& biases, int64_t id, const float* log_q,
           A* slope_at) {
    rows[count] = weights.Row(id);
    // Nothing else fetches the first tile ahead of its use.
    if (count < kTile) Prefetch(rows[count], weights.depth());
    offset[count] = (biases.empty() ? A(0) : Widen(*biases.Row(id))) - (log_q ? A(*log_q) : A(0));
    slope[count++] = slope_at;
  }

  static void Prefetch(const W* row, int64_t depth) {
    const char* bytes = reinterpret_cast<const char*>(row);
    const int64_t size = std::min<int64_t>(depth * sizeof(W), kPrefetched);
    for (int64_t at = 0; at < size; at += 64) __builtin_prefetch(bytes + at);
  }

  static constexpr int64_t kPrefetched = 1024;  // bytes a row; the hardware goes on from there
  int64_t count = 0;
  const W* rows[kSegmentLength];
  A offset[kSegmentLength];
  A* slope[kSegmentLength];
};

// What a segment leaves behind besides its weighted sum of class rows.
template <typename A>
struct Partial {
  A max = -std::numeric_limits<A>::infinity();  // softmax: the largest logit, or NaN
  A sum = 0;           // softmax: sum of exp(z - max); NCE: sum of softplus(z)
  A label_logits = 0;  // sum
};

template <typename A>
A LargerOrNan(A a, A b) {
  return a < b || b != b ? b : a;
}

// A finite number to subtract from logits of which `max` is the largest.
template <typename A>
A Reference(A max) {
  return max == -std::numeric_limits<A>::infinity() ? A(0) : max;
}

template <typename W>
class RaggedForward {
 public:
  using A = Accumulator<W>;

  RaggedForward(Host& host, RaggedLoss kind, const RaggedBatch& batch, const A* inputs,
                const RowTable<W>& weights, const RowTable<W>& biases, bool remove_accidental_hits,
                const RaggedLossOutput<A>& output)
      : host_(host),
        kind_(kind),
        batch_(batch),
        inputs_(inputs),
        weights_(weights),
        biases_(biases),
        output_(output),
        depth_(weights.depth()),
        hits_(host, batch, remove_accidental_hits) {}

  void Run() {
    const RaggedIds& labels = batch_.labels;
    const RaggedIds& candidates = batch_.candidates;
    const Segments segments(batch_.rows, [&](int64_t row) {
      return labels.splits[row] + candidates.splits[row];
    });
    std::vector<Partial<A>> partials(segments.slots());
    A* partial_sums = host_.Allocate<A>(segments.slots() * depth_);

    segments.ForEach(host_, CostOf<W>(depth_), [&](const Segment& segment) {
      if (segment.slot < 0) {
        RunWholeRow(segment);
      } else {
        partials[segment.slot] =
            RunLongRowSegment(segment, partial_sums + segment.slot * depth_);
      }
    });

    const std::vector<LongGroup>& long_rows = segments.long_groups();
    host_.ParallelFor(long_rows.size(), kSegmentLength * depth_, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; ++k) {
        const LongGroup& row = long_rows[k];
        FinishLongRow(row, partials.data() + row.first_slot,
                      partial_sums + row.first_slot * depth_);
      }
    });
  }

 private:
  const A* Input(int64_t row) const { return inputs_ + row * depth_; }
  A* InputSlope(int64_t row) const { return output_.input_slope + row * depth_; }

  void RunWholeRow(const Segment& segment) const {
    const int64_t row = segment.group;
    Classes<W> classes;
    Gather(segment, A(0), &classes);
    A logits[kSegmentLength];
    const Partial<A> partial = RunTiles(segment, classes, logits, InputSlope(row));
    if (kind_ == RaggedLoss::kSoftmax) {
      logit_kernels_.scaled_exp_minus(logits, classes.count, Reference(partial.max),
                                      A(1) / partial.sum, logits);
    }
    for (int64_t k = 0; k < classes.count; ++k) *classes.slope[k] = logits[k];
    FinishRow(row, partial);
  }

  // Leaves the logits (for softmax) or the finished slopes (for NCE) in place of the slopes, and
  // minus infinity (softmax) or 0 (NCE) for dropped candidates: a slope of 0 either way.
  Partial<A> RunLongRowSegment(const Segment& segment, A* sum) const {
    Classes<W> classes;
    Gather(segment,
           kind_ == RaggedLoss::kSoftmax ? -std::numeric_limits<A>::infinity() : A(0), &classes);
    A logits[kSegmentLength];
    const Partial<A> partial = RunTiles(segment, classes, logits, sum);
    for (int64_t k = 0; k < classes.count; ++k) *classes.slope[k] = logits[k];
    return partial;
  }

  void FinishLongRow(const LongGroup& group, const Partial<A>* partials, const A* sums) const {
    const int64_t row = group.group;
    Partial<A> merged;
    for (int64_t s = 0; s < group.segments; ++s) {
      merged.max = LargerOrNan(merged.max, partials[s].max);
    }
    A* slope = InputSlope(row);
    std::fill_n(slope, depth_, A(0));
    for (int64_t s = 0; s < group.segments; ++s) {
      // Segments of nothing but minus infinities have sum 0.
      const A factor = kind_ == RaggedLoss::kNce ? A(1)
                       : partials[s].sum == A(0)
                           ? A(0)
                           : ExpOf(partials[s].max - Reference(merged.max));
      merged.sum += factor * partials[s].sum;
      merged.label_logits += partials[s].label_logits;
      const A* part = sums + s * depth_;
      accumulator_kernels_.add_weighted(&part, &factor, 1, depth_, slope);
    }
    if (kind_ == RaggedLoss::kSoftmax) {
      const auto normalise = [&](A* logits, int64_t count) {
        logit_kernels_.scaled_exp_minus(logits, count, Reference(merged.max), A(1) / merged.sum,
                                        logits);
      };
      normalise(output_.label_slope + batch_.labels.begin(row), batch_.labels.size(row));
      normalise(output_.candidate_slope + batch_.candidates.begin(row),
                batch_.candidates.size(row));
    }
    FinishRow(row, merged);
  }

  static A ExpOf(A x) { return std::exp(x); }

  void Gather(const Segment& segment, A dropped, Classes<W>* classes) const {
    const int64_t row = segment.group;
    const RaggedIds& labels = batch_.labels;
    const RaggedIds& candidates = batch_.candidates;
    const int64_t label_end = labels.end(row);
    const int64_t label_begin = std::min(labels.begin(row) + segment.begin, label_end);
    for (int64_t k = label_begin; k < std::min(labels.begin(row) + segment.end, label_end); ++k) {
      classes->Add(weights_, biases_, labels.values[k], At(batch_.label_log_q, k),
                   output_.label_slope + k);
    }
    const int64_t first = candidates.begin(row) - labels.size(row);
    const int64_t begin = std::max(candidates.begin(row), first + segment.begin);
    for (int64_t k = begin; k < first + segment.end; ++k) {
      if (hits_.Contain(row, candidates.values[k])) {
        output_.candidate_slope[k] = dropped;
        continue;
      }
      classes->Add(weights_, biases_, candidates.values[k], At(batch_.candidate_log_q, k),
                   output_.candidate_slope + k);
    }
  }

  static const float* At(const float* values, int64_t k) { return values ? values + k : nullptr; }

  // Fills `logits` (softmax) or their slopes (NCE), and the weighted sum of the class rows.
  Partial<A> RunTiles(const Segment& segment, const Classes<W>& classes, A* logits,
                      A* sum) const {
    std::fill_n(sum, depth_, A(0));
    Partial<A> partial;
    const int64_t num_labels = batch_.labels.size(segment.group) - segment.begin;
    for (int64_t tile = 0; tile < classes.count; tile += kTile) {
      const int64_t count = std::min(kTile, classes.count - tile);
      const int64_t ahead = std::min(count, classes.count - tile - count);
      A* z = logits + tile;
      row_kernels_.dot(classes.rows + tile, count, ahead, Input(segment.group), depth_, z);
      for (int64_t k = 0; k < count; ++k) z[k] += classes.offset[tile + k];
      for (int64_t k = 0; k < std::min(count, num_labels - tile); ++k) partial.label_logits += z[k];
      A coefficients[kTile];
      if (kind_ == RaggedLoss::kSoftmax) {
        AddExponentials(z, count, coefficients, sum, &partial);
        row_kernels_.add_weighted(classes.rows + tile, coefficients, count, depth_, sum);
      } else {
        partial.sum += logit_kernels_.sigmoid_softplus(z, count, z);
        row_kernels_.add_weighted(classes.rows + tile, z, count, depth_, sum);
      }
    }
    return partial;
  }

  // coefficients = exp(z - max), after rescaling what was summed relative to a smaller max.
  void AddExponentials(const A* z, int64_t count, A* coefficients, A* sum,
                       Partial<A>* partial) const {
    A max = partial->max;
    for (int64_t k = 0; k < count; ++k) max = LargerOrNan(max, z[k]);
    if (partial->sum > A(0) && !(max == partial->max)) {
      const A factor = ExpOf(partial->max - max);
      partial->sum *= factor;
      accumulator_kernels_.scale_and_narrow(sum, factor, depth_, sum);
    }
    partial->max = max;
    partial->sum += logit_kernels_.exp_minus(z, count, Reference(max), coefficients);
  }

  // The part of the loss and of the slopes that the labels add by being the targets.
  void FinishRow(int64_t row, const Partial<A>& partial) const {
    const RaggedIds& labels = batch_.labels;
    const int64_t num_labels = labels.size(row);
    const bool softmax = kind_ == RaggedLoss::kSoftmax;
    A* slope = InputSlope(row);
    if (softmax) accumulator_kernels_.scale_and_narrow(slope, A(1) / partial.sum, depth_, slope);
    A loss = softmax ? std::log(partial.sum) : partial.sum;
    if (num_labels > 0) {
      const A target = A(1) / static_cast<A>(num_labels);
      loss -= partial.label_logits * target - (softmax ? Reference(partial.max) : A(0));
      const A minus_target = -target;
      for (int64_t k = labels.begin(row); k < labels.end(row); ++k) {
        output_.label_slope[k] -= target;
        const W* label_row = weights_.Row(labels.values[k]);
        row_kernels_.add_weighted(&label_row, &minus_target, 1, depth_, slope);
      }
    }
    output_.loss[row] = loss;
  }

  Host& host_;
  const RaggedLoss kind_;
  const RaggedBatch& batch_;
  const A* const inputs_;
  const RowTable<W>& weights_;
  const RowTable<W>& biases_;
  const RaggedLossOutput<A>& output_;
  const int64_t depth_;
  const AccidentalHits hits_;
  const RowKernels<W>& row_kernels_ = ChosenRowKernels<W>();
  const RowKernels<A>& accumulator_kernels_ = ChosenRowKernels<A>();
  const LogitKernels<A>& logit_kernels_ = ChosenLogitKernels<A>();
};

}  // namespace

template <typename W>
void RaggedLossForward(Host& host, RaggedLoss kind, const RaggedBatch& batch,
                       const Accumulator<W>* inputs, const RowTable<W>& weights,
                       const RowTable<W>& biases, bool remove_accidental_hits,
                       const RaggedLossOutput<Accumulator<W>>& output) {
  RaggedForward<W>(host, kind, batch, inputs, weights, biases, remove_accidental_hits, output)
      .Run();
}

template <typename W>
void RaggedLogits(Host& host, const RaggedBatch& batch, const Accumulator<W>* inputs,
                  const RowTable<W>& weights, const RowTable<W>& biases, Accumulator<W>* logits) {
  const RowKernels<W>& kernels = ChosenRowKernels<W>();
  const int64_t depth = weights.depth();
  const RaggedIds& candidates = batch.candidates;
  const Segments segments(batch.rows, [&](int64_t row) { return candidates.splits[row]; });
  segments.ForEach(host, CostOf<W>(depth), [&](const Segment& segment) {
    Classes<W> classes;
    const int64_t first = candidates.begin(segment.group);
    for (int64_t k = first + segment.begin; k < first + segment.end; ++k) {
      classes.Add(weights, biases, candidates.values[k], nullptr, logits + k);
    }
    Accumulator<W>* out = logits + first + segment.begin;
    for (int64_t tile = 0; tile < classes.count; tile += kTile) {
      const int64_t count = std::min(kTile, classes.count - tile);
      kernels.dot(classes.rows + tile, count, std::min(count, classes.count - tile - count),
                  inputs + segment.group * depth, depth, out + tile);
    }
    for (int64_t k = 0; k < classes.count; ++k) out[k] += classes.offset[k];
  });
}

#define CANDSAMP_INSTANTIATE(W)                                                                  \
  template void RaggedLossForward<W>(Host&, RaggedLoss, const RaggedBatch&,                      \
                                     const Accumulator<W>*, const RowTable<W>&,                  \
                                     const RowTable<W>&, bool,                                   \
                                     const RaggedLossOutput<Accumulator<W>>&);                   \
  template void RaggedLogits<W>(Host&, const RaggedBatch&, const Accumulator<W>*,                \
                                const RowTable<W>&, const RowTable<W>&, Accumulator<W>*);
CANDSAMP_INSTANTIATE(float)
CANDSAMP_INSTANTIATE(double)
CANDSAMP_INSTANTIATE(Bfloat16)
CANDSAMP_INSTANTIATE(Half)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
