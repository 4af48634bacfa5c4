// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/samplers/learned_unigram.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "cc/lib/core/double_math.h"
#include "cc/lib/sampler_math/sampler_loops.h"
#include "cc/lib/sampler_math/stream_bits.h"

namespace candsamp {

int64_t PowerOfCount(int64_t count, double distortion) {
  if (count < 0) return 0;
  const double log = LogOf(ReduceLog(DoubleOfInteger(count) + 1.0));
  const ExpReduction power = ReduceExp<PlainMultiplyAdd>(distortion * log);
  const double scaled =
      BitCast<double>(BitCast<uint64_t>(ReducedExpm1<PlainMultiplyAdd>(power.r) + 1.0) +
                      power.exponent) *
      (1 << kPowerBits);
  // More than any sum that is allowed, where it does not fit.
  return scaled < 0x1.8p62 ? static_cast<int64_t>(scaled + 0.5)
                           : std::numeric_limits<int64_t>::max();
}

LearnedUnigram::LearnedUnigram(int64_t* counts, int64_t range, double distortion)
    : Distribution(range), counts_(counts), distortion_(distortion) {
  if (distortion_ == 1) {
    short_counts_.reset(new uint8_t[range + 7]);
  } else {
    powers_.reset(new int64_t[range]);
    small_powers_.reset(new int64_t[kSmallCounts]);
    for (uint64_t count = 0; count < kSmallCounts; ++count) {
      small_powers_[count] = PowerOfCount(static_cast<int64_t>(count), distortion_);
    }
  }
  Build();
}

int64_t LearnedUnigram::FirstBadCount(const int64_t* counts, int64_t range, double distortion) {
  int64_t left = kMostLearnedCount - range, power_left = kMostLearnedCount;
  for (int64_t k = 0; k < range; ++k) {
    if (counts[k] < 0 || counts[k] > left) return k;
    left -= counts[k];
    if (distortion == 1) continue;
    const int64_t power = PowerOfCount(counts[k], distortion);
    if (power > power_left) return k;
    power_left -= power;
  }
  return -1;
}

bool LearnedUnigram::Insert(uint32_t id, int64_t block) {
  if (taken_[block] == blocks_.places) return false;
  // The first place with a greater class: bisection without branches.
  uint32_t* const places = &places_[block * blocks_.places];
  int64_t at = 0;
  for (int64_t left = taken_[block]; left > 0; left /= 2) {
    at += -static_cast<int64_t>(places[at + left / 2] <= id) & (left - left / 2);
  }
  std::memmove(places + at + 1, places + at, (taken_[block] - at) * sizeof *places);
  places[at] = id;
  most_ = std::max<int64_t>(most_, ++taken_[block]);
  return true;
}

bool LearnedUnigram::Fill() {
  std::fill_n(taken_.get(), blocks_.num_blocks, 0);
  const int64_t* const units = this->units();
  for (int64_t id = 0; id < range(); ++id) {
    const uint64_t slots = static_cast<uint64_t>(units[id]) >> shift_;
    for (uint64_t slot = 0; slot < slots; ++slot) {
      const int64_t block = BlockFor(id, slot);
      if (taken_[block] == blocks_.places) return false;
      places_[block * blocks_.places + taken_[block]++] = static_cast<uint32_t>(id);
    }
  }
  most_ = *std::max_element(taken_.get(), taken_.get() + blocks_.num_blocks);
  for (int64_t block = 0; block < blocks_.num_blocks; ++block) {
    uint32_t* const places = &places_[block * blocks_.places];
    std::fill(places + taken_[block], places + blocks_.places, kEmptyPlace);
  }
  return true;
}

// The salt is the first one that fits, which is a function of the counts too: while t and the
// capacity stay, slots are only added, and a salt that did not fit never fits later.
bool LearnedUnigram::Build() {
  if (FirstBadCount(counts_, range()) >= 0) return false;
  total_ = range();
  total_count_ = 0;
  const int64_t* const units = this->units();
  for (int64_t id = 0; id < range(); ++id) {
    if (is_distorted()) {
      powers_[id] = Power(counts_[id]) - 1;
      if (powers_[id] > kMostLearnedCount - total_) return false;
      total_count_ += counts_[id];
    } else {
      short_counts_[id] = ShortCount(static_cast<uint64_t>(counts_[id]));
    }
    total_ += units[id];
  }
  shift_ = SlotShift(counted(), range());
  slots_ = 0;
  for (int64_t id = 0; id < range(); ++id) slots_ += units[id] >> shift_;
  const int64_t capacity = SlotCapacity(slots_, range());
  if (capacity != capacity_) {
    blocks_ = BlocksFor(capacity);
    places_.reset();
    places_.reset(new uint32_t[blocks_.num_blocks * blocks_.places + 1]);  // one more may be read
    taken_.reset(new uint16_t[blocks_.num_blocks]);
    capacity_ = capacity;
  }
  for (salt_ = 0; salt_ < kMostSalts; ++salt_) {
    if (Fill()) return true;
  }
  throw std::runtime_error("no layout of a learned unigram's slots fits");
}

bool LearnedUnigram::AddPowers(const int64_t* classes, int64_t count) {
  constexpr int64_t kAhead = 16;
  bool fits = true;
  for (int64_t k = 0; k < count; ++k) {
    if (k + kAhead < count) {
      __builtin_prefetch(&counts_[classes[k + kAhead]], 1);
      __builtin_prefetch(&powers_[classes[k + kAhead]], 1);
    }
    const int64_t id = classes[k];
    const int64_t before = powers_[id];
    const int64_t now = Power(++counts_[id]) - 1;
    powers_[id] = now;
    // The power is rounded, and so for huge counts it may also fall by a little. It grows by more
    // if somebody else has changed the count.
    fits = fits && now >= before && now - before <= 2 << kPowerBits;
    if (!fits) continue;
    total_ += now - before;
    for (int64_t slot = before >> shift_; fits && slot < now >> shift_; ++slot) {
      ++slots_;
      fits = Insert(static_cast<uint32_t>(id), BlockFor(id, slot));
    }
  }
  total_count_ += count;
  return (fits && !HasOutgrown(counted(), shift_, range()) && slots_ <= capacity_) || Build();
}

bool LearnedUnigram::Halve() {
  for (int64_t id = 0; id < range(); ++id) counts_[id] >>= 1;
  return Build();
}

bool LearnedUnigram::Add(const int64_t* classes, int64_t count) {
  if (is_distorted()) return AddPowers(classes, count);
  constexpr int64_t kAhead = 16, kBatch = 64;
  const bool outgrown = HasOutgrown(counted() + count, shift_, range());
  const uint64_t full = (uint64_t{1} << shift_) - 1;
  bool fits = true;
  struct Slot {
    uint32_t id;
    int64_t block;
  };
  Slot filled[kBatch];  // their blocks are being fetched
  for (int64_t begin = 0; begin < count; begin += kBatch) {
    const int64_t end = std::min(begin + kBatch, count);
    int64_t size = 0;
    for (int64_t k = begin; k < end; ++k) {
      if (k + kAhead < count) {
        __builtin_prefetch(&counts_[classes[k + kAhead]], 1);
        __builtin_prefetch(&short_counts_[classes[k + kAhead]], 1);
      }
      const uint64_t id = static_cast<uint64_t>(classes[k]);
      const uint64_t new_count = static_cast<uint64_t>(++counts_[id]);
      short_counts_[id] = ShortCount(new_count);
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
  return (fits && !outgrown && slots_ <= capacity_) || Build();
}

// LearnedUnigramDraw for each draw, from a stream of its own.
void LearnedUnigram::Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position,
                          int64_t count, int64_t* out, const ExpectedCountOutput* counts) const {
  const uint64_t first = *position;
  const PhiloxStream own = Child(stream, 0);
  const SlotTable table = this->table();
  const SamplerLoops& loops = ChosenSamplerLoops();
  runtime.ParallelFor(count, 30, [&](int64_t begin, int64_t end) {
    ForEachBits<kMostDraws>(
        own, first, begin, end, [&](int64_t at, int64_t n, const uint64_t* bits) {
          loops.learned_unigram(table, short_counts(), own, first + at, bits, n, out + at);
          WriteExpectedCounts(out, at, n, counts);
        });
  });
  *position += count;
}

void LearnedUnigram::Probabilities(const int64_t* ids, int64_t count, double* out) const {
  const double inverse = 1.0 / static_cast<double>(total_);
  if (const uint8_t* const shorts = short_counts()) {
    ChosenSamplerLoops().learned_unigram_probability(counts_, shorts, ids, count, inverse, out);
    return;
  }
  for (int64_t k = 0; k < count; ++k) {
    out[k] = ProbabilityOfCount(units()[ids[k]], inverse);
  }
}

}  // namespace candsamp
