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

// What the kernels share. `Entries` says what is summed: Weight(k) of the k-th sorted occurrence,
// and Row(k), which is nullptr for none. `Sink` takes the sums: Write<kPack>(group, d, sums) those
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
  // Hands a sum on: of columns from d on, or of weights.
  template <int kSize, bool kOfWeights>
  CANDSAMP_DEVICE void Write(int64_t group, int64_t d, const A* sum) const {
    if constexpr (!kOfWeights) {
      sink.template Write<kSize>(group, d, sum);
    } else if constexpr (Sink::kTakesWeights) {
      sink.WriteWeight(group, *sum);
    }
  }
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

  // A thread has a pack of a window, or its weights.
  CANDSAMP_METHOD int64_t Items() const {
    return sums.Windows() * (sums.rows.columns / kPack + Sink::kTakesWeights);
  }

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t packs = sums.rows.columns / kPack, of_rows = sums.Windows() * packs;
    for (int64_t k = GridRank(block); k < Items(); k += GridSize(block)) {
      if (k < of_rows) {
        Sum<kPack, false>(k / packs, k % packs * kPack);
      } else {
        Sum<1, true>(k - of_rows, 0);
      }
    }
  }

 private:
  template <int kSize, bool kOfWeights>
  CANDSAMP_DEVICE void Sum(int64_t window, int64_t d) const {
    const IdGroups& groups = sums.groups;
    const int64_t begin = window * sums.window, end = Least(begin + sums.window, groups.size);
    int64_t group = groups.GroupOf(begin), group_end = groups.starts[group + 1];
    A sum[kSize] = {};
    for (int64_t first = begin; first < end; first += kBatch) {
      Pack<Source, kSize> rows[kBatch];
      A weights[kBatch];
      CANDSAMP_UNROLL
      for (int j = 0; j < kBatch; ++j) {
        const bool is_in = first + j < end;
        weights[j] = is_in ? sums.entries.Weight(first + j) : A(0);
        if (kOfWeights) continue;
        const Source* const row = is_in ? sums.entries.Row(first + j) : nullptr;
        rows[j] = row == nullptr ? Pack<Source, kSize>{} : Pack<Source, kSize>::Load(row + d);
      }
      CANDSAMP_UNROLL
      for (int j = 0; j < kBatch; ++j) {
        if (first + j >= end) break;
        CANDSAMP_UNROLL
        for (int v = 0; v < kSize; ++v) {
          sum[v] = kOfWeights ? sum[v] + weights[j]
                              : MulAdd(weights[j], Widen(rows[j].values[v]), sum[v]);
        }
        if (first + j + 1 < group_end) continue;
        Finish<kSize, kOfWeights>(window, begin, group, d, sum);
        ++group;
        if (first + j + 1 < end) group_end = groups.starts[group + 1];
        CANDSAMP_UNROLL
        for (int v = 0; v < kSize; ++v) sum[v] = A(0);
      }
    }
    if (group_end > end) Keep<kSize, kOfWeights>(window, begin, group, d, sum);
  }

  template <int kSize, bool kOfWeights>
  CANDSAMP_DEVICE void Finish(int64_t window, int64_t begin, int64_t group, int64_t d,
                              const A* sum) const {
    if (sums.groups.starts[group] >= begin) {
      sums.template Write<kSize, kOfWeights>(group, d, sum);
    } else {
      Keep<kSize, kOfWeights>(window, begin, group, d, sum);
    }
  }

  template <int kSize, bool kOfWeights>
  CANDSAMP_DEVICE void Keep(int64_t window, int64_t begin, int64_t group, int64_t d,
                            const A* sum) const {
    const PartialSums<A>& partial = kOfWeights ? sums.weights : sums.rows;
    A* const out = partial.OfWindow(window, sums.groups.starts[group] >= begin) + d;
    CANDSAMP_UNROLL
    for (int v = 0; v < kSize; ++v) out[v] = sum[v];
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
      batch[j] =
          first + j < count ? Pack<A, kPack>::Load(values + (first + j) * apart) : Pack<A, kPack>{};
    }
    CANDSAMP_UNROLL
    for (int j = 0; j < kBatch; ++j) {
      CANDSAMP_UNROLL
      for (int v = 0; v < kPack; ++v) sum.values[v] += batch[j].values[v];
    }
  }
  return sum;
}

// The parts into which lane groups share what a window, or a super, has: as many packs of columns
// as lanes, and the weights.
template <int kPack>
struct PartsOfSums {
  int64_t of_rows, all;

  static CANDSAMP_METHOD PartsOfSums Of(int64_t columns, int64_t lanes, bool with_weights) {
    const int64_t of_rows = (columns / kPack + lanes - 1) / lanes;
    return {of_rows, of_rows + with_weights};
  }
};

// REQUIRES, here and below: kPack divides the depth.
template <typename Source, typename Entries, typename Sink, int kPack>
struct SumSupersKernel {
  using Sums = GroupSums<Source, Entries, Sink>;
  using A = typename Sums::A;

