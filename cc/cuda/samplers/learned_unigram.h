// The kernel that counts classes for a learned-unigram distribution, and keeps its table of slots.
//
// The table is the one that LearnedUnigram (cc/lib/learned_unigram.h) makes of the same counts:
// both are functions of the counts alone.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_H_

#include "cc/cuda/core/team.h"
#include "cc/cuda/samplers/distributions.h"

namespace candsamp {

// A learned-unigram distribution in the device's memory.
struct LearnedCounts {
  int64_t range;
  int64_t* counts;          // [range]
  SlotState* state;         // what is not an input of the first Count
  uint32_t* places;         // for the table's blocks
  uint16_t* taken;          // of each of them, in whole words of 4 bytes
  int64_t* copy = nullptr;  // [range], where classes are counted, too; may be null
};

// Classes of more slots are spread over a block of threads.
constexpr int64_t kHeavySlots = 256;

struct CountArguments {
  LearnedCounts learned;
  const int64_t* classes;  // [count]; those out of range are not counted
  int64_t count;
  bool build;        // make the table, whatever there is
  int64_t total;     // of counts and one for each, for building; -1: as it was
  uint64_t* filled;  // [count]
  uint64_t* heavy;   // [HeavyClasses]

  // How many classes have more than kHeavySlots slots, at most.
  static CANDSAMP_METHOD int64_t HeavyClasses(int64_t range) { return 2 * range / kHeavySlots + 1; }
};

template <typename Block>
class Counting {
 public:
  CANDSAMP_DEVICE Counting(Block& block, const CountArguments& arguments)
      : block_(block),
        team_(block, nullptr),
        arguments_(arguments),
        learned_(arguments.learned),
        state_(*arguments.learned.state) {}

