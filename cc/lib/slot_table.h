// How a learned-unigram distribution lays out its slots, and proposes one of them. See
// learned_unigram.h.
#ifndef TF_CANDSAMP_CC_LIB_SLOT_TABLE_H_
#define TF_CANDSAMP_CC_LIB_SLOT_TABLE_H_

#include <stdint.h>

#include "cc/lib/host_device.h"
#include "cc/lib/philox.h"
#include "cc/lib/sampler_math.h"

namespace candsamp {

// Places of a block of the table, and how many of them are taken at most on average. The chance
// that a block of random slots overflows is below 5e-8; then all are hashed differently. A small
// table is a single block, without a place to spare.
constexpr int kBlockShift = 8;
constexpr int64_t kBlockPlaces = 1 << kBlockShift;
constexpr int64_t kBlockSlots = 180;
constexpr int64_t kSingleBlockSlots = 1024;

// Whether t = 2^shift is too small for counts of this sum.
CANDSAMP_FORMULA bool HasOutgrown(int64_t counted, int shift, int64_t range) {
  return counted >> (shift + 2) >= range;
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

// The slots of a learned-unigram distribution, cut into units: those of the places of a table of
// blocks and, after them, those of a partial slot for each class. See LearnedUnigram.
struct SlotTable {
  uint64_t units;         // altogether
  uint64_t unfair;        // 2^64 mod units
  int shift;              // 2^shift units are a slot
  uint64_t places;        // of the table
  int block_shift;        // 2^block_shift places are a block, of which
  const uint16_t* taken;  // [blocks + 1] so many are taken; the last is padding
  uint64_t last_block;
  const uint32_t* classes;  // [places]
  const int64_t* counts;    // of each class
};

// Whether 64 random bits propose a taken place or a partial slot, and which unit of it.
CANDSAMP_FORMULA bool Propose(uint64_t bits, const SlotTable& table, uint64_t* unit) {
  // Multiplying 64 bits by the number of units is fair once the lowest results are rejected.
  *unit = HighProduct(bits, table.units);
  if (bits * table.units < table.unfair) return false;
  const uint64_t index = *unit >> table.shift;
  if (index >= table.places) return true;
  const uint64_t place = index & ((uint64_t{1} << table.block_shift) - 1);
  return place < table.taken[index >> table.block_shift];
}

// The table of so many blocks and classes.
CANDSAMP_FORMULA SlotTable MakeSlotTable(const SlotBlocks& blocks, int shift, int64_t range,
                                         const uint16_t* taken, const uint32_t* classes,
                                         const int64_t* counts) {
  SlotTable table;
  table.places = static_cast<uint64_t>(blocks.count * blocks.places);
  table.shift = shift;
  // At most 3 * 2^62: there are at most 1.25 * 1.66 places for each full slot.
  table.units = (table.places + static_cast<uint64_t>(range)) << shift;
  table.unfair = (~table.units + 1) % table.units;
  table.block_shift = blocks.count == 1 ? 63 : kBlockShift;
  table.taken = taken;
  table.last_block = static_cast<uint64_t>(blocks.count - 1);
  table.classes = classes;
  table.counts = counts;
  return table;
}

// A draw from the table. The first attempt of draw d is decided by the stream's 64 bits number d,
// and attempt a after it by the block with counter (high + a, d).
CANDSAMP_FORMULA int64_t LearnedUnigramDraw(const SlotTable& table, const PhiloxStream& stream,
                                            uint64_t draw, uint64_t bits) {
  const uint64_t full = (uint64_t{1} << table.shift) - 1;
  for (uint64_t attempt = 1;; ++attempt) {
    uint64_t unit;
    if (Propose(bits, table, &unit)) {
      const uint64_t index = unit >> table.shift;
      if (index < table.places) return table.classes[index];
      const uint64_t id = index - table.places;
      if ((static_cast<uint64_t>(table.counts[id]) & full) >= (unit & full)) {
        return static_cast<int64_t>(id);
      }
    }
    bits = Philox(stream.key, stream.high + attempt, draw).bits[0];
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SLOT_TABLE_H_
