// SPDX-License-Identifier: Apache-2.0
// Sums weighted rows group by group: gradients of the rows of classes, from all their occurrences.
// The sums of the weights, which are the gradients of biases, come with them.
//
// The sorted occurrences are cut into windows of one length, so that a class that occurs a million
// times is shared out among as many lane groups as the rest.
//  1. A thread sums a pack of columns of the rows of a window, in order, and hands on each group
//     that lies in it. Of a group that does not, it writes a partial sum.
//  2. Of a group that fills kSuper windows from a multiple of kSuper on, a lane group sums those.
//  3. A lane group sums the partial sums of each group that began in its window.
// The order depends on the groups alone, so the same input gives the same bits.
#ifndef TF_CANDSAMP_CC_CUDA_ROWS_SUM_GROUPS_H_
#define TF_CANDSAMP_CC_CUDA_ROWS_SUM_GROUPS_H_

#include "cc/cuda/classes/id_groups.h"
#include "cc/cuda/core/device_runtime.h"
#include "cc/cuda/core/team.h"
#include "cc/lib/core/half.h"

namespace candsamp {

// The length of windows: short ones where there are few, for enough lane groups to have work.
inline int64_t WindowOf(int64_t size) { return size < 16384 ? 4 : 16; }

// Partial sums of rows of some columns, or of weights, which are rows of one.
template <typename A>
struct PartialSums {
  int64_t columns;
  A* of_windows;  // [windows, 2, columns]: of the group that began before the window, and in it
  A* of_supers;   // [windows / kSuper, columns]: of kSuper windows that one group fills

  CANDSAMP_METHOD A* OfWindow(int64_t window, bool began_in_it) const {
    return of_windows + (2 * window + began_in_it) * columns;
  }
};

// What the kernels share. `Entries` says what is summed: At(position, &weight) is the row, or
// nullptr for none, and sets its weight. `Sink` takes the sums: Write<kPack>(group, d, sums) those
// of the columns from d to d + kPack and, where its kTakesWeights says so, WriteWeight(group, sum)
// that of the weights.
template <typename Source, typename Entries, typename Sink>
struct GroupSums {
  using A = Accumulator<Source>;

  IdGroups groups;
  Entries entries;
  Sink sink;
  int64_t window;  // its length
  PartialSums<A> rows, weights;

  static constexpr int64_t kSuper = 64;

  CANDSAMP_METHOD int64_t Windows() const { return (groups.size + window - 1) / window; }
  // Whether one group, which began before them, fills the windows from kSuper * s on.
  CANDSAMP_METHOD bool IsFilled(int64_t s) const {
    const int64_t begin = s * kSuper * window, end = begin + kSuper * window;
    if (begin >= groups.size || end > groups.size) return false;
    const int64_t group = groups.GroupOf(begin);
    return groups.starts[group] < begin && groups.starts[group + 1] >= end;
  }
};

// REQUIRES: kPack divides the depth, and the sources' rows are aligned to it.
template <typename Source, typename Entries, typename Sink, int kPack>
struct SumWindowsKernel {
  using Sums = GroupSums<Source, Entries, Sink>;
  using A = typename Sums::A;
  static constexpr int kBatch = 4;  // rows on their way at a time

  Sums sums;

  // Also where rows have no columns, for the weights.
  static CANDSAMP_METHOD int64_t Packs(int64_t depth) { return Most(1, depth / kPack); }

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t packs = Packs(sums.rows.columns), items = sums.Windows() * packs;
    for (int64_t k = GridRank(block); k < items; k += GridSize(block)) {
      SumColumns(k / packs, k % packs * kPack);
    }
  }

 private:
  // Of a pack and, in the thread of the first one, the weights.
  struct Sum {
    A columns[kPack];
    A weight;
  };

