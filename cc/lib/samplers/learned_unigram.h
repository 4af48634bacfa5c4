// The distribution of counts that grow: P(class) = (count + 1) / sum of (count + 1).
//
// A draw and an update take O(1) expected time, whatever the range. The idea is that of proposal
// arrays (arXiv 2302.05682): weight is cut into slots of one size, a slot is proposed uniformly,
// and accepted as far as it is filled. Here the slots are laid out as a function of the counts
// alone, not of the order in which they came, so that a sampler restored from its counts goes on
// drawing what the one that was saved would have drawn.
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

// With the sum N of the counts and the largest power of two t with range * t <= N (1 for small N):
// - each class has count / t full slots (rounded down), of t units each. They lie in a table of
//   blocks, one a block from a first one on (BlockOfSlot), the classes of a block in ascending
//   order;
// - and one slot filled to 1 + count mod t units, which needs no table: the count itself says how
//   far.
// A draw proposes a unit of one of the table's places, as many of each block as are taken of the
// fullest one, or of one of the range's partial slots, and takes 1 to 2 proposals on average, 3.1
// at most, near the largest totals up to twice as many. The table is made for a quarter more slots
// than there are at most, and is built anew when it is full, and with t doubled when N = 2 range *
// t. For N updates this takes O(range + N) time. Small counts are also kept in a byte each: what
// draws look up is in the cache then.
class LearnedUnigram : public Distribution {
 public:
  // REQUIRES: 0 < range <= kMostLearnedClasses, FirstBadCount(counts, range) is -1, and counts
  // outlive this object. Should they change other than through Add, draws follow no distribution
  // in particular, but nothing is read or written out of bounds, and everything ends.
  LearnedUnigram(int64_t* counts, int64_t range);

  // The first class whose count is negative or with which the sum of all weights exceeds
  // kMostLearnedCount; -1 when there is none.
  static int64_t FirstBadCount(const int64_t* counts, int64_t range);

  // Adds one to the count of each class. False where somebody else has made a count negative, or
  // the sum too large: all are added then, too, but this object is of no more use. The same after
  // an exception, for want of memory.
  // REQUIRES: 0 <= classes[k] < range(), count <= kMostLearnedCount - total().
  bool Add(const int64_t* classes, int64_t count);

  // Goes on with a copy of the counts.
  void MoveTo(int64_t* counts) { counts_ = counts; }

  // The sum of all weights.
  int64_t total() const { return total_; }

  // How slots are laid out.
  SlotTable table() const {
    return MakeSlotTable(blocks_, most_, shift_, range(), places_.get(), counts_);
  }
  const SlotBlocks& blocks() const { return blocks_; }

  void Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
            int64_t* out, const DrawCounts* counts = nullptr) const override;
  void Probabilities(const int64_t* ids, int64_t count, double* out) const override;

 private:
  // The sum of all counts.
  int64_t counted() const { return total_ - range(); }
  int64_t BlockFor(uint64_t id, uint64_t slot) const {
    return BlockOfSlot(id, slot, salt_, blocks_.count);
  }
  bool Insert(uint32_t id, int64_t block);
  bool Build();
  bool Fill();
  // Null where they say too little.
  const uint8_t* short_counts() const {
    return HasShortCounts(shift_) ? short_counts_.get() : nullptr;
  }

  int64_t* counts_;
  std::unique_ptr<uint8_t[]> short_counts_;
  int64_t total_ = 0;
  int shift_ = 0;         // t = 2^shift
  int64_t slots_ = 0;     // full ones
  int64_t capacity_ = 0;  // for how many slots the table is made
  uint64_t salt_ = 0;
  SlotBlocks blocks_ = {0, 0};
  std::unique_ptr<uint32_t[]> places_;  // [blocks, places]
  std::unique_ptr<uint16_t[]> taken_;   // of each block
  int64_t most_ = 0;                    // of any block
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_LEARNED_UNIGRAM_H_
