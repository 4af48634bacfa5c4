// SPDX-License-Identifier: Apache-2.0
// The distribution of counts that grow: P(class) = (count + 1) / sum of (count + 1), or in
// proportion to a power of count + 1.
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

#include <algorithm>
#include <cstdint>
#include <memory>

#include "cc/lib/sampler_math/sampler_loops.h"
#include "cc/lib/sampler_math/slot_table.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

constexpr int64_t kMostLearnedClasses = kEmptyPlace;
constexpr int64_t kMostLearnedCount = int64_t{1} << 62;

// (count + 1)^distortion in units of 2^-20, rounded. It has the same bits on every machine. For a
// distortion of at most 1 it grows by at most 2^20 with each count, and the rounding. Of a negative
// count it is 0.
constexpr int kPowerBits = 20;
int64_t PowerOfCount(int64_t count, double distortion);

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
//
// With a distortion below 1 the slots are those of other numbers in place of the counts, the units
// that make up a class's weight but one: PowerOfCount(count) - 1. The rest is the same. They start
// at 2^20 - 1, and so an update fills three slots at most.
class LearnedUnigram : public Distribution {
 public:
  // REQUIRES: 0 < range <= kMostLearnedClasses, 0 <= distortion <= 1, FirstBadCount(counts, range,
  // distortion) is -1, and counts outlive this object. If anyone but Add changes them, draws follow
  // no particular distribution, but nothing is read or written out of bounds, and every call ends.
  LearnedUnigram(int64_t* counts, int64_t range, double distortion = 1);

  // The first class whose count is negative, or with which the sum of count + 1, or of
  // PowerOfCount(count), exceeds kMostLearnedCount. -1 if there is none.
  static int64_t FirstBadCount(const int64_t* counts, int64_t range, double distortion = 1);

  // Adds one to the count of each class. Returns false if somebody else has made a count negative
  // or the sum too large: the counts are added then too, but this object must not be used any more.
  // The same holds after an exception, which means that there is no memory.
  // REQUIRES: 0 <= classes[k] < range(), 0 <= count <= room().
  bool Add(const int64_t* classes, int64_t count);

  // Halves all counts, rounded down. The result, and exceptions, are as those of Add. Takes
  // O(range) time.
  bool Halve();

  // Goes on with another copy of the counts.
  void MoveTo(int64_t* counts) { counts_ = counts; }

  // The sum of the classes' weights: of count + 1, or of PowerOfCount(count).
  int64_t total() const { return total_; }
  // How many counts may be added for certain.
  int64_t room() const {
    if (!is_distorted()) return kMostLearnedCount - total_;
    return std::min((kMostLearnedCount - total_) >> (kPowerBits + 1),
                    kMostLearnedCount - total_count_);
  }
  double distortion() const { return distortion_; }

  // A view of the layout, for draws.
  SlotTable table() const {
    return MakeSlotTable(blocks_, most_, shift_, range(), places_.get(), units());
  }
  const SlotBlocks& blocks() const { return blocks_; }

  void Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
            int64_t* out, const ExpectedCountOutput* counts = nullptr) const override;
  void Probabilities(const int64_t* ids, int64_t count, double* out) const override;

 private:
  static constexpr uint64_t kSmallCounts = 1024;

  bool is_distorted() const { return powers_ != nullptr; }
  // What slots are made of: a class's weight but one. The counts, or other numbers in their place.
  const int64_t* units() const { return is_distorted() ? powers_.get() : counts_; }
  // Their sum.
  int64_t counted() const { return total_ - range(); }
  // PowerOfCount(count, distortion()), of which most are looked up.
  int64_t Power(int64_t count) const {
    return static_cast<uint64_t>(count) < kSmallCounts ? small_powers_[count]
                                                       : PowerOfCount(count, distortion_);
  }
  // Add with a distortion.
  bool AddPowers(const int64_t* classes, int64_t count);
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
  const double distortion_;
  std::unique_ptr<int64_t[]> powers_;        // PowerOfCount less 1, with a distortion
  std::unique_ptr<int64_t[]> small_powers_;  // of the counts below kSmallCounts
  std::unique_ptr<uint8_t[]> short_counts_;  // without one
  int64_t total_ = 0;
  int64_t total_count_ = 0;  // the sum of the counts, with a distortion
  int shift_ = 0;            // t = 2^shift
  int64_t slots_ = 0;        // full slots
  int64_t capacity_ = 0;     // the full slots that the table has room for
  uint64_t salt_ = 0;
  SlotBlocks blocks_ = {0, 0};
  std::unique_ptr<uint32_t[]> places_;  // [blocks, places]
  std::unique_ptr<uint16_t[]> taken_;   // places of each block
  int64_t most_ = 0;                    // the largest of taken_
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_LEARNED_UNIGRAM_H_
