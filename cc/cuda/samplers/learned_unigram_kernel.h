// SPDX-License-Identifier: Apache-2.0
// The kernel that adds to the counts of a learned-unigram distribution, and lays out its slots.
//
// The layout is that of LearnedUnigram (cc/lib/samplers/learned_unigram.h) for the same counts:
// both are functions of the counts alone.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_KERNEL_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_KERNEL_H_

#include "cc/cuda/core/team.h"
#include "cc/cuda/samplers/learned_unigram.h"

namespace candsamp {

// A block of threads shares the work of each class that has more slots than this.
constexpr int64_t kHeavySlots = 256;

struct UpdateArguments {
  LearnedCounts learned;
  const int64_t* classes;  // [num_classes]; those out of range are skipped
  int64_t num_classes;
  bool build;     // lay out all slots, whatever the layout was
  int64_t total;  // for `build`: the sum of counts, with one more for each class; -1: as it was
  // The scratch:
  uint64_t* filled;  // [num_classes] the places of slots that become full
  uint64_t* heavy;   // [HeavyClasses] the classes with more than kHeavySlots slots

  // How many classes have more than kHeavySlots slots, at most.
  static CANDSAMP_METHOD int64_t HeavyClasses(int64_t range) { return 2 * range / kHeavySlots + 1; }
  static CANDSAMP_METHOD int64_t ScratchWords(int64_t range, int64_t num_classes) {
    return num_classes + HeavyClasses(range);
  }
};

// An update, which all threads of the grid Run() together:
// 1. Add() counts the classes. Whenever that fills a slot, it inserts the slot into a slot block.
// 2. If the layout still fits, the blocks sort those slot blocks, and the update is done.
// 3. Otherwise Build() lays out all slots: with a larger t, for more slots, or with another salt.
template <typename Block>
class LearnedUnigramUpdate {
 public:
  CANDSAMP_DEVICE LearnedUnigramUpdate(Block& block, const UpdateArguments& arguments)
      : block_(block),
        team_(block, nullptr),
        arguments_(arguments),
        learned_(arguments.learned),
        state_(*arguments.learned.state) {}

  CANDSAMP_DEVICE void Run() {
    Reset();
    if (!arguments_.build) {
      layout_ = {state_.slot_blocks, state_.table.shift, state_.salt};
      Add();
      const int64_t total = state_.total + static_cast<int64_t>(state_.added);
      const int64_t slots = state_.slots + static_cast<int64_t>(state_.filled);
      const bool fits = !HasOutgrown(total - learned_.range, layout_.shift, learned_.range) &&
                        slots <= state_.capacity && !state_.overflowed;
      team_.Sync();
      if (fits) {
        SortFilled();
        if (team_.rank() == 0) {
          state_.total = total;
          state_.slots = slots;
          SetTable();
        }
        return;
      }
      Build(total);
    } else {
      Build(arguments_.total < 0 ? state_.total : arguments_.total);
    }
  }

 private:
  struct Layout {
    SlotBlocks slot_blocks;
    int shift;
    uint64_t salt;
  };

  CANDSAMP_DEVICE void Reset() {
    if (team_.rank() == 0) {
      state_.added = state_.filled = state_.heavy = state_.overflowed = 0;
    }
    team_.Sync();
  }

  // Adds one to each class's count; inserts the slots that become full.
  CANDSAMP_DEVICE void Add() {
    const uint64_t full = (uint64_t{1} << layout_.shift) - 1;
    uint64_t added = 0;
    for (int64_t k = team_.rank(); k < arguments_.num_classes; k += team_.size()) {
      const int64_t id = arguments_.classes[k];
      if (id < 0 || id >= learned_.range) continue;
      ++added;
      const uint64_t count = AtomicAdd(reinterpret_cast<uint64_t*>(&learned_.counts[id]), 1) + 1;
      if (learned_.copy) AtomicAdd(reinterpret_cast<uint64_t*>(&learned_.copy[id]), 1);
      if ((count & full) != 0) continue;
      arguments_.filled[AtomicAdd(&state_.filled, 1)] = Insert(id, (count >> layout_.shift) - 1);
    }
    // Each block makes one atomic addition, instead of each thread.
    uint64_t of_block;
    block_.ExclusiveScan(
        added, uint64_t{0}, [](uint64_t a, uint64_t b) { return a + b; }, &of_block);
    if (block_.thread() == 0) AtomicAdd(&state_.added, of_block);
    team_.Sync();
  }

