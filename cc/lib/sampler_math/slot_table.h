// How a learned-unigram distribution lays out its slots, and proposes one of them. See
// learned_unigram.h.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SLOT_TABLE_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SLOT_TABLE_H_

#include <stdint.h>

#include "cc/lib/core/double_math.h"
#include "cc/lib/core/host_device.h"
#include "cc/lib/core/philox.h"
#include "cc/lib/sampler_math/sampler_formulas.h"

namespace candsamp {

// Places of a block of the table, and how many of them are taken at most on average. The chance
// that a block of random slots overflows is below 2e-11; then all are laid out differently. A small
// table is a single block, without a place to spare.
constexpr int64_t kBlockPlaces = 256;
constexpr int64_t kBlockSlots = 160;
constexpr int64_t kSingleBlockSlots = 1024;

// So many salts are tried. The chance that none of 64 fits is below 1e-190, whatever the range.
constexpr uint64_t kMostSalts = 64;

// So many times 64 bits are drawn in vain for a draw. The chance of that is below 1e-75 for a table
// that is as its counts say: it ends draws from counts that somebody changes meanwhile.
constexpr uint64_t kMostRedraws = 1024;

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

// (count + 1) times the inverse of the sum of such; a probability whatever somebody else has made
// of the count meanwhile.
CANDSAMP_FORMULA double ProbabilityOfCount(int64_t count, double inverse_of_sum) {
  const int64_t weight = static_cast<int64_t>(static_cast<uint64_t>(count) + 1);
  const double p = static_cast<double>(weight) * inverse_of_sum;
  return p < 0 ? 0 : (p > 1 ? 1 : p);
}

// A mixing function (the finalizer of SplitMix64).
CANDSAMP_FORMULA uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Which of `blocks` blocks a class's slot lies in: one after the other from a first one on. Where
// classes of like counts follow each other, as in a vocabulary sorted by frequency, multiples of
// the golden ratio spread the first ones evenly; where that overflows a block, a salted hash says
// which is the first.
CANDSAMP_FORMULA int64_t BlockOfSlot(uint64_t id, uint64_t slot, uint64_t salt, int64_t blocks) {
  const uint64_t count = static_cast<uint64_t>(blocks);
  const uint64_t multiple = id * 0x9e3779b97f4a7c15;
  const uint64_t first = HighProduct(salt == 0 ? multiple : Mix(multiple + salt), count);
  const uint64_t block = first + (slot < count ? slot : slot % count);
  return static_cast<int64_t>(block < count ? block : block - count);
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
  uint64_t unfair;          // 2^32 mod units, or 2^64 mod units without pairs
  int shift;                // 2^shift units are a slot
  int64_t range;            // classes
  uint64_t places;          // that are proposed: of each block `of_block`
  uint64_t of_block;        // as many as are taken of the fullest one
  uint64_t reciprocal;      // 2^63 / of_block, rounded up
  uint64_t gap;             // how many places of a block are not proposed
  const uint32_t* classes;  // [blocks, of_block + gap]; those taken come first, the rest are empty
  const int64_t* counts;    // of each class
};

// Whether 64 random bits are cut into a pair of 32: then each of them is rejected less than once in
// 16 times for being unfair.
CANDSAMP_FORMULA bool HasPairs(const SlotTable& table) { return table.units <= 1 << 28; }

// place / of_block.
CANDSAMP_FORMULA uint64_t BlockOfPlace(uint64_t place, const SlotTable& table) {
  return HighProduct(2 * place, table.reciprocal);
}

// The same for places below 2^28, of blocks of 1024 or less, in products of 32-bit numbers: place *
// multiplier >> shift. As the multiplier is rounded up by less than 1, and of_block at most
// 2^(shift - 31), that exceeds place / of_block by less than 1 / (8 of_block).
struct ShortReciprocal {
  uint64_t multiplier;
  int shift;
};
CANDSAMP_FORMULA ShortReciprocal ShortReciprocalOf(uint64_t of_block) {
  int shift = 31;
  while (uint64_t{1} << (shift - 31) < of_block) ++shift;
  return {of_block > 0 ? ((uint64_t{1} << shift) - 1) / of_block + 1 : 0, shift};
}

// The table of blocks of which at most `most` places are taken.
CANDSAMP_FORMULA SlotTable MakeSlotTable(const SlotBlocks& blocks, int64_t most, int shift,
                                         int64_t range, const uint32_t* classes,
                                         const int64_t* counts) {
  SlotTable table;
  table.of_block = static_cast<uint64_t>(most);
  table.places = static_cast<uint64_t>(blocks.count) * table.of_block;
  constexpr uint64_t kOne = uint64_t{1} << 63;
  table.reciprocal = most > 0 ? (kOne - 1) / table.of_block + 1 : 0;
  table.gap = static_cast<uint64_t>(blocks.places) - table.of_block;
  table.shift = shift;
  table.range = range;
  // At most 3 * 2^62: there are at most 1.25 * 1.6 places for each full slot.
  table.units = (table.places + static_cast<uint64_t>(range)) << shift;
  table.unfair = (HasPairs(table) ? uint64_t{1} << 32 : ~table.units + 1) % table.units;
  table.classes = classes;
  table.counts = counts;
  return table;
}

// Whether a slot is filled as far as this unit, and whose slot that is.
CANDSAMP_FORMULA bool ClassOfUnit(uint64_t unit, const SlotTable& table, int64_t* id) {
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

// Whether 64 random bits give a class, and which. Multiplying b bits by the number of units is fair
// once the lowest results are rejected.
CANDSAMP_FORMULA bool DrawSlot(uint64_t bits, const SlotTable& table, int64_t* id) {
  if (!HasPairs(table)) {
    return bits * table.units >= table.unfair &&
           ClassOfUnit(HighProduct(bits, table.units), table, id);
  }
  for (int half = 0; half < 2; ++half, bits >>= 32) {
    const uint64_t product = (bits & 0xffffffff) * table.units;
    if ((product & 0xffffffff) >= table.unfair && ClassOfUnit(product >> 32, table, id))
      return true;
  }
  return false;
}

// A draw from the table: what the stream's 64 bits number d give or, after them, the first 64 of
// the blocks with counter (high + 1, d), (high + 2, d) and so on.
CANDSAMP_FORMULA int64_t LearnedUnigramDraw(const SlotTable& table, const PhiloxStream& stream,
                                            uint64_t draw, uint64_t bits) {
  int64_t id;
  for (uint64_t block = 1; !DrawSlot(bits, table, &id); ++block) {
    if (block > kMostRedraws)
      return static_cast<int64_t>(draw % static_cast<uint64_t>(table.range));
    bits = Philox(stream.key, stream.high + block, draw).bits[0];
  }
  return id;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SLOT_TABLE_H_