  CANDSAMP_DEVICE void Run() {
    Reset();
    if (!arguments_.build) {
      layout_ = {state_.blocks, state_.table.shift, state_.salt};
      Count();
      const int64_t total = state_.total + static_cast<int64_t>(state_.counted);
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
    SlotBlocks blocks;
    int shift;
    uint64_t salt;
  };

  CANDSAMP_DEVICE void Reset() {
    if (team_.rank() == 0) {
      state_.counted = state_.filled = state_.heavy = state_.overflowed = 0;
    }
    team_.Sync();
  }

  // Adds one to each class; puts the slots that become full behind those that are there.
  CANDSAMP_DEVICE void Count() {
    const uint64_t full = (uint64_t{1} << layout_.shift) - 1;
    uint64_t counted = 0;
    for (int64_t k = team_.rank(); k < arguments_.count; k += team_.size()) {
      const int64_t id = arguments_.classes[k];
      if (id < 0 || id >= learned_.range) continue;
      ++counted;
      const uint64_t count = AtomicAdd(reinterpret_cast<uint64_t*>(&learned_.counts[id]), 1) + 1;
      if (learned_.copy) AtomicAdd(reinterpret_cast<uint64_t*>(&learned_.copy[id]), 1);
      if ((count & full) != 0) continue;
      arguments_.filled[AtomicAdd(&state_.filled, 1)] = Put(id, (count >> layout_.shift) - 1);
    }
    // One addition for each block, not for each thread.
    uint64_t of_block;
    block_.ExclusiveScan(
        counted, uint64_t{0}, [](uint64_t a, uint64_t b) { return a + b; }, &of_block);
    if (block_.thread() == 0) AtomicAdd(&state_.counted, of_block);
    team_.Sync();
  }

  // Puts a slot into its block; returns where.
  CANDSAMP_DEVICE uint64_t Put(int64_t id, uint64_t slot) {
    const int64_t block =
        BlockOfSlot(static_cast<uint64_t>(id), slot, layout_.salt, layout_.blocks.count);
    const int64_t place = AtomicIncrement(&learned_.taken[block]);
    const uint64_t at = static_cast<uint64_t>(block * layout_.blocks.places + place);
    if (place < layout_.blocks.places) {
      learned_.places[at] = static_cast<uint32_t>(id);
      // Few are the most so far: the others write nothing.
      const uint64_t taken = static_cast<uint64_t>(place) + 1;
      if (taken > AtomicLoad(&state_.most)) AtomicMax(&state_.most, taken);
    } else {
      AtomicReplace(&state_.overflowed, 0, 1);
    }
    return at;
  }

  // Sorts the blocks that slots were put into, each once: for the last slot.
  CANDSAMP_DEVICE void SortFilled() {
    for (uint64_t k = block_.block(); k < state_.filled; k += block_.blocks()) {
      const int64_t at = static_cast<int64_t>(arguments_.filled[k]);
      const int64_t block = at / layout_.blocks.places;
      if (at % layout_.blocks.places + 1 == learned_.taken[block]) SortBlock(block);
    }
  }

  // Each place's class goes to its rank.
  CANDSAMP_DEVICE void SortBlock(int64_t block) {
    uint32_t* const places = learned_.places + block * layout_.blocks.places;
    uint32_t* const copy = block_.words();
    const int taken = learned_.taken[block] < layout_.blocks.places
                          ? learned_.taken[block]
                          : static_cast<int>(layout_.blocks.places);
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

  // Makes the table of the counts. REQUIRES: a barrier since counts changed.
  CANDSAMP_DEVICE void Build(int64_t total) {
    layout_.shift = SlotShift(total - learned_.range, learned_.range);
    Reset();
    uint64_t mine = 0;
    for (int64_t id = team_.rank(); id < learned_.range; id += team_.size()) mine += SlotsOf(id);
    if (mine > 0) AtomicAdd(&state_.filled, mine);
    team_.Sync();
    const int64_t slots = static_cast<int64_t>(state_.filled);
    const int64_t capacity = SlotCapacity(slots, learned_.range);
    layout_.blocks = BlocksFor(capacity);
    layout_.salt = 0;
    while (!Fill() && layout_.salt + 1 < kMostSalts) ++layout_.salt;
    for (int64_t block = block_.block(); block < layout_.blocks.count; block += block_.blocks()) {
      SortBlock(block);
    }
    if (team_.rank() == 0) {
      state_.total = total;
      state_.slots = slots;
      state_.capacity = capacity;
      state_.salt = layout_.salt;
      state_.blocks = layout_.blocks;
      SetTable();
    }
  }

  CANDSAMP_DEVICE void SetTable() {
    state_.table = MakeSlotTable(layout_.blocks, static_cast<int64_t>(state_.most), layout_.shift,
                                 learned_.range, learned_.places, learned_.counts);
  }

  CANDSAMP_DEVICE uint64_t SlotsOf(int64_t id) const {
    return static_cast<uint64_t>(learned_.counts[id]) >> layout_.shift;
  }

  // Puts all slots; false when a block is full.
  CANDSAMP_DEVICE bool Fill() {
    team_.Sync();
    const SlotBlocks& blocks = layout_.blocks;
    for (int64_t k = team_.rank(); k < blocks.count; k += team_.size()) learned_.taken[k] = 0;
    for (int64_t k = team_.rank(); k < blocks.count * blocks.places; k += team_.size()) {
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
      for (uint64_t slot = 0; slot < slots; ++slot) Put(id, slot);
    }
    team_.Sync();
    for (uint64_t k = block_.block(); k < state_.heavy; k += block_.blocks()) {
      const int64_t id = static_cast<int64_t>(arguments_.heavy[k]);
      const uint64_t slots = SlotsOf(id);
      for (uint64_t slot = block_.thread(); slot < slots; slot += block_.threads()) Put(id, slot);
    }
    team_.Sync();
    return state_.overflowed == 0;
  }

  // One more; returns how many there were.
  CANDSAMP_DEVICE static int64_t AtomicIncrement(uint16_t* at) {
#ifdef __CUDA_ARCH__
    // Of the 32 bits that hold it. Where the lower half carries into the upper one, the block has
    // overflowed long before, and all slots are laid out anew.
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
  const CountArguments& arguments_;
  const LearnedCounts learned_;
  SlotState& state_;
  Layout layout_;
};

struct CountClasses {
  CountArguments arguments;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    Counting<Block>(block, arguments).Run();
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_H_