  // Inserts a slot into its slot block; returns its place.
  CANDSAMP_DEVICE uint64_t Insert(int64_t id, uint64_t slot) {
    const int64_t slot_block =
        BlockOfSlot(static_cast<uint64_t>(id), slot, layout_.salt, layout_.slot_blocks.num_blocks);
    const int64_t place = AtomicIncrement(&learned_.taken[slot_block]);
    const uint64_t at = static_cast<uint64_t>(slot_block * layout_.slot_blocks.places + place);
    if (place < layout_.slot_blocks.places) {
      learned_.places[at] = static_cast<uint32_t>(id);
      // The load spares most threads the atomic operation: few of them raise the maximum.
      const uint64_t taken = static_cast<uint64_t>(place) + 1;
      if (taken > AtomicLoad(&state_.most)) AtomicMax(&state_.most, taken);
    } else {
      AtomicReplace(&state_.overflowed, 0, 1);
    }
    return at;
  }

  // Sorts each slot block that Add() inserted into. Of the slots inserted into it, the one at the
  // last place stands for it, so that it is sorted once.
  CANDSAMP_DEVICE void SortFilled() {
    for (uint64_t k = block_.block(); k < state_.filled; k += block_.blocks()) {
      const int64_t at = static_cast<int64_t>(arguments_.filled[k]);
      const int64_t slot_block = at / layout_.slot_blocks.places;
      if (at % layout_.slot_blocks.places + 1 == learned_.taken[slot_block]) Sort(slot_block);
    }
  }

  // Sorts the classes of a slot block: moves each one to its rank.
  CANDSAMP_DEVICE void Sort(int64_t slot_block) {
    uint32_t* const places = learned_.places + slot_block * layout_.slot_blocks.places;
    uint32_t* const copy = block_.words();
    const int taken = learned_.taken[slot_block] < layout_.slot_blocks.places
                          ? learned_.taken[slot_block]
                          : static_cast<int>(layout_.slot_blocks.places);
    for (int k = block_.thread(); k < taken; k += block_.threads()) copy[k] = places[k];
    block_.Sync();
    for (int k = block_.thread(); k < taken; k += block_.threads()) {
      int rank = 0;
      for (int j = 0; j < taken; ++j) {
        rank += copy[j] < copy[k] || (copy[j] == copy[k] && j < k);
      }
      places[rank] = copy[k];
    }
    block_.Sync();
  }

  // Lays out all slots of the counts. REQUIRES: a barrier since counts changed.
  CANDSAMP_DEVICE void Build(int64_t total) {
    layout_.shift = SlotShift(total - learned_.range, learned_.range);
    Reset();
    uint64_t mine = 0;
    for (int64_t id = team_.rank(); id < learned_.range; id += team_.size()) mine += SlotsOf(id);
    if (mine > 0) AtomicAdd(&state_.filled, mine);
    team_.Sync();
    const int64_t slots = static_cast<int64_t>(state_.filled);
    const int64_t capacity = SlotCapacity(slots, learned_.range);
    layout_.slot_blocks = BlocksFor(capacity);
    layout_.salt = 0;
    while (!Fill() && layout_.salt + 1 < kMostSalts) ++layout_.salt;
    for (int64_t k = block_.block(); k < layout_.slot_blocks.num_blocks; k += block_.blocks())
      Sort(k);
    if (team_.rank() == 0) {
      state_.total = total;
      state_.slots = slots;
      state_.capacity = capacity;
      state_.salt = layout_.salt;
      state_.slot_blocks = layout_.slot_blocks;
      SetTable();
    }
  }

  CANDSAMP_DEVICE void SetTable() {
    state_.table = MakeSlotTable(layout_.slot_blocks, static_cast<int64_t>(state_.most),
                                 layout_.shift, learned_.range, learned_.places, learned_.counts);
  }

  CANDSAMP_DEVICE uint64_t SlotsOf(int64_t id) const {
    return static_cast<uint64_t>(learned_.counts[id]) >> layout_.shift;
  }

