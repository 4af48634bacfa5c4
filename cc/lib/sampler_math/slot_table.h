// SPDX-License-Identifier: Apache-2.0
// The slots of a learned-unigram distribution: their layout, and a draw. See learned_unigram.h for
// the idea.
//
// Units are numbered from 0, 2^shift of them to a slot:
//
//     | block 0         | block 1         | ...  | class 0    | class 1    | ...
//     | of_block slots  | of_block slots  |      | 1 slot     | 1 slot     |
//     <-------------- places -------------->     <---------- range ----------->
//
// The full slots of all classes lie in a table of blocks. A place of the table names the class
// whose slot it is, or is empty. Of each block only the first of_block places are proposed, as many
// as the fullest block has taken. The partial slots need no table: the slot after place `places` is
// that of class 0, and a class's count says how far its slot is filled.
//
// A draw:
//  1. Take a unit, uniformly (DrawSlot).
//  2. In the table, accept if the place is taken: the class is that of the place.
//  3. After the table, accept if the unit is among the class's 1 + count mod 2^shift filled ones.
//  4. Otherwise start again with the next random bits (LearnedUnigramDraw).
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SLOT_TABLE_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SLOT_TABLE_H_

#include <stdint.h>

#include "cc/lib/core/golden_ratio.h"
#include "cc/lib/core/host_device.h"
#include "cc/lib/core/philox.h"
#include "cc/lib/sampler_math/sampler_formulas.h"

