// SPDX-License-Identifier: Apache-2.0
// Teams of threads that work together, and the kernels and launchers around them.
//
// From small to large:
// - A kernel is a value with operator()(Block&). Each thread of a launch calls it once.
// - A block is threads() threads that share words(), which are kSharedWords of memory, or as many
// as
//   the kernel's own kSharedWords says. Sync() waits for all threads of the block.
// - Lanes are a block's smallest groups: lanes() consecutive threads, of which lane() is this one
// in
//   lane group lane_group() of lane_groups(). All lanes of a group make the same calls of
//   SumOfLanes(value) and LargestOfLanes(value), which give all of them the same bits, and of
//   SyncLanes(), after which plain writes of one are visible to the others. SumOfLanes(value,
//   least, most) sums over the lanes whose numbers differ from this one's by bits from least to
//   below most alone, which are powers of two. On a device they are a warp. There kLeastLanes is
//   32, so that an array of so many parts is in registers. A block has at most kMostLaneGroups.
// - The grid is the blocks() blocks of one launch. SyncGrid() waits for all threads of the grid.
//   Only kernels that Together launched may call it: the device then runs all blocks at once. The
//   blocks of ForEach may run one after another, so none of them may wait for another.
// - A team is a block (BlockTeam) or the grid (GridTeam). It has rank() and size(), a barrier
//   Sync(), and ExclusiveScan. All threads of the team make the same calls of the last two.
//
// Plain writes are visible to the other threads of a team after its Sync(). Between two barriers,
// threads share memory by the atomic operations of device.h alone.
//
// A launcher runs kernels one after the other:
// - ForEach(items, kernel) is for kernels whose threads work alone, each on its share of the items.
//   ForEachLaneGroup and ForEachBlock are for those whose lane groups, or blocks, do.
// - Together(blocks, kernel) is for kernels that use SyncGrid.
// - Plan<Kernel>(wanted_blocks, scratch_words) returns the LaunchPlan of as many blocks as are
//   wanted and run at once; scratch_words(blocks) is the scratch they need, in words of 8 bytes.
// - SortPairs(memory, bytes, keys, sorted_keys, values, sorted_values, count, bits) is a stable
// sort
//   by the lowest bits of the keys, and ExclusiveSum(memory, bytes, values, count) works in place.
//   Where `memory` is null they only write to *bytes how much they need.
// - NumbersToHostAndWait(to, from, bytes, meanwhile) copies at most 64 bytes, and waits for them;
//   before it waits it calls meanwhile(), which may launch more.
// - threads() and lane_groups() are the numbers of those of a block, Clear(memory, bytes) writes
//   zeros, and error() is the first error, or 0.
// - A Launcher::Side side(launcher) has a launcher() of its own, whose kernels may run at the same
//   time. Those it launches after Fork() run after what the first launcher launched before that.
//   What the first one launches after Join(), which the destructor calls, runs after what the side
//   launched before that; after JoinMark(), after what the side launched before Mark(). There is
//   one side at a time.
//
// There are two kinds of block and of launcher: CudaBlock and CudaLauncher for a device, and the
// tests' HostBlock and HostLauncher for real threads of the host. So kernels and their launches are
// written once for the device and the tests.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_TEAM_H_
#define TF_CANDSAMP_CC_CUDA_CORE_TEAM_H_

#include "cc/cuda/core/device.h"

namespace candsamp {

constexpr int kSharedWords = 1024;
constexpr int kMostLaneGroups = 8;

// How many words the blocks of a kernel share.
template <typename Kernel, typename = void>
struct SharedWordsOf {
  static constexpr int value = kSharedWords;
};
template <typename Kernel>
struct SharedWordsOf<Kernel, decltype(static_cast<void>(Kernel::kSharedWords))> {
  static constexpr int value = Kernel::kSharedWords;
};

// How many blocks of a kernel a processor shall run at once, which bounds their registers; 0: the
// compiler chooses.
template <typename Kernel, typename = void>
struct LeastBlocksOf {
  static constexpr int value = 0;
};
template <typename Kernel>
struct LeastBlocksOf<Kernel, decltype(static_cast<void>(Kernel::kLeastBlocks))> {
  static constexpr int value = Kernel::kLeastBlocks;
};

// GridTeam's scans keep two partial results for each block.
constexpr int64_t kPartialBytes = 64;
constexpr int64_t kPartialWords = 2 * kPartialBytes / 8;

template <typename Block>
CANDSAMP_DEVICE int64_t GridRank(const Block& block) {
  return static_cast<int64_t>(block.block()) * block.threads() + block.thread();
}
template <typename Block>
CANDSAMP_DEVICE int64_t GridSize(const Block& block) {
  return static_cast<int64_t>(block.blocks()) * block.threads();
}

// The number of this lane group among those of all blocks, and how many there are.
template <typename Block>
CANDSAMP_DEVICE int64_t GridLaneGroup(const Block& block) {
  return static_cast<int64_t>(block.block()) * block.lane_groups() + block.lane_group();
}
template <typename Block>
CANDSAMP_DEVICE int64_t GridLaneGroups(const Block& block) {
  return static_cast<int64_t>(block.blocks()) * block.lane_groups();
}

// For scans of numbers.
struct AddNumbers {
  CANDSAMP_DEVICE int64_t operator()(int64_t a, int64_t b) const { return a + b; }
};

template <typename Block>
class BlockTeam {
 public:
  CANDSAMP_DEVICE explicit BlockTeam(Block& block) : block_(block) {}

