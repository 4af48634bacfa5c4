// How a learned-unigram distribution lays out its slots, and proposes one of them. See
// learned_unigram.h.
#ifndef TF_CANDSAMP_CC_LIB_SLOT_TABLE_H_
#define TF_CANDSAMP_CC_LIB_SLOT_TABLE_H_

#include <stdint.h>

#include "cc/lib/double_math.h"
#include "cc/lib/host_device.h"
#include "cc/lib/philox.h"
#include "cc/lib/sampler_math.h"

namespace candsamp {

// Places of a block of the table, and how many of them are taken at most on average. The chance
// that a block of random slots overflows is below 2e-11; then all are hashed differently. A small
// table is a single block, without a place to spare.
constexpr int64_t kBlockPlaces = 256;
constexpr int64_t kBlockSlots = 160;
constexpr int64_t kSingleBlockSlots = 1024;

// Whether t = 2^shift is too small for counts of this sum.
CANDSAMP_FORMULA bool HasOutgrown(int64_t counted, int shift, int64_t range) {
  return counted >> (shift + 1) >= range;
}
CANDSAMP_FORMULA int SlotShift(int64_t counted, int64_t range) {
  int shift = 0;
  while (HasOutgrown(counted, shift, range)) ++shift;
  return shift;
}

// For how many full slots the table is made that has `slots` of them.
CANDSAMP_FORMULA int64_t SlotCapacity(int64_t slots, int64_t range) {
  int64_t capacity = range / 4 > 1 ? range / 4 : 1;
  while (capacity < slots) capacity += capacity / 4 > 1 ? capacity / 4 : 1;
  return capacity;
}

struct SlotBlocks {
  int64_t count;
  int64_t places;  // of each
};
CANDSAMP_FORMULA SlotBlocks BlocksFor(int64_t capacity) {
  if (capacity <= kSingleBlockSlots) return {1, capacity};
  return {(capacity + kBlockSlots - 1) / kBlockSlots, kBlockPlaces};
}

// A mixing function (the finalizer of SplitMix64).
CANDSAMP_FORMULA uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Which of `blocks` blocks a class's slot lies in.
CANDSAMP_FORMULA int64_t BlockOfSlot(uint64_t id, uint64_t slot, uint64_t salt, int64_t blocks) {
  const uint64_t hash = Mix(id * 0x9e3779b97f4a7c15 + Mix(slot + (salt << 40)));
  return static_cast<int64_t>(HighProduct(hash, static_cast<uint64_t>(blocks)));
}

// A place that is not taken. No class has this number.
constexpr uint32_t kEmptyPlace = 0xffffffff;

// The last seven bits of a count, and one that says whether there are others. Where most counts are
// small this is all there is to know of them, in an eighth of the memory.
constexpr uint64_t kLongCount = 0x80;
CANDSAMP_FORMULA uint8_t ShortCount(uint64_t count) {
  return static_cast<uint8_t>((count & (kLongCount - 1)) | (count < kLongCount ? 0 : kLongCount));
}

// Whether those bits tell how far partial slots are filled, and most counts are as short.
CANDSAMP_FORMULA bool HasShortCounts(int shift) { return shift <= 5; }

// The slots of a learned-unigram distribution, cut into units: those of places of a table of blocks
// and, after them, those of a partial slot for each class. See LearnedUnigram.
struct SlotTable {
  uint64_t units;           // altogether
  uint64_t unfair;          // 2^64 mod units
  int shift;                // 2^shift units are a slot
  int64_t range;            // classes
  uint64_t places;          // that are proposed: of each block `of_block`
  uint64_t of_block;        // as many as are taken of the fullest one
  double blocks_per_place;  // 1 / of_block
  uint64_t gap;             // how many places of a block are not proposed
  const uint32_t* classes;  // [blocks, of_block + gap]; those taken come first, the rest are empty
  const int64_t* counts;    // of each class
};

// place / of_block. What is rounded to an integer is at least 1 / 2 of_block away from where the
// result would change, far more than the product's error.
CANDSAMP_FORMULA uint64_t BlockOfPlace(uint64_t place, const SlotTable& table) {
  const double middle = DoubleOfShortInteger(static_cast<int64_t>(place)) + 0.5;
  return BitsOfDouble(middle * table.blocks_per_place - 0.5 + kRoundingShift) & 0xffffffff;
}

// The table of blocks of which at most `most` places are taken.
CANDSAMP_FORMULA SlotTable MakeSlotTable(const SlotBlocks& blocks, int64_t most, int shift,
                                         int64_t range, const uint32_t* classes,
                                         const int64_t* counts) {
  SlotTable table;
  table.of_block = static_cast<uint64_t>(most);
  table.places = static_cast<uint64_t>(blocks.count) * table.of_block;
  table.blocks_per_place = most > 0 ? 1 / static_cast<double>(most) : 0;
  table.gap = static_cast<uint64_t>(blocks.places) - table.of_block;
  table.shift = shift;
  table.range = range;
  // At most 3 * 2^62: there are at most 1.25 * 1.6 places for each full slot.
  table.units = (table.places + static_cast<uint64_t>(range)) << shift;
  table.unfair = (~table.units + 1) % table.units;
  table.classes = classes;
  table.counts = counts;
  return table;
}

// Whether 64 random bits give a class, and which.
CANDSAMP_FORMULA bool DrawSlot(uint64_t bits, const SlotTable& table, int64_t* id) {
  // Multiplying 64 bits by the number of units is fair once the lowest results are rejected.
  const uint64_t unit = HighProduct(bits, table.units);
  if (bits * table.units < table.unfair) return false;
  const uint64_t slot = unit >> table.shift;
  if (slot < table.places) {
    const uint32_t of_place = table.classes[slot + BlockOfPlace(slot, table) * table.gap];
    *id = of_place;
    return of_place != kEmptyPlace;
  }
  *id = static_cast<int64_t>(slot - table.places);
  const uint64_t part = (uint64_t{1} << table.shift) - 1;
  return (static_cast<uint64_t>(table.counts[*id]) & part) >= (unit & part);
}

// A draw from the table. The first attempt of draw d is decided by the stream's 64 bits number d,
// and attempt a after it by the block with counter (high + a, d).
CANDSAMP_FORMULA int64_t LearnedUnigramDraw(const SlotTable& table, const PhiloxStream& stream,
                                            uint64_t draw, uint64_t bits) {
  int64_t id;
  for (uint64_t attempt = 1; !DrawSlot(bits, table, &id); ++attempt) {
    bits = Philox(stream.key, stream.high + attempt, draw).bits[0];
  }
  return id;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SLOT_TABLE_H_
