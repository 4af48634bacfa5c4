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
    taken_.reset(new uint16_t[blocks_ + 1]());  // one more may be read
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
  SlotTable table;
  table.places = static_cast<uint64_t>(blocks_ * block_places_);
  // Without partial slots, while t is 1, none are proposed.
  table.proposals = table.places + (shift_ ? static_cast<uint64_t>(range()) : 0);
  table.unfair = (~table.proposals + 1) % table.proposals;
  table.block_shift = blocks_ == 1 ? 63 : kBlockShift;
  table.taken = taken_.get();
  table.last_block = static_cast<uint64_t>(blocks_ - 1);
  table.full = (uint64_t{1} << shift_) - 1;
  host.ParallelFor(count, 40, [&](int64_t begin, int64_t end) {
    constexpr int64_t kBlock = Proposals::kMost;
    alignas(64) uint64_t bits[2 * kBlock];
    uint64_t draws[Proposals::kRoom];  // that have nothing yet
    Proposals proposals;
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t size = std::min(end - at, kBlock);
      int64_t pending = size;
      for (int64_t k = 0; k < pending; ++k) draws[k] = first + at + k;
      for (uint64_t attempt = 0; pending > 0; ++attempt) {
        const SamplerKernels& kernels = ChosenSamplerKernels();
        kernels.philox_at(own.key, own.high + attempt, draws, pending, bits);
        pending = kernels.propose(bits, draws, pending, table, &proposals);
        for (int64_t k = 0; k < proposals.places; ++k) {
          __builtin_prefetch(&places_[proposals.place[k]], 0, 2);
        }
        for (int64_t k = 0; k < proposals.partials; ++k) {
          __builtin_prefetch(&counts_[proposals.partial[k]], 0, 2);
        }
        for (int64_t k = 0; k < proposals.places; ++k) {
          out[proposals.place_draw[k] - first] = places_[proposals.place[k]];
        }
        for (int64_t k = 0; k < proposals.partials; ++k) {
          const uint64_t id = proposals.partial[k];
          const uint64_t draw = proposals.partial_draw[k];
          out[draw - first] = static_cast<int64_t>(id);
          draws[pending] = draw;
          pending += proposals.fill[k] >= (static_cast<uint64_t>(counts_[id] + 1) & table.full);
        }
      }
      Count(out, at, size, counts);
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
