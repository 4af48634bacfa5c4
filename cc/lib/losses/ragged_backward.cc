// Sparse gradients of the class table, and dense ones of the inputs.
#include "cc/lib/losses/ragged_backward.h"

#include <algorithm>

#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/segments.h"

namespace candsamp {
namespace {

// A gradient of more bytes than this would not stay in the last-level cache until it is used.
constexpr int64_t kLargestCached = int64_t{32} << 20;

// Labels come before candidates.
template <typename A>
class OccurrenceSource {
 public:
  OccurrenceSource(const RaggedBatch& batch, const A* label_gradient, const A* candidate_gradient,
                   const A* row_factor)
      : batch_(batch),
        num_labels_(label_gradient ? batch.num_labels() : 0),
        label_gradient_(label_gradient),
        candidate_gradient_(candidate_gradient),
        row_factor_(row_factor) {}

  int64_t size() const { return num_labels_ + batch_.num_candidates(); }

  int64_t Id(int64_t position) const {
    return position < num_labels_ ? batch_.labels.values[position]
                                  : batch_.candidates.values[position - num_labels_];
  }

  template <typename Emit>
  void ForEach(int64_t begin, int64_t end, Emit emit) const {
    ForEachOf(batch_.labels, label_gradient_, begin, std::min(end, num_labels_), emit);
    ForEachOf(batch_.candidates, candidate_gradient_, std::max<int64_t>(begin - num_labels_, 0),
              end - num_labels_, emit);
  }

 private:
  template <typename Emit>
  void ForEachOf(const RaggedIds& ids, const A* gradient, int64_t begin, int64_t end,
                 Emit emit) const {
    if (begin >= end) return;
    int64_t row =
        std::upper_bound(ids.splits, ids.splits + batch_.rows + 1, begin) - ids.splits - 1;
    for (int64_t k = begin; k < end; ++row) {
      const A factor = row_factor_ ? row_factor_[row] : A(1);
      for (; k < std::min(end, ids.end(row)); ++k) {
        emit(ids.values[k], Occurrence<A>{0, factor * gradient[k], row});
      }
    }
  }

  const RaggedBatch& batch_;
  const int64_t num_labels_;
  const A* label_gradient_;
  const A* candidate_gradient_;
  const A* row_factor_;
};

struct CandidateSource {
  const int64_t* ids;

  int64_t Id(int64_t position) const { return ids[position]; }

