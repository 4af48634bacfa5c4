// Teams of threads that work together: a block, or all blocks of a grid.
//
// A kernel is a value with operator()(Block&), which each thread calls. A launcher has
// ForEach(items, kernel), for kernels whose threads work alone, each on its share of the items, and
// Together(blocks, kernel), for those that use SyncGrid. It runs one after the other. So what is
// launched, too, is written once for the device and the tests.
//
// A team has rank() and size(), a barrier Sync(), and ExclusiveScan, which all its threads call.
// Both kinds are made of a block, of which there are two: CudaBlock on a device, and the tests'
// HostBlock of real threads. A block has thread(), threads(), block(), blocks(); the barriers
// Sync() and, for all blocks, SyncGrid(); ExclusiveScan over its threads; and words(), kSharedWords
// of memory that its threads share.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_TEAM_H_
#define TF_CANDSAMP_CC_CUDA_CORE_TEAM_H_

#include "cc/cuda/core/device.h"

namespace candsamp {

constexpr int kSharedWords = 1024;

// What a grid's scan keeps for each block: two partial results.
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
  // REQUIRES: kPartialWords of memory for each block.
  CANDSAMP_DEVICE GridTeam(Block& block, uint64_t* partials)
      : block_(block), partials_(reinterpret_cast<char*>(partials)) {}

  CANDSAMP_DEVICE int64_t rank() const { return GridRank(block_); }
  CANDSAMP_DEVICE int64_t size() const { return GridSize(block_); }
  CANDSAMP_DEVICE void Sync() { block_.SyncGrid(); }

  // Scans within blocks; every block then scans the totals of all.
  template <typename T, typename Op>
  CANDSAMP_DEVICE T ExclusiveScan(T value, T identity, Op op, T* total) {
    static_assert(sizeof(T) <= kPartialBytes && sizeof(T) <= kSharedWords * sizeof(uint32_t), "");
    T* const partials = reinterpret_cast<T*>(partials_ + flip_ * kPartialBytes * block_.blocks());
    flip_ = 1 - flip_;  // the next scan may begin while others still read this one's
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

// Sorts in ascending order: a bitonic sort in which every comparison puts the smaller value first,
// so that values beyond the end need not be there.
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
