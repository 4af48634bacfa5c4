// SPDX-License-Identifier: Apache-2.0
// The distribution of counts that grow: P(class) = (count + 1) / sum of (count + 1).
//
// A draw and an update take O(1) expected time, whatever the range. The idea is that of proposal
// arrays (arXiv 2302.05682):
//  1. Cut the weight of each class into slots of one size. The last slot of a class is partly
//     filled.
//  2. Propose a slot uniformly.
//  3. Accept it with the probability that says how far it is filled, else go on with step 2.
// Here the layout of the slots is a function of the counts alone, not of the order in which they
// came. So a sampler that is restored from its counts goes on drawing as the saved one would have.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_LEARNED_UNIGRAM_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_LEARNED_UNIGRAM_H_

#include <cstdint>
#include <memory>

#include "cc/lib/sampler_math/sampler_loops.h"
#include "cc/lib/sampler_math/slot_table.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

constexpr int64_t kMostLearnedClasses = kEmptyPlace;
constexpr int64_t kMostLearnedCount = int64_t{1} << 62;

// N is the sum of the counts, and t the largest power of two with range * t <= N (1 for small N).
//
// Layout (slot_table.h):
//  - A class has count / t full slots, rounded down, of t units each. They lie in a table of
//    blocks. The class's id decides the first block, and each further slot lies in the next block
//    (BlockOfSlot). The classes of a block ascend.
//  - A class has one partial slot, with 1 + count mod t filled units. It needs no table: the count
//    itself says how far it is filled.
//
// Draw:
//  1. Propose a unit of one of the table's places or of one of the partial slots, uniformly. Of
//     each block as many places take part as the fullest one has taken.
//  2. Accept it if the place is taken, or if the partial slot is filled as far.
// A draw takes 1 to 2 proposals on average, at most 3.1. Near the largest totals it takes up to
// twice as many.
//
// Update:
//  1. Add one to the count. If that fills the partial slot, insert a full slot into its block.
//  2. If N has reached 2 * range * t, double t and build the table anew. If the table is full,
//     build it anew with a quarter more room.
// N updates take O(range + N) time.
//
// Small counts are also kept in a byte each, so that the memory of draws stays in the cache.
class LearnedUnigram : public Distribution {
 public:
  // REQUIRES: 0 < range <= kMostLearnedClasses, FirstBadCount(counts, range) is -1, and counts
  // outlive this object. If anyone but Add changes them, draws follow no particular distribution,
  // but nothing is read or written out of bounds, and every call ends.
  LearnedUnigram(int64_t* counts, int64_t range);

  // The first class whose count is negative, or with which the sum of count + 1 exceeds
  // kMostLearnedCount. -1 if there is none.
  static int64_t FirstBadCount(const int64_t* counts, int64_t range);

  // Adds one to the count of each class. Returns false if somebody else has made a count negative
  // or the sum too large: the counts are added then too, but this object must not be used any more.
  // The same holds after an exception, which means that there is no memory.
  // REQUIRES: 0 <= classes[k] < range(), count <= kMostLearnedCount - total().
  bool Add(const int64_t* classes, int64_t count);

  // Goes on with another copy of the counts.
  void MoveTo(int64_t* counts) { counts_ = counts; }

  // The sum of count + 1 over all classes.
  int64_t total() const { return total_; }

  // A view of the layout, for draws.
  SlotTable table() const {
    return MakeSlotTable(blocks_, most_, shift_, range(), places_.get(), counts_);
  }
  const SlotBlocks& blocks() const { return blocks_; }

  void Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
            int64_t* out, const ExpectedCountOutput* counts = nullptr) const override;
  void Probabilities(const int64_t* ids, int64_t count, double* out) const override;

 private:
  // The sum of all counts.
  int64_t counted() const { return total_ - range(); }
  int64_t BlockFor(uint64_t id, uint64_t slot) const {
    return BlockOfSlot(id, slot, salt_, blocks_.num_blocks);
  }
  // Adds a full slot of a class to a block. False if the block is full.
  bool Insert(uint32_t id, int64_t block);
  // Makes the table from the counts alone. False if a count is bad.
  bool Build();
  // Fills the table with the salt. False if a block is full.
  bool Fill();
  // Null if they say too little.
  const uint8_t* short_counts() const {
    return HasShortCounts(shift_) ? short_counts_.get() : nullptr;
  }

  int64_t* counts_;
  std::unique_ptr<uint8_t[]> short_counts_;
  int64_t total_ = 0;
  int shift_ = 0;         // t = 2^shift
  int64_t slots_ = 0;     // full slots
  int64_t capacity_ = 0;  // the full slots that the table has room for
  uint64_t salt_ = 0;
  SlotBlocks blocks_ = {0, 0};
  std::unique_ptr<uint32_t[]> places_;  // [blocks, places]
  std::unique_ptr<uint16_t[]> taken_;   // places of each block
  int64_t most_ = 0;                    // the largest of taken_
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_LEARNED_UNIGRAM_H_
