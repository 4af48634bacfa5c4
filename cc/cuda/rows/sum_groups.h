// SPDX-License-Identifier: Apache-2.0
// Sums weighted rows group by group: gradients of the rows of classes, from all their occurrences.
//
// The sorted occurrences are cut into windows of one length, so that a class that occurs a million
// times is shared out among as many lane groups as the rest.
//  1. A thread sums a pack of columns of the rows of a window, in order, and hands on each group
//  that
//     lies in it. Of a group that does not, it writes a partial sum.
//  2. A block looks for groups that go on behind the windows of its threads. A lane group sums the
//     few partial sums of one. Of many, each lane group sums a range of consecutive ones, and then
//     one of them those sums, in order.
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

// For each group that began in a window and went on after it.
template <typename Source, typename Entries, typename Sink>
struct MergeWindowsKernel {
  using Sums = GroupSums<Source, Entries, Sink>;
  using A = typename Sums::A;
  static constexpr int64_t kFew = 16;  // partial sums

  Sums sums;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    int32_t* const found = reinterpret_cast<int32_t*>(block.words());
    A* const shared = reinterpret_cast<A*>(block.words() + (block.threads() + 3) / 4 * 4);
    const int64_t windows = sums.Windows(), each = block.threads();
    for (int64_t first = block.block() * each; first < windows; first += block.blocks() * each) {
      const int64_t mine = first + block.thread();
      const int goes_on = mine < windows && GoesOn(mine);
      int count;
      const int at = block.ExclusiveScan(goes_on, 0, [](int a, int b) { return a + b; }, &count);
      if (goes_on) found[at] = static_cast<int32_t>(mine - first);
      block.Sync();
      for (int k = block.lane_group(); k < count; k += block.lane_groups()) {
        const int64_t window = first + found[k], partials = Partials(window);
        if (partials > kFew) continue;
        for (int64_t d = block.lane(); d < sums.depth; d += block.lanes()) {
          const A sum = Sum(window, 0, partials, d);
          sums.sink.template Write<1>(GroupOf(window), d, &sum);
        }
      }
      for (int k = 0; k < count; ++k) {
        const int64_t window = first + found[k], partials = Partials(window);
        if (partials > kFew) SumMany(block, window, partials, shared);
      }
      block.Sync();
    }
  }

  static constexpr int kSharedWords = 256 + kMostLaneGroups * 32 * sizeof(A) / 4;

 private:
  // Whether a group began in the window and goes on in the next one.
  CANDSAMP_DEVICE bool GoesOn(int64_t window) const {
    const int64_t next = (window + 1) * sums.window;
    return next < sums.groups.size && !sums.groups.Begins(next) &&
           sums.groups.starts[GroupOf(window)] >= window * sums.window;
  }
  CANDSAMP_DEVICE int64_t GroupOf(int64_t window) const {
    return sums.groups.GroupOf((window + 1) * sums.window);
  }
  CANDSAMP_DEVICE int64_t Partials(int64_t window) const {
    return (sums.groups.starts[GroupOf(window) + 1] - 1) / sums.window - window + 1;
  }
  CANDSAMP_DEVICE A Sum(int64_t window, int64_t begin, int64_t end, int64_t d) const {
    A sum = A(0);
    for (int64_t p = begin; p < end; ++p) sum += sums.Partial(window + p, p == 0)[d];
    return sum;
  }

  template <typename Block>
  CANDSAMP_DEVICE void SumMany(Block& block, int64_t window, int64_t partials, A* shared) const {
    const int64_t each = (partials + block.lane_groups() - 1) / block.lane_groups();
    const int64_t begin = block.lane_group() * each;
    for (int64_t first = 0; first < sums.depth; first += block.lanes()) {
      const int64_t d = first + block.lane();
      if (d < sums.depth) {
        shared[block.thread()] = Sum(window, begin, Least(begin + each, partials), d);
      }
      block.Sync();
      if (block.lane_group() == 0 && d < sums.depth) {
        A total = A(0);
        for (int g = 0; g < block.lane_groups(); ++g) {
          total += shared[g * block.lanes() + block.lane()];
        }
        sums.sink.template Write<1>(GroupOf(window), d, &total);
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
  GroupSums<Source, Entries, Sink> sums = {groups, entries, sink, depth, WindowOf(groups.size),
                                           nullptr};
  const int64_t windows = sums.Windows();
  sums.partials = runtime.Allocate<Accumulator<Source>>(2 * windows * depth);
  if (runtime.error() != 0) return;
  if (in_packs) {
    constexpr int kPack = kPackOf<Source>;
    launcher.ForEach(windows * (depth / kPack),
                     SumWindowsKernel<Source, Entries, Sink, kPack>{sums});
  } else {
    launcher.ForEach(windows * depth, SumWindowsKernel<Source, Entries, Sink, 1>{sums});
  }
  launcher.ForEach(windows, MergeWindowsKernel<Source, Entries, Sink>{sums});
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_SUM_GROUPS_H_