  Sums sums;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const auto parts =
        PartsOfSums<kPack>::Of(sums.rows.columns, block.lanes(), Sink::kTakesWeights);
    const int64_t items = sums.Windows() / Sums::kSuper * parts.all;
    for (int64_t k = GridLaneGroup(block); k < items; k += GridLaneGroups(block)) {
      const int64_t s = k / parts.all, part = k % parts.all;
      if (!sums.IsFilled(s)) continue;
      const int64_t d = (part * block.lanes() + block.lane()) * kPack;
      if (part == parts.of_rows) {
        if (block.lane() == 0) SumSuper<1>(sums.weights, s, 0);
      } else if (d < sums.rows.columns) {
        SumSuper<kPack>(sums.rows, s, d);
      }
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
    const auto parts =
        PartsOfSums<kPack>::Of(sums.rows.columns, block.lanes(), Sink::kTakesWeights);
    const int64_t items = sums.Windows() * parts.all;
    for (int64_t k = GridLaneGroup(block); k < items; k += GridLaneGroups(block)) {
      const int64_t window = k / parts.all, part = k % parts.all;
      const int64_t next = (window + 1) * sums.window;
      if (next >= groups.size) continue;
      // What does not depend on each other is on its way together.
      const bool begins = groups.Begins(next);
      const int64_t group = groups.GroupOf(next);
      const int64_t start = groups.starts[group], end = groups.starts[group + 1];
      if (begins || start < window * sums.window) continue;
      const Span span = SpanOf(window, end);
      const int64_t d = (part * block.lanes() + block.lane()) * kPack;
      if (part == parts.of_rows) {
        if (block.lane() == 0) Merge<1, true>(group, span, 0);
      } else if (d < sums.rows.columns) {
        Merge<kPack, false>(group, span, d);
      }
    }
  }

 private:
  // The windows of a group, from that in which it began to its last; and which of the supers
  // between them it fills.
  struct Span {
    int64_t first, last, first_super, end_super;
  };

  CANDSAMP_DEVICE Span SpanOf(int64_t window, int64_t end) const {
    constexpr int64_t kSuper = Sums::kSuper;
    const int64_t last = (end - 1) / sums.window;
    const int64_t from = (window + kSuper) / kSuper, to = (last + 1) / kSuper;
    // The last window may hold other groups as well: IsFilled says whether the last super counts.
    return {window, last, from, to > from && !sums.IsFilled(to - 1) ? to - 1 : to};
  }

  template <int kSize, bool kOfWeights>
  CANDSAMP_DEVICE void Merge(int64_t group, const Span& span, int64_t d) const {
    constexpr int64_t kSuper = Sums::kSuper;
    const PartialSums<A>& partial = kOfWeights ? sums.weights : sums.rows;
    auto sum = Pack<A, kSize>::Load(partial.OfWindow(span.first, true) + d);
    const auto add_windows = [&](int64_t begin, int64_t end) {
      sum = SumPacks<kSize>(partial.OfWindow(begin, false) + d, end - begin, 2 * partial.columns,
                            sum);
    };
    if (span.end_super <= span.first_super) {
      add_windows(span.first + 1, span.last + 1);
    } else {
      add_windows(span.first + 1, span.first_super * kSuper);
      sum = SumPacks<kSize>(partial.of_supers + span.first_super * partial.columns + d,
                            span.end_super - span.first_super, partial.columns, sum);
      add_windows(span.end_super * kSuper, span.last + 1);
    }
    sums.template Write<kSize, kOfWeights>(group, d, sum.values);
  }
};

// Launches the kernels: windows in packs of kPack, partial sums in packs of kPartPack.
template <int kPack, int kPartPack, typename Source, typename Entries, typename Sink,
          typename Launcher>
void LaunchGroupSums(Launcher& launcher, const GroupSums<Source, Entries, Sink>& sums) {
  const SumWindowsKernel<Source, Entries, Sink, kPack> sum_windows = {sums};
  launcher.ForEach(sum_windows.Items(), sum_windows);
  const int64_t lanes = launcher.threads() / launcher.lane_groups();
  const auto parts = PartsOfSums<kPartPack>::Of(sums.rows.columns, lanes, Sink::kTakesWeights);
  const int64_t windows = sums.Windows(), supers = windows / sums.kSuper;
  if (supers > 0) {
    launcher.ForEachLaneGroup(supers * parts.all,
                              SumSupersKernel<Source, Entries, Sink, kPartPack>{sums});
  }
  launcher.ForEachLaneGroup(windows * parts.all,
                            MergeWindowsKernel<Source, Entries, Sink, kPartPack>{sums});
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
  if (in_packs) {
    LaunchGroupSums<kPackOf<Source>, kPackOf<A>>(launcher, sums);
  } else {
    LaunchGroupSums<1, 1>(launcher, sums);
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_SUM_GROUPS_H_