namespace candsamp {

// The places of a block, and how many of them are taken at most, on average over the blocks. The
// chance that a block of random slots overflows is below 2e-11. Then another salt lays out all
// slots anew. A small table is a single block, without a place to spare.
constexpr int64_t kBlockPlaces = 256;
constexpr int64_t kBlockSlots = 160;
constexpr int64_t kSingleBlockSlots = 1024;

// The salts that are tried. The chance that none of 64 fits is below 1e-190, whatever the range.
constexpr uint64_t kMostSalts = 64;

// A draw gives up after this many times 64 bits. The chance of that is below 1e-75 if the table
// matches its counts. The limit ends draws from counts that somebody else changes meanwhile.
constexpr uint64_t kMostRedraws = 1024;

// Whether slots of 2^shift units are too small for counts of this sum.
CANDSAMP_FORMULA bool HasOutgrown(int64_t counted, int shift, int64_t range) {
  return counted >> (shift + 1) >= range;
}
CANDSAMP_FORMULA int SlotShift(int64_t counted, int64_t range) {
  int shift = 0;
  while (HasOutgrown(counted, shift, range)) ++shift;
  return shift;
}

// The full slots that a table with `slots` of them has room for.
CANDSAMP_FORMULA int64_t SlotCapacity(int64_t slots, int64_t range) {
  int64_t capacity = range / 4 > 1 ? range / 4 : 1;
  while (capacity < slots) capacity += capacity / 4 > 1 ? capacity / 4 : 1;
  return capacity;
}

struct SlotBlocks {
  int64_t num_blocks;
  int64_t places;  // of each block
};
CANDSAMP_FORMULA SlotBlocks BlocksFor(int64_t capacity) {
  if (capacity <= kSingleBlockSlots) return {1, capacity};
  return {(capacity + kBlockSlots - 1) / kBlockSlots, kBlockPlaces};
}

// (count + 1) / (the sum of count + 1 over all classes). The result is in [0, 1] even if somebody
// else has changed the count meanwhile.
CANDSAMP_FORMULA double ProbabilityOfCount(int64_t count, double inverse_of_sum) {
  const int64_t weight = static_cast<int64_t>(static_cast<uint64_t>(count) + 1);
  const double p = static_cast<double>(weight) * inverse_of_sum;
  return p < 0 ? 0 : (p > 1 ? 1 : p);
}

// Mixes the bits of a hash (the finalizer of SplitMix64).
CANDSAMP_FORMULA uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// The block of a class's slot: slot 0 lies in the class's first block, the next slots in the blocks
// after it. With salt 0 multiples of the golden ratio spread the first blocks evenly if classes of
// like counts follow each other, as in a vocabulary sorted by frequency. Other salts hash the
// class: they are tried if a block overflows.
CANDSAMP_FORMULA int64_t BlockOfSlot(uint64_t id, uint64_t slot, uint64_t salt, int64_t blocks) {
  const uint64_t count = static_cast<uint64_t>(blocks);
  const uint64_t multiple = id * kGoldenRatio;
  const uint64_t first = HighProduct(salt == 0 ? multiple : Mix(multiple + salt), count);
  const uint64_t block = first + (slot < count ? slot : slot % count);
  return static_cast<int64_t>(block < count ? block : block - count);
}

// The content of an empty place. No class has this id.
constexpr uint32_t kEmptyPlace = 0xffffffff;

// The last seven bits of a count, and a bit that says whether there are others. If most counts are
// small, this says all about them in an eighth of the memory.
constexpr uint64_t kLongCount = 0x80;
CANDSAMP_FORMULA uint8_t ShortCount(uint64_t count) {
  return static_cast<uint8_t>((count & (kLongCount - 1)) | (count < kLongCount ? 0 : kLongCount));
}

// Whether short counts say how far partial slots are filled, and most counts are short.
CANDSAMP_FORMULA bool HasShortCounts(int shift) { return shift <= 5; }

// A view of the slots, laid out as above.
struct SlotTable {
  uint64_t units;       // in all slots
  uint64_t unfair;      // 2^32 mod units if HasPairs, else 2^64 mod units
  int shift;            // a slot has 2^shift units
  int64_t range;        // classes
  uint64_t places;      // proposed places: of_block of each block
  uint64_t of_block;    // taken places of the fullest block
  uint64_t reciprocal;  // 2^63 / of_block, rounded up
  uint64_t gap;         // places of a block that are not proposed
  // [blocks, of_block + gap]; in each block taken places come before empty ones.
  const uint32_t* classes;
  const int64_t* counts;  // [range]
};

// Whether 64 random bits make a pair of proposals, of 32 bits each. With at most 2^28 units, less
// than one in 16 of them is rejected as unfair.
CANDSAMP_FORMULA bool HasPairs(const SlotTable& table) { return table.units <= 1 << 28; }

// place / of_block.
CANDSAMP_FORMULA uint64_t BlockOfPlace(uint64_t place, const SlotTable& table) {
  return HighProduct(2 * place, table.reciprocal);
}

// place / of_block as place * multiplier >> shift, in products of 32-bit numbers. REQUIRES: places
// below 2^28, blocks of at most 1024. The multiplier is rounded up by less than 1, and of_block is
// at most 2^(shift - 31), so the product exceeds place / of_block by less than 1 / (8 of_block).
struct ShortReciprocal {
  uint64_t multiplier;
  int shift;
};
CANDSAMP_FORMULA ShortReciprocal ShortReciprocalOf(uint64_t of_block) {
  int shift = 31;
  while (uint64_t{1} << (shift - 31) < of_block) ++shift;
  return {of_block > 0 ? ((uint64_t{1} << shift) - 1) / of_block + 1 : 0, shift};
}

// The view of a table whose fullest block has `most` taken places.
CANDSAMP_FORMULA SlotTable MakeSlotTable(const SlotBlocks& blocks, int64_t most, int shift,
                                         int64_t range, const uint32_t* classes,
                                         const int64_t* counts) {
  SlotTable table;
  table.of_block = static_cast<uint64_t>(most);
  table.places = static_cast<uint64_t>(blocks.num_blocks) * table.of_block;
  constexpr uint64_t kOne = uint64_t{1} << 63;
  table.reciprocal = most > 0 ? (kOne - 1) / table.of_block + 1 : 0;
  table.gap = static_cast<uint64_t>(blocks.places) - table.of_block;
  table.shift = shift;
  table.range = range;
  // At most 3 * 2^62, since there are at most 1.25 * 1.6 places for each full slot.
  table.units = (table.places + static_cast<uint64_t>(range)) << shift;
  table.unfair = (HasPairs(table) ? uint64_t{1} << 32 : ~table.units + 1) % table.units;
  table.classes = classes;
  table.counts = counts;
  return table;
}

// Steps 2 and 3: whether the unit is filled. *id = the class whose slot it is in.
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

// Whether 64 random bits give a class. *id = the class. The high half of bits * units is a uniform
// unit once the lowest products are rejected as unfair (Lemire, arXiv 1805.10941).
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

// Draw number `draw`. `bits` is the stream's 64 bits of that number. If they give no class, the
// first 64 bits of the blocks with the counters (high + 1, draw), (high + 2, draw) and so on
// follow.
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
