#include "cc/lib/learned_unigram.h"

#include <algorithm>
#include <cstring>

#include "cc/lib/sampler_kernels.h"

namespace candsamp {
namespace {

// A mixing function (the finalizer of SplitMix64).
inline uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

LearnedUnigram::LearnedUnigram(int64_t* counts, int64_t range)
    : Distribution(range), counts_(counts) {
  total_ = range;
  for (int64_t k = 0; k < range; ++k) total_ += counts[k];
  Build();
}

int64_t LearnedUnigram::FirstBadCount(const int64_t* counts, int64_t range) {
  int64_t left = kMostLearnedCount - range;
  for (int64_t k = 0; k < range; ++k) {
    if (counts[k] < 0 || counts[k] > left) return k;
    left -= counts[k];
  }
  return -1;
}

inline int64_t LearnedUnigram::BlockOfSlot(uint64_t id, uint64_t slot) const {
  // While t is 1 every class has a first slot. Spread evenly they are built in the order of memory.
  if (shift_ == 0 && slot == 0) {
    return static_cast<int64_t>((id * blocks_per_class_) >> 32);
  }
  const uint64_t hash = Mix(id * 0x9e3779b97f4a7c15 + Mix(slot + (salt_ << 40)));
  return static_cast<int64_t>(HighProduct(hash, static_cast<uint64_t>(blocks_)));
}

// False when the block is full.
bool LearnedUnigram::Insert(uint32_t id, int64_t block) {
  if (taken_[block] == block_places_) return false;
  // The first place of a greater class, by halving without branches.
  uint32_t* const places = &places_[block * block_places_];
  int64_t at = 0;
  for (int64_t left = taken_[block]; left > 0; left /= 2) {
    at += -static_cast<int64_t>(places[at + left / 2] <= id) & (left - left / 2);
  }
  std::memmove(places + at + 1, places + at, (taken_[block] - at) * sizeof *places);
  places[at] = id;
  ++taken_[block];
  return true;
}

// False when a block is full.
bool LearnedUnigram::Fill() {
  std::fill_n(taken_.get(), blocks_, 0);
  for (int64_t id = 0; id < range(); ++id) {
    const uint64_t slots = static_cast<uint64_t>(counts_[id] + 1) >> shift_;
    for (uint64_t slot = 0; slot < slots; ++slot) {
      const int64_t block = BlockOfSlot(id, slot);
      if (taken_[block] == block_places_) return false;
      places_[block * block_places_ + taken_[block]++] = static_cast<uint32_t>(id);
    }
  }
  return true;
}

// Everything here is a function of the counts. So is the salt, the first one that fits: while t and
// the capacity stay, slots are only added, and a salt that did not fit never fits again.
void LearnedUnigram::Build() {
  shift_ = 0;
  while (total_ >> (shift_ + 1) >= range()) ++shift_;
  slots_ = 0;
  for (int64_t id = 0; id < range(); ++id) slots_ += (counts_[id] + 1) >> shift_;
  int64_t capacity = 16;
  while (capacity < slots_) capacity += capacity / 4;
  if (capacity != capacity_) {
    capacity_ = capacity;
    blocks_ = (capacity + kBlockSlots - 1) / kBlockSlots;
    block_places_ = blocks_ == 1 ? capacity : kBlockPlaces;
    blocks_per_class_ = (static_cast<uint64_t>(blocks_) << 32) / static_cast<uint64_t>(range());
    places_.reset();
    places_.reset(new uint32_t[blocks_ * block_places_]);
    taken_.reset(new uint16_t[blocks_]);
  }
  salt_ = 0;
  while (!Fill()) ++salt_;
}

void LearnedUnigram::Add(const int64_t* classes, int64_t count) {
  constexpr int64_t kAhead = 16, kBatch = 64;
  const bool outgrown = (total_ + count) >> (shift_ + 1) >= range();
  const uint64_t full = (uint64_t{1} << shift_) - 1;
  bool fits = true;
  struct Slot {
    uint32_t id;
    int64_t block;
  };
  Slot filled[kBatch];  // whose blocks are on their way into the cache
  for (int64_t begin = 0; begin < count; begin += kBatch) {
    const int64_t end = std::min(begin + kBatch, count);
    int64_t size = 0;
    for (int64_t k = begin; k < end; ++k) {
      if (k + kAhead < count) __builtin_prefetch(&counts_[classes[k + kAhead]], 1);
      const uint64_t id = static_cast<uint64_t>(classes[k]);
      const uint64_t weight = static_cast<uint64_t>(++counts_[id] + 1);
      if (outgrown || (weight & full) != 0) continue;
      const int64_t block = BlockOfSlot(id, (weight >> shift_) - 1);
      const uint32_t* const places = &places_[block * block_places_];
      for (int64_t at = 0; at < taken_[block]; at += 16) __builtin_prefetch(places + at, 1);
      filled[size++] = {static_cast<uint32_t>(id), block};
    }
    slots_ += size;
    for (int64_t k = 0; k < size; ++k) fits = fits && Insert(filled[k].id, filled[k].block);
  }
  total_ += count;
  if (outgrown || slots_ > capacity_) {
    Build();
  } else {
    while (!fits) {
      ++salt_;
      fits = Fill();
    }
  }
}

// Attempt a of draw t is decided by the block with counter (high + a, t), in a stream of their own.
void LearnedUnigram::Draw(Host& host, const PhiloxStream& stream, uint64_t* position, int64_t count,
                          int64_t* out, const DrawCounts* counts) const {
  const uint64_t first = *position;
  const PhiloxStream own = Child(stream, 0);
  const uint64_t full = (uint64_t{1} << shift_) - 1;
  const uint64_t places = static_cast<uint64_t>(blocks_ * block_places_);
  // Without partial slots, while t is 1, none are proposed.
  const uint64_t proposals = places + (shift_ ? static_cast<uint64_t>(range()) : 0);
  // Multiplying 64 bits by `proposals` is fair once this many of the lowest results are rejected.
  const uint64_t unfair = (~proposals + 1) % proposals;
  const int block_shift = blocks_ == 1 ? 63 : kBlockShift;
  const uint64_t place_mask = (uint64_t{1} << block_shift) - 1;
  const uint64_t last_block = static_cast<uint64_t>(blocks_ - 1);
  // Where a proposal is looked up: in the table, or beyond it among the counts.
  const uintptr_t entries[2] = {reinterpret_cast<uintptr_t>(places_.get()),
                                reinterpret_cast<uintptr_t>(counts_) - places * sizeof *counts_};
  constexpr int entry_shift[2] = {2, 3};
  host.ParallelFor(count, 40, [&](int64_t begin, int64_t end) {
    // Proposals that may be accepted, apart by kind: no branch has to guess.
    struct Place {
      uint64_t index;
      uint64_t draw;
    };
    struct Partial {
      uint64_t id;
      uint64_t fill;  // accepted if the slot is filled above this
      uint64_t draw;
    };
    alignas(64) uint64_t bits[2 * kDrawBlock];
    uint64_t draws[kDrawBlock];  // that have nothing yet
    Place in_table[kDrawBlock];
    Partial in_partial[kDrawBlock];
    for (int64_t at = begin; at < end; at += kDrawBlock) {
      int64_t pending = std::min(end - at, kDrawBlock);
      for (int64_t k = 0; k < pending; ++k) draws[k] = first + at + k;
      for (uint64_t attempt = 0; pending > 0; ++attempt) {
        ChosenSamplerKernels().philox_at(own.key, own.high + attempt, draws, pending, bits);
        int64_t rejected = 0, tables = 0, partials = 0;
        for (int64_t k = 0; k < pending; ++k) {
          const uint64_t draw = draws[k];
          const auto product = static_cast<unsigned __int128>(bits[2 * k]) * proposals;
          const uint64_t index = static_cast<uint64_t>(product >> 64);
          const bool fair = static_cast<uint64_t>(product) >= unfair;
          const bool partial = index >= places;
          const uint64_t block = std::min(index >> block_shift, last_block);
          const bool taken = !partial & ((index & place_mask) < taken_[block]);
          __builtin_prefetch(
              reinterpret_cast<const void*>(entries[partial] + (index << entry_shift[partial])), 0,
              2);
          in_table[tables] = {index, draw};
          tables += taken & fair;
          in_partial[partials] = {index - places, bits[2 * k + 1] & full, draw};
          partials += partial & fair;
          draws[rejected] = draw;
          rejected += !((taken | partial) & fair);
        }
        for (int64_t k = 0; k < tables; ++k) {
          out[in_table[k].draw - first] = places_[in_table[k].index];
        }
        for (int64_t k = 0; k < partials; ++k) {
          const Partial& slot = in_partial[k];
          out[slot.draw - first] = static_cast<int64_t>(slot.id);
          draws[rejected] = slot.draw;
          rejected += slot.fill >= (static_cast<uint64_t>(counts_[slot.id] + 1) & full);
        }
        pending = rejected;
      }
      Count(out, at, std::min(end - at, kDrawBlock), counts);
    }
  });
  *position += count;
}

void LearnedUnigram::Probabilities(const int64_t* ids, int64_t count, double* out) const {
  constexpr int64_t kAhead = 32;
  const double inverse = 1.0 / static_cast<double>(total_);
  for (int64_t k = 0; k < count; ++k) {
    if (k + kAhead < count) __builtin_prefetch(&counts_[ids[k + kAhead]]);
    out[k] = static_cast<double>(counts_[ids[k]] + 1) * inverse;
  }
}

}  // namespace candsamp