  CANDSAMP_DEVICE void SumColumns(int64_t window, int64_t d) const {
    const IdGroups& groups = sums.groups;
    const int64_t begin = window * sums.window, end = Least(begin + sums.window, groups.size);
    const bool has_columns = d < sums.rows.columns;
    int64_t group = groups.GroupOf(begin), group_end = groups.starts[group + 1];
    Sum sum = {};
    for (int64_t first = begin; first < end; first += kBatch) {
      Pack<Source, kPack> rows[kBatch];
      A weights[kBatch];
      CANDSAMP_UNROLL
      for (int j = 0; j < kBatch; ++j) {
        weights[j] = A(0);
        const Source* row =
            first + j < end ? sums.entries.At(groups.order[first + j], &weights[j]) : nullptr;
        if (!has_columns) row = nullptr;
        rows[j] = row == nullptr ? Pack<Source, kPack>{} : Pack<Source, kPack>::Load(row + d);
      }
      CANDSAMP_UNROLL
      for (int j = 0; j < kBatch; ++j) {
        if (first + j >= end) break;
        CANDSAMP_UNROLL
        for (int v = 0; v < kPack; ++v) {
          sum.columns[v] = MulAdd(weights[j], Widen(rows[j].values[v]), sum.columns[v]);
        }
        sum.weight += weights[j];
        if (first + j + 1 < group_end) continue;
        Finish(window, begin, group, d, sum);
        ++group;
        if (first + j + 1 < end) group_end = groups.starts[group + 1];
        sum = {};
      }
    }
    if (group_end > end) Keep(window, begin, group, d, sum);
  }

  CANDSAMP_DEVICE void Finish(int64_t window, int64_t begin, int64_t group, int64_t d,
                              const Sum& sum) const {
    if (sums.groups.starts[group] < begin) return Keep(window, begin, group, d, sum);
    if (d < sums.rows.columns) sums.sink.template Write<kPack>(group, d, sum.columns);
    if constexpr (Sink::kTakesWeights) {
      if (d == 0) sums.sink.WriteWeight(group, sum.weight);
    }
  }

  CANDSAMP_DEVICE void Keep(int64_t window, int64_t begin, int64_t group, int64_t d,
                            const Sum& sum) const {
    const bool began_in_it = sums.groups.starts[group] >= begin;
    if (d < sums.rows.columns) {
      A* const out = sums.rows.OfWindow(window, began_in_it) + d;
      CANDSAMP_UNROLL
      for (int v = 0; v < kPack; ++v) out[v] = sum.columns[v];
    }
    if (Sink::kTakesWeights && d == 0) *sums.weights.OfWindow(window, began_in_it) = sum.weight;
  }
};

// Adds `count` packs, `apart` from each other, to a sum, in order.
template <int kPack, typename A>
CANDSAMP_DEVICE Pack<A, kPack> SumPacks(const A* values, int64_t count, int64_t apart,
                                        Pack<A, kPack> sum) {
  constexpr int kBatch = 8;  // on their way at a time
  for (int64_t first = 0; first < count; first += kBatch) {
    Pack<A, kPack> batch[kBatch];
    CANDSAMP_UNROLL
    for (int j = 0; j < kBatch; ++j) {
      batch[j] = first + j < count ? Pack<A, kPack>::Load(values + (first + j) * apart)
                                   : Pack<A, kPack>{};
    }
    CANDSAMP_UNROLL
    for (int j = 0; j < kBatch; ++j) {
      CANDSAMP_UNROLL
      for (int v = 0; v < kPack; ++v) sum.values[v] += batch[j].values[v];
    }
  }
  return sum;
}

// REQUIRES, here and below: kPack divides the depth.
template <typename Source, typename Entries, typename Sink, int kPack>
struct SumSupersKernel {
  using Sums = GroupSums<Source, Entries, Sink>;
  using A = typename Sums::A;

  Sums sums;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t supers = sums.Windows() / Sums::kSuper;
    for (int64_t s = GridLaneGroup(block); s < supers; s += GridLaneGroups(block)) {
      if (!sums.IsFilled(s)) continue;
      for (int64_t d = block.lane() * kPack; d < sums.rows.columns; d += block.lanes() * kPack) {
        SumSuper<kPack>(sums.rows, s, d);
      }
      if (Sink::kTakesWeights && block.lane() == 0) SumSuper<1>(sums.weights, s, 0);
    }
  }

 private:
  template <int kSize>
  CANDSAMP_DEVICE void SumSuper(const PartialSums<A>& partial, int64_t s, int64_t d) const {
    SumPacks<kSize>(partial.OfWindow(s * Sums::kSuper, false) + d, Sums::kSuper,
                    2 * partial.columns, Pack<A, kSize>{})
        .Store(partial.of_supers + s * partial.columns + d);
  }
};

// For each group that began in a window and went on after it.
template <typename Source, typename Entries, typename Sink, int kPack>
struct MergeWindowsKernel {
  using Sums = GroupSums<Source, Entries, Sink>;
  using A = typename Sums::A;

