// SPDX-License-Identifier: Apache-2.0
// Sums weighted rows group by group: gradients of the rows of classes, from all their occurrences.
//
// The sorted occurrences are cut into windows of one length, so that a class that occurs a million
// times is shared out among as many lane groups as the rest.
//  1. A thread sums a pack of columns of the rows of a window, in order, and hands on each group
//  that
//     lies in it. Of a group that does not, it writes a partial sum.
//  2. Of a group that fills kSuper windows from a multiple of kSuper on, a lane group sums those.
//  3. A lane group sums some columns of the partial sums of each group that began in its window.
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

// What both kernels share. `Entries` says what is summed: At(position, &weight) is the row, or
// nullptr for none, and sets its weight. `Sink` takes the sums: Write<kPack>(group, d, sums) those
// of the columns from d to d + kPack.
template <typename Source, typename Entries, typename Sink>
struct GroupSums {
  using A = Accumulator<Source>;

  IdGroups groups;
  Entries entries;
  Sink sink;
  int64_t depth;
  int64_t window;  // its length
  A* partials;     // [windows, 2, depth]: of the group that began before the window, and in it
  A* supers;       // [windows / kSuper, depth]: of kSuper windows that one group fills

  static constexpr int64_t kSuper = 64;

  CANDSAMP_METHOD int64_t Windows() const { return (groups.size + window - 1) / window; }
  CANDSAMP_METHOD A* Partial(int64_t window, bool began_in_it) const {
    return partials + (2 * window + began_in_it) * depth;
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

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t packs = sums.depth / kPack, items = sums.Windows() * packs;
    for (int64_t k = GridRank(block); k < items; k += GridSize(block)) {
      SumColumns(k / packs, k % packs * kPack);
    }
  }

 private:
  CANDSAMP_DEVICE void SumColumns(int64_t window, int64_t d) const {
    const IdGroups& groups = sums.groups;
    const int64_t begin = window * sums.window, end = Least(begin + sums.window, groups.size);
    int64_t group = groups.GroupOf(begin), group_end = groups.starts[group + 1];
    A sum[kPack] = {};
    for (int64_t first = begin; first < end; first += kBatch) {
      Pack<Source, kPack> rows[kBatch];
      A weights[kBatch];
      CANDSAMP_UNROLL
      for (int j = 0; j < kBatch; ++j) {
        weights[j] = A(0);
        const Source* const row =
            first + j < end ? sums.entries.At(groups.order[first + j], &weights[j]) : nullptr;
        rows[j] = row == nullptr ? Pack<Source, kPack>{} : Pack<Source, kPack>::Load(row + d);
      }
      CANDSAMP_UNROLL
      for (int j = 0; j < kBatch; ++j) {
        if (first + j >= end) break;
        CANDSAMP_UNROLL
        for (int v = 0; v < kPack; ++v) {
          sum[v] = MulAdd(weights[j], Widen(rows[j].values[v]), sum[v]);
        }
        if (first + j + 1 < group_end) continue;
        Finish(window, begin, group, d, sum);
        ++group;
        if (first + j + 1 < end) group_end = groups.starts[group + 1];
        CANDSAMP_UNROLL
        for (int v = 0; v < kPack; ++v) sum[v] = A(0);
      }
    }
    if (group_end > end) Keep(window, begin, group, d, sum);
  }

  CANDSAMP_DEVICE void Finish(int64_t window, int64_t begin, int64_t group, int64_t d,
                              const A* sum) const {
    if (sums.groups.starts[group] >= begin) {
      sums.sink.template Write<kPack>(group, d, sum);
    } else {
      Keep(window, begin, group, d, sum);
    }
  }

  CANDSAMP_DEVICE void Keep(int64_t window, int64_t begin, int64_t group, int64_t d,
                            const A* sum) const {
    A* const out = sums.Partial(window, sums.groups.starts[group] >= begin) + d;
    CANDSAMP_UNROLL
    for (int v = 0; v < kPack; ++v) out[v] = sum[v];
  }
};

// Adds `count` values, `apart` from each other, to a sum, in order.
template <typename A>
CANDSAMP_DEVICE A SumPartials(const A* values, int64_t count, int64_t apart, A sum) {
  constexpr int kBatch = 8;  // on their way at a time
  for (int64_t first = 0; first < count; first += kBatch) {
    A batch[kBatch];
    CANDSAMP_UNROLL
    for (int j = 0; j < kBatch; ++j) {
      batch[j] = first + j < count ? values[(first + j) * apart] : A(0);
    }
    CANDSAMP_UNROLL
    for (int j = 0; j < kBatch; ++j) sum += batch[j];
  }
  return sum;
}