  CANDSAMP_DEVICE int64_t rank() const { return block_.thread(); }
  CANDSAMP_DEVICE int64_t size() const { return block_.threads(); }
  CANDSAMP_DEVICE void Sync() { block_.Sync(); }

  template <typename T, typename Op>
  CANDSAMP_DEVICE T ExclusiveScan(T value, T identity, Op op, T* total) {
    return block_.ExclusiveScan(value, identity, op, total);
  }

 private:
  Block& block_;
};

template <typename Block>
class GridTeam {
 public:
  // REQUIRES: `partials` are kPartialWords words for each block.
  CANDSAMP_DEVICE GridTeam(Block& block, uint64_t* partials)
      : block_(block), partials_(reinterpret_cast<char*>(partials)) {}

  CANDSAMP_DEVICE int64_t rank() const { return GridRank(block_); }
  CANDSAMP_DEVICE int64_t size() const { return GridSize(block_); }
  CANDSAMP_DEVICE void Sync() { block_.SyncGrid(); }

  // 1. Each block scans its values, and publishes its total.
  // 2. Each block scans the totals of all blocks, a few of them on each thread.
  // 3. The thread that scanned its own block's total shares what comes before it with the block.
  template <typename T, typename Op>
  CANDSAMP_DEVICE T ExclusiveScan(T value, T identity, Op op, T* total) {
    static_assert(sizeof(T) <= kPartialBytes && sizeof(T) <= kSharedWords * sizeof(uint32_t), "");
    T* const partials = reinterpret_cast<T*>(partials_ + flip_ * kPartialBytes * block_.blocks());
    flip_ = 1 - flip_;  // the next scan may begin while other blocks still read these partials
    T of_block;
    const T within = block_.ExclusiveScan(value, identity, op, &of_block);
    if (block_.thread() == 0) partials[block_.block()] = of_block;
    block_.SyncGrid();
    const int each = (block_.blocks() + block_.threads() - 1) / block_.threads();
    const int begin = static_cast<int>(Least(block_.thread() * each, block_.blocks()));
    const int end = static_cast<int>(Least(begin + each, block_.blocks()));
    T mine = identity;
    for (int k = begin; k < end; ++k) mine = op(mine, partials[k]);
    T before = block_.ExclusiveScan(mine, identity, op, total);
    T* const shared = reinterpret_cast<T*>(block_.words());
    if (begin <= block_.block() && block_.block() < end) {
      for (int k = begin; k < block_.block(); ++k) before = op(before, partials[k]);
      *shared = before;
    }
    block_.Sync();
    const T before_block = *shared;
    block_.Sync();
    return op(before_block, within);
  }

 private:
  Block& block_;
  char* partials_;
  int flip_ = 0;
};

// Sorts in ascending order. It is a bitonic sort in which every comparison puts the smaller value
// first, so that any count will do: values beyond the end would stay there.
template <typename Team, typename T, typename Less>
CANDSAMP_DEVICE void TeamSort(Team& team, T* values, int64_t count, Less less) {
  const auto order = [&](int64_t low, int64_t high) {
    if (high >= count || !less(values[high], values[low])) return;
    const T value = values[low];
    values[low] = values[high];
    values[high] = value;
  };
  for (int64_t sorted = 1; sorted < count; sorted *= 2) {
    const int64_t pairs = (count + 2 * sorted - 1) / (2 * sorted) * sorted;
    for (int64_t pair = team.rank(); pair < pairs; pair += team.size()) {
      const int64_t begin = pair / sorted * 2 * sorted, offset = pair % sorted;
      order(begin + offset, begin + 2 * sorted - 1 - offset);
    }
    team.Sync();
    for (int64_t apart = sorted / 2; apart > 0; apart /= 2) {
      for (int64_t pair = team.rank(); pair < pairs; pair += team.size()) {
        const int64_t low = pair / apart * 2 * apart + pair % apart;
        order(low, low + apart);
      }
      team.Sync();
    }
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_TEAM_H_