  Sums sums;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const IdGroups& groups = sums.groups;
    const int64_t windows = sums.Windows();
    for (int64_t window = GridLaneGroup(block); window < windows;
         window += GridLaneGroups(block)) {
      const int64_t next = (window + 1) * sums.window;
      if (next >= groups.size || groups.Begins(next)) continue;
      const int64_t group = groups.GroupOf(next);
      if (groups.starts[group] < window * sums.window) continue;
      const Span span = SpanOf(window, group);
      for (int64_t d = block.lane() * kPack; d < sums.rows.columns; d += block.lanes() * kPack) {
        const auto sum = Merged<kPack>(sums.rows, span, d);
        sums.sink.template Write<kPack>(group, d, sum.values);
      }
      if constexpr (Sink::kTakesWeights) {
        if (block.lane() != 0) continue;
        sums.sink.WriteWeight(group, Merged<1>(sums.weights, span, 0).values[0]);
      }
    }
  }

 private:
  // The windows of a group, from that in which it began to its last; and which of the supers
  // between them it fills.
  struct Span {
    int64_t first, last, first_super, end_super;
  };

  CANDSAMP_DEVICE Span SpanOf(int64_t window, int64_t group) const {
    constexpr int64_t kSuper = Sums::kSuper;
    const int64_t last = (sums.groups.starts[group + 1] - 1) / sums.window;
    const int64_t from = (window + kSuper) / kSuper, to = (last + 1) / kSuper;
    // The last window may hold other groups as well: IsFilled says whether the last super counts.
    return {window, last, from, to > from && !sums.IsFilled(to - 1) ? to - 1 : to};
  }

  template <int kSize>
  CANDSAMP_DEVICE Pack<A, kSize> Merged(const PartialSums<A>& partial, const Span& span,
                                        int64_t d) const {
    constexpr int64_t kSuper = Sums::kSuper;
    const auto own = Pack<A, kSize>::Load(partial.OfWindow(span.first, true) + d);
    const auto add_windows = [&](int64_t begin, int64_t end, const Pack<A, kSize>& sum) {
      return SumPacks<kSize>(partial.OfWindow(begin, false) + d, end - begin, 2 * partial.columns,
                             sum);
    };
    if (span.end_super <= span.first_super) return add_windows(span.first + 1, span.last + 1, own);
    auto sum = add_windows(span.first + 1, span.first_super * kSuper, own);
    sum = SumPacks<kSize>(partial.of_supers + span.first_super * partial.columns + d,
                          span.end_super - span.first_super, partial.columns, sum);
    return add_windows(span.end_super * kSuper, span.last + 1, sum);
  }
};

// Launches the kernels: windows in packs of kPack, partial sums in packs of kPartPack.
template <int kPack, int kPartPack, typename Source, typename Entries, typename Sink,
          typename Launcher>
void LaunchGroupSums(Launcher& launcher, const GroupSums<Source, Entries, Sink>& sums) {
  using Windows = SumWindowsKernel<Source, Entries, Sink, kPack>;
  const int64_t windows = sums.Windows(), supers = windows / sums.kSuper;
  launcher.ForEach(windows * Windows::Packs(sums.rows.columns), Windows{sums});
  if (supers > 0) {
    launcher.ForEachLaneGroup(supers, SumSupersKernel<Source, Entries, Sink, kPartPack>{sums});
  }
  launcher.ForEachLaneGroup(windows, MergeWindowsKernel<Source, Entries, Sink, kPartPack>{sums});
}

// Sums all groups. `in_packs`: whether rows of sources, and what the sink writes, may be read in
// packs of 16 bytes of Source. Does not wait.
template <typename Source, typename Launcher, typename Entries, typename Sink>
void SumGroups(Launcher& launcher, DeviceRuntime& runtime, const IdGroups& groups,
               const Entries& entries, int64_t depth, bool in_packs, const Sink& sink) {
  using Sums = GroupSums<Source, Entries, Sink>;
  using A = typename Sums::A;
  if (groups.size == 0 || (depth == 0 && !Sink::kTakesWeights)) return;
  Sums sums = {groups, entries, sink, WindowOf(groups.size), {}, {}};
  const auto allocate = [&](int64_t columns) -> PartialSums<A> {
    return {columns, runtime.Allocate<A>(2 * sums.Windows() * columns),
            runtime.Allocate<A>(sums.Windows() / Sums::kSuper * columns)};
  };
  sums.rows = allocate(depth);
  if (Sink::kTakesWeights) sums.weights = allocate(1);
  if (runtime.error() != 0) return;
  if (in_packs && depth > 0) {
    LaunchGroupSums<kPackOf<Source>, kPackOf<A>>(launcher, sums);
  } else {
    LaunchGroupSums<1, 1>(launcher, sums);
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_SUM_GROUPS_H_