  // Inserts all slots; false when a slot block overflows. First each thread inserts the slots of
  // its classes, but for heavy ones. Then the threads of a block share each heavy class.
  CANDSAMP_DEVICE bool Fill() {
    team_.Sync();
    const SlotBlocks& blocks = layout_.slot_blocks;
    for (int64_t k = team_.rank(); k < blocks.num_blocks; k += team_.size()) learned_.taken[k] = 0;
    for (int64_t k = team_.rank(); k < blocks.num_blocks * blocks.places; k += team_.size()) {
      learned_.places[k] = kEmptyPlace;
    }
    if (team_.rank() == 0) state_.most = 0;
    Reset();
    for (int64_t id = team_.rank(); id < learned_.range; id += team_.size()) {
      const uint64_t slots = SlotsOf(id);
      if (slots > kHeavySlots) {
        arguments_.heavy[AtomicAdd(&state_.heavy, 1)] = static_cast<uint64_t>(id);
        continue;
      }
      for (uint64_t slot = 0; slot < slots; ++slot) Insert(id, slot);
    }
    team_.Sync();
    for (uint64_t k = block_.block(); k < state_.heavy; k += block_.blocks()) {
      const int64_t id = static_cast<int64_t>(arguments_.heavy[k]);
      const uint64_t slots = SlotsOf(id);
      for (uint64_t slot = block_.thread(); slot < slots; slot += block_.threads()) {
        Insert(id, slot);
      }
    }
    team_.Sync();
    return state_.overflowed == 0;
  }

  // Adds one; returns the old value.
  CANDSAMP_DEVICE static int64_t AtomicIncrement(uint16_t* at) {
#ifdef __CUDA_ARCH__
    // CUDA adds to the 32 bits that hold these 16. Before the lower half carries into the upper
    // one, its slot block overflows by far, and then all slots are laid out again.
    const uintptr_t address = reinterpret_cast<uintptr_t>(at);
    const unsigned shift = address % 4 * 8;
    return atomicAdd(reinterpret_cast<unsigned*>(address - address % 4), 1u << shift) >> shift &
           0xffff;
#else
    return __atomic_fetch_add(at, 1, __ATOMIC_RELAXED);
#endif
  }

  Block& block_;
  GridTeam<Block> team_;
  const UpdateArguments& arguments_;
  const LearnedCounts learned_;
  SlotState& state_;
  Layout layout_;
};

struct UpdateLearnedUnigramKernel {
  UpdateArguments arguments;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    LearnedUnigramUpdate<Block>(block, arguments).Run();
  }
};

template <typename Launcher>
LaunchPlan PlanAddOn(Launcher launcher, int64_t range, int64_t num_classes) {
  // As many blocks as have a class each thread to add, or 16 classes to lay out.
  const int64_t wanted = Most(num_classes / launcher.threads(), range / (16 * launcher.threads()));
  return launcher.template Plan<UpdateLearnedUnigramKernel>(
      wanted, [&](int) { return UpdateArguments::ScratchWords(range, num_classes); });
}

template <typename Launcher>
int LaunchUpdateOn(Launcher launcher, const LaunchPlan& plan, UpdateArguments arguments,
                   void* scratch) {
  arguments.filled = static_cast<uint64_t*>(scratch);
  arguments.heavy = arguments.filled + arguments.num_classes;
  launcher.Together(plan.blocks, UpdateLearnedUnigramKernel{arguments});
  return launcher.error();
}

template <typename Launcher>
int LaunchAddOn(Launcher launcher, const LaunchPlan& plan, const LearnedCounts& learned,
                const int64_t* classes, int64_t num_classes, void* scratch) {
  return LaunchUpdateOn(launcher, plan, {learned, classes, num_classes, false, 0, nullptr, nullptr},
                        scratch);
}

template <typename Launcher>
int LaunchBuildOn(Launcher launcher, const LaunchPlan& plan, const LearnedCounts& learned,
                  int64_t total, void* scratch) {
  return LaunchUpdateOn(launcher, plan, {learned, nullptr, 0, true, total, nullptr, nullptr},
                        scratch);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_KERNEL_H_