  template <typename Emit>
  void ForEach(int64_t begin, int64_t end, Emit emit) const {
    for (int64_t k = begin; k < end; ++k) emit(ids[k], Ranked{0, k});
  }
};

// Adds up the partial sums of long groups, in order: finish(group, sum) for each.
template <typename A, typename Groups, typename Finish>
void MergeLongGroups(Runtime& runtime, const Groups& long_groups, const A* partial_sums,
                     int64_t depth, Finish finish) {
  if (long_groups.empty()) return;
  const RowLoops<A>& loops = ChosenRowLoops<A>();
  A* sums = runtime.Allocate<A>(static_cast<int64_t>(long_groups.size()) * depth);
  runtime.ParallelFor(long_groups.size(), kSegmentLength * depth, [&](int64_t first, int64_t last) {
    for (int64_t k = first; k < last; ++k) {
      A* sum = sums + k * depth;
      std::fill_n(sum, depth, A(0));
      for (int64_t s = 0; s < long_groups[k].segments; ++s) {
        const A* part = partial_sums + (long_groups[k].first_slot + s) * depth;
        const A one = 1;
        loops.add_weighted(&part, &one, 1, depth, sum);
      }
      finish(long_groups[k].group, sum);
    }
  });
}

}  // namespace

template <typename A>
ClassGroups<Occurrence<A>> GroupOccurrences(Runtime& runtime, const RaggedBatch& batch,
                                            int64_t num_classes, const A* label_gradient,
                                            const A* candidate_gradient, const A* row_factor) {
  const OccurrenceSource<A> source(batch, label_gradient, candidate_gradient, row_factor);
  return ClassGroups<Occurrence<A>>(runtime, source.size(), num_classes, source);
}

template <typename W>
void SumClassRows(Runtime& runtime, const ClassGroups<Occurrence<Accumulator<W>>>& groups,
                  int64_t first, int64_t last, const Accumulator<W>* inputs, int64_t depth,
                  W* out) {
  using A = Accumulator<W>;
  const RowLoops<W>& loops = ChosenRowLoops<W>();
  const RowLoops<A>& accumulator_kernels = ChosenRowLoops<A>();
  const int64_t origin = groups.start(first);
  const Segments segments(last - first,
                          [&](int64_t g) { return groups.start(first + g) - origin; });
  A* partial_sums = runtime.Allocate<A>(segments.slots() * depth);
  const bool stream = (last - first) * depth * static_cast<int64_t>(sizeof(W)) > kLargestCached;
  const auto sum_rows = stream ? loops.stream_weighted_sum : loops.weighted_sum;
  segments.ForEach(
      runtime, 16 + depth,
      [&](const Segment& segment) {
        const A* rows[kSegmentLength];
        A gradients[kSegmentLength];
        const int64_t begin = groups.start(first + segment.group) + segment.begin;
        const int64_t count = segment.end - segment.begin;
        for (int64_t k = 0; k < count; ++k) {
          rows[k] = inputs + groups.entry(begin + k).row * depth;
          gradients[k] = groups.entry(begin + k).gradient;
        }
        if (segment.slot < 0) {
          sum_rows(rows, gradients, count, depth, out + segment.group * depth);
        } else {
          accumulator_kernels.weighted_sum(rows, gradients, count, depth,
                                           partial_sums + segment.slot * depth);
        }
      },
      StreamFence);
  MergeLongGroups(
      runtime, segments.long_groups(), partial_sums, depth,
      [&](int64_t g, const A* sum) { loops.scale_and_narrow(sum, A(1), depth, out + g * depth); });
}

template <typename W>
void SumClassBiases(Runtime& runtime, const ClassGroups<Occurrence<Accumulator<W>>>& groups,
                    int64_t first, int64_t last, W* out) {
  runtime.ParallelFor(last - first, 8, [&](int64_t begin, int64_t end) {
    for (int64_t g = first + begin; g < first + end; ++g) {
      double sum = 0;
      for (int64_t k = groups.start(g); k < groups.start(g + 1); ++k) {
        sum += groups.entry(k).gradient;
      }
      Narrow(static_cast<Accumulator<W>>(sum), &out[g - first]);
    }
  });
}

template <typename W>
void SumCandidateRows(Runtime& runtime, const RaggedIds& row_ids, int64_t rows,
                      const Accumulator<W>* gradient, const RowTable<W>& table,
                      Accumulator<W>* out) {
  using A = Accumulator<W>;
  const RowLoops<W>& loops = ChosenRowLoops<W>();
  const int64_t depth = table.depth();
  const Segments segments(rows, [&](int64_t row) { return row_ids.splits[row]; });
  A* partial_sums = runtime.Allocate<A>(segments.slots() * depth);
  segments.ForEach(runtime, 16 + depth, [&](const Segment& segment) {
    const W* class_rows[kSegmentLength];
    const int64_t begin = row_ids.begin(segment.group) + segment.begin;
    const int64_t count = segment.end - segment.begin;
    A* sum = segment.slot < 0 ? out + segment.group * depth : partial_sums + segment.slot * depth;
    std::fill_n(sum, depth, A(0));
    const auto look_up = [&](int64_t k) {
      class_rows[k] = table.Row(row_ids.values[begin + k]);
      FetchRow(class_rows[k], depth);
    };
    for (int64_t k = 0; k < std::min(kRowsAhead, count); ++k) look_up(k);
    for (int64_t tile = 0; tile < count; tile += kRowsAhead) {
      const int64_t end = std::min(tile + kRowsAhead, count);
      for (int64_t k = end; k < std::min(end + kRowsAhead, count); ++k) look_up(k);
      loops.add_weighted(class_rows + tile, gradient + begin + tile, end - tile, depth, sum);
    }
  });
  MergeLongGroups(runtime, segments.long_groups(), partial_sums, depth,
                  [&](int64_t row, const A* sum) { std::copy_n(sum, depth, out + row * depth); });
}

ClassGroups<Ranked> RankCandidates(Runtime& runtime, const int64_t* candidates, int64_t count,
                                   int64_t num_classes, int64_t* ranks) {
  ClassGroups<Ranked> groups(runtime, count, num_classes, CandidateSource{candidates});
  runtime.ParallelFor(groups.size(), 16, [&](int64_t first, int64_t last) {
    for (int64_t g = first; g < last; ++g) {
      for (int64_t k = groups.start(g); k < groups.start(g + 1); ++k) {
        ranks[groups.entry(k).position] = g;
      }
    }
  });
  return groups;
}

template ClassGroups<Occurrence<float>> GroupOccurrences<float>(Runtime&, const RaggedBatch&,
                                                                int64_t, const float*, const float*,
                                                                const float*);
template ClassGroups<Occurrence<double>> GroupOccurrences<double>(Runtime&, const RaggedBatch&,
                                                                  int64_t, const double*,
                                                                  const double*, const double*);

#define CANDSAMP_INSTANTIATE(W)                                                                    \
  template void SumClassRows<W>(Runtime&, const ClassGroups<Occurrence<Accumulator<W>>>&, int64_t, \
                                int64_t, const Accumulator<W>*, int64_t, W*);                      \
  template void SumClassBiases<W>(Runtime&, const ClassGroups<Occurrence<Accumulator<W>>>&,        \
                                  int64_t, int64_t, W*);                                           \
  template void SumCandidateRows<W>(Runtime&, const RaggedIds&, int64_t, const Accumulator<W>*,    \
                                    const RowTable<W>&, Accumulator<W>*);
CANDSAMP_INSTANTIATE(float)
CANDSAMP_INSTANTIATE(double)
CANDSAMP_INSTANTIATE(Bfloat16)
CANDSAMP_INSTANTIATE(Half)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
