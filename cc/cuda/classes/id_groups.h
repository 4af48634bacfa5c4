// SPDX-License-Identifier: Apache-2.0
// Groups equal ids, so that what belongs to one class is summed in one place and in one order. Ids
// are sorted, and each run of equal ones is a group.
#ifndef TF_CANDSAMP_CC_CUDA_CLASSES_ID_GROUPS_H_
#define TF_CANDSAMP_CC_CUDA_CLASSES_ID_GROUPS_H_

#include "cc/cuda/core/device_runtime.h"
#include "cc/cuda/core/team.h"

namespace candsamp {

// Groups in ascending order of their ids. All arrays are in the device's memory.
struct IdGroups {
  int64_t size;    // how many positions there are
  int64_t* ids;    // [size] in ascending order
  int64_t* order;  // [size] their positions; those of one id ascend
  int64_t*
      before;  // [size + 1] how many groups begin before each sorted id; the last is their count
  int64_t* starts;  // [size + 1] where each group begins among the sorted ids; one more at the end

  CANDSAMP_METHOD int64_t count() const { return before[size]; }
  CANDSAMP_METHOD bool Begins(int64_t k) const { return k == 0 || ids[k - 1] != ids[k]; }
  // The group of a sorted id.
  CANDSAMP_METHOD int64_t GroupOf(int64_t k) const { return before[k + 1] - 1; }
  CANDSAMP_METHOD int64_t IdOf(int64_t group) const { return ids[starts[group]]; }
};

// How many bits the numbers from 0 to `most` have.
inline int BitsOf(int64_t most) {
  int bits = 1;
  while (bits < 63 && most >> bits != 0) ++bits;
  return bits;
}

// Copies ids from two places, one after the other, and numbers their positions. An id that is not
// in [0, limit) becomes `limit`.
struct ConcatenateIdsKernel {
  const int64_t* first;
  int64_t first_size;
  const int64_t* second;
  int64_t size;  // of both
  int64_t limit;
  int64_t* ids;
  int64_t* positions;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < size; k += GridSize(block)) {
      const int64_t id = k < first_size ? first[k] : second[k - first_size];
      ids[k] = id < 0 || id > limit ? limit : id;
      positions[k] = k;
    }
  }
};

// Finds where groups begin, and numbers them.
struct FindGroupsKernel {
  IdGroups groups;
  uint64_t* partials;  // of the grid's scan

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    GridTeam<Block> team(block, partials);
    const int64_t size = groups.size, each = (size + team.size() - 1) / team.size();
    const int64_t begin = Least(team.rank() * each, size), end = Least(begin + each, size);
    int64_t begins = 0;
    for (int64_t k = begin; k < end; ++k) begins += groups.Begins(k);
    int64_t all;
    int64_t group = team.ExclusiveScan(begins, int64_t{0}, AddNumbers(), &all);
    for (int64_t k = begin; k < end; ++k) {
      groups.before[k] = group;
      if (groups.Begins(k)) groups.starts[group++] = k;
    }
    if (team.rank() != 0) return;
    groups.before[size] = all;
    groups.starts[all] = size;
  }
};

// Groups first[0 .. first_size), followed by second[0 .. second_size). Ids that are not in
// [0, limit) are one group, the last, of id `limit`. Does not wait.
template <typename Launcher>
IdGroups GroupIds(Launcher& launcher, DeviceRuntime& runtime, const int64_t* first,
                  int64_t first_size, const int64_t* second, int64_t second_size, int64_t limit) {
  IdGroups groups;
  groups.size = first_size + second_size;
  const int64_t size = groups.size;
  const int bits = BitsOf(limit);
  size_t sort_bytes = 0;
  launcher.SortPairs(nullptr, &sort_bytes, nullptr, nullptr, nullptr, nullptr, size, bits);
  const LaunchPlan plan =
      launcher.template Plan<FindGroupsKernel>((size + launcher.threads() - 1) / launcher.threads(),
                                               [](int blocks) { return kPartialWords * blocks; });
  int64_t* const unsorted = runtime.Allocate<int64_t>(size);
  int64_t* const positions = runtime.Allocate<int64_t>(size);
  char* const memory = runtime.Allocate<char>(sort_bytes);
  char* const partials = runtime.Allocate<char>(plan.scratch_bytes);
  groups.ids = runtime.Allocate<int64_t>(size);
  groups.order = runtime.Allocate<int64_t>(size);
  groups.before = runtime.Allocate<int64_t>(size + 1);
  groups.starts = runtime.Allocate<int64_t>(size + 1);
  if (runtime.error() != 0) return groups;
  launcher.ForEach(
      size, ConcatenateIdsKernel{first, first_size, second, size, limit, unsorted, positions});
  launcher.SortPairs(memory, &sort_bytes, unsorted, groups.ids, positions, groups.order, size,
                     bits);
  launcher.Together(plan.blocks, FindGroupsKernel{groups, reinterpret_cast<uint64_t*>(partials)});
  return groups;
}

struct WriteGroupIdsKernel {
  IdGroups groups;
  int64_t* ids;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t count = groups.count();
    for (int64_t g = GridRank(block); g < count; g += GridSize(block)) ids[g] = groups.IdOf(g);
  }
};

// Writes the ids of all groups, in ascending order.
template <typename Launcher>
void WriteGroupIds(Launcher& launcher, const IdGroups& groups, int64_t* ids) {
  launcher.ForEach(groups.size, WriteGroupIdsKernel{groups, ids});
}

struct WriteRanksKernel {
  IdGroups groups;
  int64_t* ranks;  // [size] of each position, the number of its group

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < groups.size; k += GridSize(block)) {
      ranks[groups.order[k]] = groups.GroupOf(k);
    }
  }
};

// Groups ids, and waits for the number of distinct ones.
template <typename Launcher>
int GroupRowsOn(Launcher launcher, DeviceRuntime& runtime, const int64_t* ids, int64_t count,
                int64_t limit, IdGroups* groups, int64_t* distinct) {
  *groups = GroupIds(launcher, runtime, ids, count, nullptr, 0, limit);
  if (runtime.error() != 0) return runtime.error();
  launcher.NumbersToHostAndWait(distinct, groups->before + count, sizeof *distinct);
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CLASSES_ID_GROUPS_H_