template <typename Source, typename Entries, typename Sink>
struct SumSupersKernel {
  GroupSums<Source, Entries, Sink> sums;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    using Sums = GroupSums<Source, Entries, Sink>;
    using A = typename Sums::A;
    const int64_t parts = (sums.depth + block.lanes() - 1) / block.lanes();
    const int64_t items = sums.Windows() / Sums::kSuper * parts;
    for (int64_t k = GridLaneGroup(block); k < items; k += GridLaneGroups(block)) {
      const int64_t s = k / parts, d = k % parts * block.lanes() + block.lane();
      if (d >= sums.depth || !sums.IsFilled(s)) continue;
      sums.supers[s * sums.depth + d] = SumPartials(sums.Partial(s * Sums::kSuper, false) + d,
                                                    Sums::kSuper, 2 * sums.depth, A(0));
    }
  }
};

// For each group that began in a window and went on after it.
template <typename Source, typename Entries, typename Sink>
struct MergeWindowsKernel {
  using Sums = GroupSums<Source, Entries, Sink>;
  using A = typename Sums::A;

  Sums sums;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const IdGroups& groups = sums.groups;
    const int64_t parts = (sums.depth + block.lanes() - 1) / block.lanes();
    const int64_t items = sums.Windows() * parts;
    for (int64_t k = GridLaneGroup(block); k < items; k += GridLaneGroups(block)) {
      const int64_t window = k / parts, next = (window + 1) * sums.window;
      if (next >= groups.size || groups.Begins(next)) continue;
      const int64_t group = groups.GroupOf(next);
      if (groups.starts[group] < window * sums.window) continue;
      const int64_t d = k % parts * block.lanes() + block.lane();
      if (d >= sums.depth) continue;
      const int64_t last = (groups.starts[group + 1] - 1) / sums.window;
      const A sum = Sum(window, last, d);
      sums.sink.template Write<1>(group, d, &sum);
    }
  }

 private:
  // Of the windows from `window`, in which the group began, to `last`.
  CANDSAMP_DEVICE A Sum(int64_t window, int64_t last, int64_t d) const {
    constexpr int64_t kSuper = Sums::kSuper;
    const A own = sums.Partial(window, true)[d];
    const int64_t from = (window + kSuper) / kSuper, to = (last + 1) / kSuper;  // filled supers
    // The last window may hold other groups as well: IsFilled says whether the last super counts.
    const int64_t filled = to > from && !sums.IsFilled(to - 1) ? to - 1 : to;
    const auto windows = [&](int64_t begin, int64_t end, A sum) {
      return SumPartials(sums.Partial(begin, false) + d, end - begin, 2 * sums.depth, sum);
    };
    if (filled <= from) return windows(window + 1, last + 1, own);
    A sum = windows(window + 1, from * kSuper, own);
    sum = SumPartials(sums.supers + from * sums.depth + d, filled - from, sums.depth, sum);
    return windows(filled * kSuper, last + 1, sum);
  }
};

// Sums all groups. `in_packs`: whether rows of sources, and what the sink writes, may be read in
// packs of 16 bytes of Source. Does not wait.
template <typename Source, typename Launcher, typename Entries, typename Sink>
void SumGroups(Launcher& launcher, DeviceRuntime& runtime, const IdGroups& groups,
               const Entries& entries, int64_t depth, bool in_packs, const Sink& sink) {
  if (groups.size == 0 || depth == 0) return;
  GroupSums<Source, Entries, Sink> sums = {groups,  entries, sink, depth, WindowOf(groups.size),
                                           nullptr, nullptr};
  const int64_t windows = sums.Windows(), supers = windows / sums.kSuper;
  sums.partials = runtime.Allocate<Accumulator<Source>>(2 * windows * depth);
  sums.supers = runtime.Allocate<Accumulator<Source>>(supers * depth);
  if (runtime.error() != 0) return;
  if (in_packs) {
    constexpr int kPack = kPackOf<Source>;
    launcher.ForEach(windows * (depth / kPack),
                     SumWindowsKernel<Source, Entries, Sink, kPack>{sums});
  } else {
    launcher.ForEach(windows * depth, SumWindowsKernel<Source, Entries, Sink, 1>{sums});
  }
  const int64_t lanes = launcher.threads() / launcher.lane_groups();
  const int64_t parts = (depth + lanes - 1) / lanes;
  if (supers > 0) {
    launcher.ForEachLaneGroup(supers * parts, SumSupersKernel<Source, Entries, Sink>{sums});
  }
  launcher.ForEachLaneGroup(windows * parts, MergeWindowsKernel<Source, Entries, Sink>{sums});
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_SUM_GROUPS_H_
