#include "cc/lib/learned_unigram.h"

#include <algorithm>
#include <cstring>

#include "cc/lib/bit_source.h"
#include "cc/lib/sampler_kernels.h"

namespace candsamp {

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

// False when the block is full.
bool LearnedUnigram::Insert(uint32_t id, int64_t block) {
  if (taken_[block] == blocks_.places) return false;
  // The first place of a greater class, by halving without branches.
  uint32_t* const places = &places_[block * blocks_.places];
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
  std::fill_n(taken_.get(), blocks_.count, 0);
  for (int64_t id = 0; id < range(); ++id) {
    const uint64_t slots = static_cast<uint64_t>(counts_[id]) >> shift_;
    for (uint64_t slot = 0; slot < slots; ++slot) {
      const int64_t block = BlockFor(id, slot);
      if (taken_[block] == blocks_.places) return false;
      places_[block * blocks_.places + taken_[block]++] = static_cast<uint32_t>(id);
    }
  }
  return true;
}

// Everything here is a function of the counts. So is the salt, the first one that fits: while t and
// the capacity stay, slots are only added, and a salt that did not fit never fits again.
void LearnedUnigram::Build() {
  shift_ = SlotShift(counted(), range());
  slots_ = 0;
  for (int64_t id = 0; id < range(); ++id) slots_ += counts_[id] >> shift_;
  const int64_t capacity = SlotCapacity(slots_, range());
  if (capacity != capacity_) {
    capacity_ = capacity;
    blocks_ = BlocksFor(capacity);
    places_.reset();
    places_.reset(new uint32_t[blocks_.count * blocks_.places]);
    places_[0] = 0;                                   // is read in place of others
    taken_.reset(new uint16_t[blocks_.count + 1]());  // one more may be read
  }
  salt_ = 0;
  while (!Fill()) ++salt_;
}

void LearnedUnigram::Add(const int64_t* classes, int64_t count) {
  constexpr int64_t kAhead = 16, kBatch = 64;
  const bool outgrown = HasOutgrown(counted() + count, shift_, range());
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
      const uint64_t new_count = static_cast<uint64_t>(++counts_[id]);
      if (outgrown || (new_count & full) != 0) continue;
      const int64_t block = BlockFor(id, (new_count >> shift_) - 1);
      const uint32_t* const places = &places_[block * blocks_.places];
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

// What LearnedUnigramDraw gives for each draw, in a stream of their own.
void LearnedUnigram::Draw(Host& host, const PhiloxStream& stream, uint64_t* position, int64_t count,
                          int64_t* out, const DrawCounts* counts) const {
  const uint64_t first = *position;
  const PhiloxStream own = Child(stream, 0);
  const SlotTable table = this->table();
  host.ParallelFor(count, 40, [&](int64_t begin, int64_t end) {
    ForEachBits(own, first, begin, end, [&](int64_t at, int64_t n, const uint64_t* bits) {
      DrawBlock(table, own, first + at, n, bits, out + at);
      Count(out, at, n, counts);
    });
  });
  *position += count;
}

// Memory is looked up in loops of their own, so that many lookups are under way at a time. Masks
// choose between the two kinds of slots: which one comes next, no branch could predict.
void LearnedUnigram::DrawBlock(const SlotTable& table, const PhiloxStream& stream, uint64_t first,
                               int64_t count, const uint64_t* bits, int64_t* out) const {
  static_assert(kDrawBlock <= Proposals::kMost);
  const SamplerKernels& kernels = ChosenSamplerKernels();
  const uint64_t full = (uint64_t{1} << shift_) - 1;
  const auto in_table = [&](uint64_t index) { return index < table.places ? ~uint64_t{0} : 0; };
  uint64_t more_bits[Proposals::kMost];
  uint64_t draws[Proposals::kMost];  // that have nothing yet
  Proposals proposals;
  for (int64_t k = 0; k < count; ++k) draws[k] = first + k;
  int64_t pending = kernels.propose(bits, draws, count, table, &proposals);
  for (uint64_t attempt = 1;; ++attempt) {
    for (int64_t k = 0; k < proposals.size; ++k) {
      const uint64_t index = proposals.unit[k] >> shift_;
      const uint64_t is_place = in_table(index);
      const uint64_t of_place = places_[index & is_place];
      const uint64_t id = (of_place & is_place) | ((index - table.places) & ~is_place);
      __builtin_prefetch(&counts_[id]);  // its probability is asked for next
      const uint64_t unit = proposals.unit[k] & full & ~is_place;
      const uint64_t filled = static_cast<uint64_t>(counts_[id & ~is_place]) & full;
      const uint64_t draw = proposals.draw[k];
      out[draw - first] = static_cast<int64_t>(id);
      draws[pending] = draw;
      pending += filled < unit;
    }
    if (pending == 0) return;
    kernels.philox_at(stream.key, stream.high + attempt, draws, pending, more_bits);
    pending = kernels.propose(more_bits, draws, pending, table, &proposals);
  }
}

void LearnedUnigram::Probabilities(const int64_t* ids, int64_t count, double* out) const {
  const double inverse = 1.0 / static_cast<double>(total_);
  for (int64_t k = 0; k < count; ++k) {
    out[k] = static_cast<double>(counts_[ids[k]] + 1) * inverse;
  }
}

}  // namespace candsamp
