// SPDX-License-Identifier: Apache-2.0
// A distribution of counts that grow, on a device: its View, its memory, and the launches that
// update it. See distribution.h for what a View is, and cc/lib/samplers/learned_unigram.h for the
// algorithm.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_H_

#include "cc/cuda/core/launch.h"
#include "cc/cuda/samplers/distribution.h"
#include "cc/lib/sampler_math/slot_table.h"

namespace candsamp {

// The layout of the slots. It depends on the counts, so the device alone knows it.
struct SlotState {
  int64_t total;     // the sum of counts, with one more for each class
  int64_t slots;     // full ones
  int64_t capacity;  // how many slots slot_blocks are made for
  uint64_t salt;
  SlotBlocks slot_blocks;
  uint64_t most;  // the places taken of the fullest slot block
  SlotTable table;
  // Of the update that is running:
  uint64_t added;       // how many classes were in range
  uint64_t filled;      // how many slots became full
  uint64_t heavy;       // how many classes have many slots
  uint64_t overflowed;  // 1 where a slot block lacked a place
};

struct LearnedUnigramView {
  static constexpr bool kRejects = false;

  LearnedUnigramView(int64_t range, const int64_t* counts, const SlotState* state)
      : range(range), counts(counts), state(state) {}

  CANDSAMP_METHOD int64_t support() const { return range; }
  CANDSAMP_DEVICE PhiloxStream Start(const PhiloxStream& stream) const { return Child(stream, 0); }
  template <typename Emit>
  CANDSAMP_DEVICE void Feed(uint64_t counter, const PhiloxBlock& random, Carry*, Emit emit) const {
    FeedPairs(counter, random, emit);
  }
  CANDSAMP_DEVICE int64_t Class(const PhiloxStream& stream, const RandomDraw& draw) const {
    SlotTable table = state->table;
    table.counts = counts;  // they may have moved since the update that wrote the table
    return LearnedUnigramDraw(table, stream, draw.more, draw.bits);
  }
  CANDSAMP_DEVICE DrawnClass Draw(const PhiloxStream& stream, const RandomDraw& draw,
                                  double factor) const {
    const int64_t id = Class(stream, draw);
    return {id, ExpectedCount(id, factor)};
  }
  CANDSAMP_DEVICE double Probability(int64_t id) const {
    return ProbabilityOfCount(counts[id], 1.0 / static_cast<double>(state->total));
  }
  CANDSAMP_DEVICE float ExpectedCount(int64_t id, double factor) const {
    return static_cast<float>(Probability(id) * factor);
  }

  int64_t range;
  const int64_t* counts;
  const SlotState* state;
};

// The device memory of a learned-unigram distribution.
struct LearnedCounts {
  int64_t range;
  int64_t* counts;          // [range]
  SlotState* state;         // LaunchBuild writes it first
  uint32_t* places;         // [slot blocks, places]
  uint16_t* taken;          // [slot blocks, and one more], aligned to 4 bytes
  int64_t* copy = nullptr;  // [range], counts that every update is added to as well; may be null
};

// The slot blocks that counts of this sum need at most.
CANDSAMP_FORMULA SlotBlocks MostSlotBlocks(int64_t counted, int64_t range) {
  // With t = 1 each count is a slot. For any t there are fewer than 2 range slots.
  const int64_t slots = Least(counted, 2 * range);
  return BlocksFor(SlotCapacity(slots, range));
}

// LaunchAdd adds one to the count of each class that is in range, and updates the slots.
// LaunchBuild lays out the slots of the counts as they are. `total` is the sum of the counts with
// one more for each class; -1 means that it has not changed. PlanAdd(range, 0) is the plan of
// LaunchBuild.
LaunchPlan PlanAdd(int64_t range, int64_t num_classes);
int LaunchAdd(CudaStream cuda_stream, const LaunchPlan& plan, const LearnedCounts& learned,
              const int64_t* classes, int64_t num_classes, void* scratch);
int LaunchBuild(CudaStream cuda_stream, const LaunchPlan& plan, const LearnedCounts& learned,
                int64_t total, void* scratch);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_H_
