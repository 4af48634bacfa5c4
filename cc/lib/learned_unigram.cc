#include "cc/lib/learned_unigram.h"

#include <algorithm>
#include <cstring>

#include "cc/lib/sampler_kernels.h"
#include "cc/lib/uniform.h"

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
  blocks_ = (2 * range + kBlockSlots - 1) / kBlockSlots;
  block_places_ = blocks_ == 1 ? 2 * range : kBlockPlaces;
  places_.reset(new uint32_t[blocks_ * block_places_]);
  taken_.reset(new uint16_t[blocks_]);
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

// The first slots of all classes are spread evenly, which keeps building in the order of memory.
inline int64_t LearnedUnigram::BlockOfSlot(uint64_t id, uint64_t slot) const {
  if (slot == 0) {
    return static_cast<int64_t>(static_cast<unsigned __int128>(id) * blocks_ / range());
  }
  const uint64_t hash = Mix(id * 0x9e3779b97f4a7c15 + Mix(slot + (salt_ << 40)));
  return static_cast<int64_t>(HighProduct(hash, static_cast<uint64_t>(blocks_)));
}

// False when the block is full.
bool LearnedUnigram::Insert(uint64_t id, uint64_t slot) {
  const int64_t block = BlockOfSlot(id, slot);
  uint32_t* const begin = &places_[block * block_places_];
  uint32_t* const end = begin + taken_[block];
  if (taken_[block] == block_places_) return false;
  uint32_t* const at = std::upper_bound(begin, end, static_cast<uint32_t>(id));
  std::memmove(at + 1, at, (end - at) * sizeof *at);
  *at = static_cast<uint32_t>(id);
  ++taken_[block];
  return true;
}

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

// The salt is the first one that fits. Slots are only ever added while t stays, so a salt that once
// did not fit never fits again: it too is a function of the counts.
void LearnedUnigram::Build() {
  shift_ = 0;
  while (total_ >> (shift_ + 1) >= range()) ++shift_;
  salt_ = 0;
  while (!Fill()) ++salt_;
}

void LearnedUnigram::Add(const int64_t* classes, int64_t count) {
  constexpr int64_t kAhead = 16;
  const bool outgrown = (total_ + count) >> (shift_ + 1) >= range();
  const uint64_t full = (uint64_t{1} << shift_) - 1;
  bool fits = true;
  for (int64_t k = 0; k < count; ++k) {
    if (k + kAhead < count) __builtin_prefetch(&counts_[classes[k + kAhead]], 1);
    const uint64_t id = static_cast<uint64_t>(classes[k]);
    const uint64_t weight = static_cast<uint64_t>(++counts_[id] + 1);
    if (!outgrown && (weight & full) == 0) fits &= Insert(id, (weight >> shift_) - 1);
  }
  total_ += count;
  if (outgrown) {
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
                          int64_t* out) const {
  const uint64_t first = *position;
  const PhiloxStream own = Child(stream, 0);
  const uint64_t full = (uint64_t{1} << shift_) - 1;
  const uint64_t places = static_cast<uint64_t>(blocks_ * block_places_);
  // Without partial slots, while t is 1, none are proposed.
  const uint64_t proposals = places + (shift_ ? static_cast<uint64_t>(range()) : 0);
  // Multiplying 64 bits by `proposals` is fair once this many of the lowest results are rejected.
  const uint64_t unfair = (~proposals + 1) % proposals;
  const bool one_block = blocks_ == 1;
  host.ParallelFor(count, 40, [&](int64_t begin, int64_t end) {
    struct Proposal {
      uint64_t index;  // a place of the table, or beyond them a class
      uint64_t fill;   // the class is accepted if its partial slot is filled above this
    };
    alignas(64) uint64_t bits[2 * kDrawBlock];
    uint64_t draws[kDrawBlock];
    Proposal proposed[kDrawBlock];
    for (int64_t at = begin; at < end; at += kDrawBlock) {
      int64_t pending = std::min(end - at, kDrawBlock);
      for (int64_t k = 0; k < pending; ++k) draws[k] = first + at + k;
      for (uint64_t attempt = 0; pending > 0; ++attempt) {
        ChosenSamplerKernels().philox_at(own.key, own.high + attempt, draws, pending, bits);
        int64_t rejected = 0, kept = 0;
        uint64_t again[kDrawBlock];
        for (int64_t k = 0; k < pending; ++k) {
          const auto product = static_cast<unsigned __int128>(bits[2 * k]) * proposals;
          const uint64_t index = static_cast<uint64_t>(product >> 64);
          const bool fair = static_cast<uint64_t>(product) >= unfair;
          const bool partial = index >= places;
          const uint64_t block = partial | one_block ? 0 : index / kBlockPlaces;
          const uint64_t place = one_block ? index : index % kBlockPlaces;
          const bool possible = fair & (partial | (place < taken_[block]));
          __builtin_prefetch(partial ? static_cast<const void*>(&counts_[index - places])
                                     : static_cast<const void*>(&places_[index]));
          proposed[kept] = {index, bits[2 * k + 1] & full};
          again[rejected] = draws[k];
          draws[kept] = draws[k];
          kept += possible;
          rejected += !possible;
        }
        for (int64_t k = 0; k < kept; ++k) {
          const Proposal& proposal = proposed[k];
          const bool partial = proposal.index >= places;
          uint64_t id;
          bool accepted = true;
          if (partial) {
            id = proposal.index - places;
            accepted = proposal.fill < (static_cast<uint64_t>(counts_[id] + 1) & full);
          } else {
            id = places_[proposal.index];
          }
          out[draws[k] - first] = static_cast<int64_t>(id);
          again[rejected] = draws[k];
          rejected += !accepted;
        }
        std::memcpy(draws, again, rejected * sizeof *draws);
        pending = rejected;
      }
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
