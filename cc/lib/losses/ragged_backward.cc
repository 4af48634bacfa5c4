// SPDX-License-Identifier: Apache-2.0
// Sparse gradients of the class table, and dense gradients of the inputs.
#include "cc/lib/losses/ragged_backward.h"

#include <algorithm>

#include "cc/lib/rows/merge_long_groups.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/segments.h"

namespace candsamp {
namespace {

// The occurrences of a ragged batch as entries of ClassGroups: labels first, then candidates.
template <typename A>
class RaggedEntries {
 public:
  RaggedEntries(const RaggedBatch& batch, const A* label_gradient, const A* candidate_gradient,
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

// The positions of candidates as entries of ClassGroups.
struct CandidateEntries {
  const int64_t* ids;

  int64_t Id(int64_t position) const { return ids[position]; }

  template <typename Emit>
  void ForEach(int64_t begin, int64_t end, Emit emit) const {
    for (int64_t k = begin; k < end; ++k) emit(ids[k], Ranked{0, k});
  }
};

}  // namespace

template <typename A>
ClassGroups<Occurrence<A>> GroupOccurrences(Runtime& runtime, const RaggedBatch& batch,
                                            int64_t num_classes, const A* label_gradient,
                                            const A* candidate_gradient, const A* row_factor) {
  const RaggedEntries<A> entries(batch, label_gradient, candidate_gradient, row_factor);
  return ClassGroups<Occurrence<A>>(runtime, entries.size(), num_classes, entries);
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
  ClassGroups<Ranked> groups(runtime, count, num_classes, CandidateEntries{candidates});
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

#define CANDSAMP_INSTANTIATE(W)                                                                 \
  template void SumCandidateRows<W>(Runtime&, const RaggedIds&, int64_t, const Accumulator<W>*, \
                                    const RowTable<W>&, Accumulator<W>*);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
