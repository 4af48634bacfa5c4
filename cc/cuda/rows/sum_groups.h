// SPDX-License-Identifier: Apache-2.0
// Sums weighted rows group by group: gradients of the rows of classes, from all their occurrences.
//
// The sorted occurrences are cut into windows of one length, so that a class that occurs a million
// times is shared out among as many lane groups as the rest.
//  1. A lane group sums some columns of the rows of a window, in order, and hands on each group that
//     lies in it. Of a group that does not, it writes a partial sum.
//  2. A block sums the partial sums of each group that began in its window: each lane group a range
//     of consecutive ones, and then those sums, in order.
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
// nullptr for none, and sets its weight. `Sink` takes the sums: Write<kPack>(group, d, sums) those of
// the columns from d to d + kPack.
template <typename Source, typename Entries, typename Sink>
struct GroupSums {
  using A = Accumulator<Source>;

  IdGroups groups;
  Entries entries;
  Sink sink;
  int64_t depth;
  int64_t window;  // its length
  A* partials;     // [windows, 2, depth]: of the group that began before the window, and in it

  CANDSAMP_METHOD int64_t Windows() const { return (groups.size + window - 1) / window; }
  CANDSAMP_METHOD A* Partial(int64_t window, bool began_in_it) const {
    return partials + (2 * window + began_in_it) * depth;
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
    const int64_t width = block.lanes() * kPack;
    const int64_t parts = (sums.depth + width - 1) / width, items = sums.Windows() * parts;
    for (int64_t k = GridLaneGroup(block); k < items; k += GridLaneGroups(block)) {
      const int64_t d = k % parts * width + block.lane() * kPack;
      if (d < sums.depth) SumColumns(k / parts, d);
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
    A* const of_lane_groups = reinterpret_cast<A*>(block.words());
    for (int64_t k = block.block(); k < items; k += block.blocks()) {
      const int64_t w = k / parts, next = (w + 1) * sums.window;  // the first of the next window
      if (next >= groups.size || groups.Begins(next)) continue;
      const int64_t group = groups.GroupOf(next);
      if (groups.starts[group] < w * sums.window) continue;
      const int64_t partials = (groups.starts[group + 1] - 1) / sums.window - w + 1;
      const int64_t each = (partials + block.lane_groups() - 1) / block.lane_groups();
      const int64_t d = k % parts * block.lanes() + block.lane();
      const int64_t first = block.lane_group() * each;
      A sum = A(0);
      if (d < sums.depth) {
        for (int64_t p = first; p < Least(first + each, partials); ++p) {
          sum += sums.Partial(w + p, p == 0)[d];
        }
      }
      of_lane_groups[block.thread()] = sum;
      block.Sync();
      if (block.lane_group() == 0 && d < sums.depth) {
        A total = A(0);
        for (int g = 0; g < block.lane_groups(); ++g) {
          total += of_lane_groups[g * block.lanes() + block.lane()];
        }
        sums.sink.template Write<1>(group, d, &total);
      }
      block.Sync();
    }
  }
};

// Sums all groups. `in_packs`: whether rows of sources, and what the sink writes, may be read in
// packs of 16 bytes of Source. Does not wait.
template <typename Source, typename Launcher, typename Entries, typename Sink>
void SumGroups(Launcher& launcher, DeviceRuntime& runtime, const IdGroups& groups,
               const Entries& entries, int64_t depth, bool in_packs, const Sink& sink) {
  if (groups.size == 0 || depth == 0) return;
  GroupSums<Source, Entries, Sink> sums = {groups,  entries, sink, depth, WindowOf(groups.size),
                                           nullptr};
  const int64_t windows = sums.Windows();
  sums.partials = runtime.Allocate<Accumulator<Source>>(2 * windows * depth);
  if (runtime.error() != 0) return;
  constexpr int kPack = kPackOf<Source>;
  const int64_t width = Most(1, launcher.threads() / launcher.lane_groups());
  const auto parts = [&](int64_t pack) { return (depth + width * pack - 1) / (width * pack); };
  if (in_packs) {
    launcher.ForEachLaneGroup(windows * parts(kPack),
                              SumWindowsKernel<Source, Entries, Sink, kPack>{sums});
  } else {
    launcher.ForEachLaneGroup(windows * parts(1),
                              SumWindowsKernel<Source, Entries, Sink, 1>{sums});
  }
  launcher.ForEachBlock(windows * parts(1), MergeWindowsKernel<Source, Entries, Sink>{sums});
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_SUM_GROUPS_H_
