// SPDX-License-Identifier: Apache-2.0
// The hot loops of the samplers, compiled once for each instruction set into namespace
// CANDSAMP_ISA.
//
// Most are plain loops over branch-free formulas, which the compiler vectorises. Only loops that
// multiply 64-bit integers or pack lanes use vector types: the compiler finds neither the product
// of 32-bit halves nor the permutation.
#include "cc/lib/sampler_math/sampler_loops_isa.h"

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "cc/lib/sampler_math/expected_count.h"
#include "cc/lib/sampler_math/variates.h"

namespace candsamp {
namespace CANDSAMP_ISA {
namespace {

// The 64-bit lanes of the widest register. Philox keeps its 32-bit words in their lower halves.
#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX2__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 2;
#endif
typedef uint64_t Lanes __attribute__((vector_size(8 * kLanes)));

CANDSAMP_FORMULA Lanes ProductOfLowHalves(Lanes a, Lanes b) {
#if defined(__AVX512F__)
  // The masked form: the plain one trips g++ 12's warning of an uninitialized variable.
  return reinterpret_cast<Lanes>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Lanes>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return reinterpret_cast<Lanes>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
}

// Philox's keys of all rounds.
struct RoundKeys {
  explicit RoundKeys(uint64_t key) {
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < kPhiloxRounds; ++round) {
      first[round] = k0;
      second[round] = k1;
      k0 += kPhiloxKeyStep0;
      k1 += kPhiloxKeyStep1;
    }
  }
  uint64_t first[kPhiloxRounds], second[kPhiloxRounds];
};

// This many vectors at a time hide the latency of a product.
constexpr int kVectors = 4;

// Philox of kV vectors of counters: the first and the second 64 bits of each block. Until the end
// the upper halves hold garbage, which the products ignore.
template <int kV>
CANDSAMP_FORMULA void PhiloxOfLanes(const RoundKeys& keys, const Lanes* high, const Lanes* low,
                                    Lanes* first, Lanes* second) {
  const Lanes multiplier0 = Lanes{} + kPhiloxMultiplier0;
  const Lanes multiplier1 = Lanes{} + kPhiloxMultiplier1;
  Lanes c0[kV], c1[kV], c2[kV], c3[kV];
  for (int v = 0; v < kV; ++v) {
    c0[v] = low[v];
    c1[v] = low[v] >> 32;
    c2[v] = high[v];
    c3[v] = high[v] >> 32;
  }
#pragma GCC unroll 10
  for (int round = 0; round < kPhiloxRounds; ++round) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      const Lanes p0 = ProductOfLowHalves(c0[v], multiplier0);
      const Lanes p1 = ProductOfLowHalves(c2[v], multiplier1);
      c0[v] = (p1 >> 32) ^ (c1[v] ^ keys.first[round]);
      c1[v] = p1;
      c2[v] = (p0 >> 32) ^ (c3[v] ^ keys.second[round]);
      c3[v] = p0;
    }
  }
  for (int v = 0; v < kV; ++v) {
    first[v] = (c0[v] & 0xffffffff) | c1[v] << 32;
    second[v] = (c2[v] & 0xffffffff) | c3[v] << 32;
  }
}

// Writes a[0], b[0], a[1], b[1] and so on.
CANDSAMP_FORMULA void Interleave(Lanes a, Lanes b, uint64_t* out) {
#if defined(__AVX512F__)
  const Lanes lower = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  const Lanes upper = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif defined(__AVX2__)
  const Lanes lower = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Lanes upper = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
  const Lanes lower = __builtin_shufflevector(a, b, 0, 2);
  const Lanes upper = __builtin_shufflevector(a, b, 1, 3);
#endif
  memcpy(out, &lower, sizeof lower);
  memcpy(out + kLanes, &upper, sizeof upper);
}

// Writes the blocks from `block` on, as far as they fill kV vectors. Returns how many.
template <int kV>
CANDSAMP_FORMULA int64_t PhiloxOfVectors(const RoundKeys& keys, const PhiloxStream& stream,
                                         uint64_t block, int64_t blocks, uint64_t* out) {
  Lanes index[kV];
  for (int k = 0; k < kV * kLanes; ++k) index[k / kLanes][k % kLanes] = block + k;
  int64_t b = 0;
  for (; b + kV * kLanes <= blocks; b += kV * kLanes) {
    Lanes low[kV], high[kV], first[kV], second[kV];
    for (int v = 0; v < kV; ++v) {
      low[v] = stream.low + index[v];
      // A true comparison of lanes is -1: the carry.
      high[v] = stream.high - reinterpret_cast<Lanes>(low[v] < index[v]);
      index[v] += kV * kLanes;
    }
    PhiloxOfLanes<kV>(keys, high, low, first, second);
    for (int v = 0; v < kV; ++v) Interleave(first[v], second[v], out + 2 * (b + kLanes * v));
  }
  return b;
}

void PhiloxSequence(const PhiloxStream& stream, uint64_t block, int64_t blocks, uint64_t* out) {
  const RoundKeys keys(stream.key);
  int64_t b = PhiloxOfVectors<kVectors>(keys, stream, block, blocks, out);
  b += PhiloxOfVectors<1>(keys, stream, block + b, blocks - b, out + 2 * b);
  for (; b < blocks; ++b) {
    const PhiloxBlock last = PhiloxBlockOf(stream, block + b);
    memcpy(out + 2 * b, last.bits, sizeof last.bits);
  }
}

// The high halves of 128-bit products. *low_halves gets the low ones.
CANDSAMP_FORMULA Lanes HighProducts(Lanes a, Lanes b, Lanes* low_halves) {
  const Lanes a1 = a >> 32, b1 = b >> 32;
  const Lanes low = ProductOfLowHalves(a, b);
  const Lanes middle0 = ProductOfLowHalves(a1, b) + (low >> 32);
  const Lanes middle1 = ProductOfLowHalves(a, b1) + (middle0 & 0xffffffff);
  *low_halves = (low & 0xffffffff) | middle1 << 32;
  return ProductOfLowHalves(a1, b1) + (middle0 >> 32) + (middle1 >> 32);
}

CANDSAMP_FORMULA Lanes HighHalves(Lanes a, Lanes b) {
  Lanes ignored;
  return HighProducts(a, b, &ignored);
}

bool UniformDraws(const uint64_t* bits, int64_t count, const UniformRange& range, int64_t* out) {
  int64_t k = 0;
  Lanes any = {};
  if (range.reciprocal != 0) {
    const Lanes reciprocal = Lanes{} + range.reciprocal, n = Lanes{} + range.n;
    for (; k + kLanes <= count; k += kLanes) {
      Lanes x;
      memcpy(&x, bits + k, sizeof x);
      any |= reinterpret_cast<Lanes>(x < range.rejected);
      Lanes ignored;
      const Lanes quotient = HighProducts(x, reciprocal, &ignored);
      const Lanes product =
          ProductOfLowHalves(quotient, n) +
          ((ProductOfLowHalves(quotient >> 32, n) + ProductOfLowHalves(quotient, n >> 32)) << 32);
      const Lanes rest = x - product;
      const Lanes result = rest - (reinterpret_cast<Lanes>(rest >= n) & n);
      memcpy(out + k, &result, sizeof result);
    }
  }
  uint64_t rejected = 0;
  for (int lane = 0; lane < kLanes; ++lane) rejected |= any[lane];
  for (; k < count; ++k) {
    rejected |= bits[k] < range.rejected;
    out[k] = static_cast<int64_t>(UniformDraw(bits[k], range));
  }
  return rejected != 0;
}

bool Columns(const uint32_t* words, int64_t count, const ColumnRange& range, int64_t* out) {
  const bool is_power = range.reciprocal == 0;
  const Lanes n = Lanes{} + range.n, reciprocal = Lanes{} + range.reciprocal;
  const Lanes mask = Lanes{} + (is_power ? range.n - 1 : ~uint32_t{0});
  Lanes any = {};
  int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
    Lanes pair;
    memcpy(&pair, words + 2 * k, sizeof pair);
    const Lanes word = pair >> 32;
    any |= reinterpret_cast<Lanes>(word < range.rejected);
    const Lanes quotient = ProductOfLowHalves(word, reciprocal) >> 32;
    const Lanes rest = (word & mask) - ProductOfLowHalves(quotient, n);
    const Lanes column = rest - (reinterpret_cast<Lanes>(rest >= n) & n);
    const Lanes result = column << 32 | (pair & 0xffffffff);
    memcpy(out + k, &result, sizeof result);
  }
  uint64_t rejected = 0;
  for (int lane = 0; lane < kLanes; ++lane) rejected |= any[lane];
  for (; k < count; ++k) {
    rejected |= words[2 * k + 1] < range.rejected;
    out[k] = ColumnAndFraction(words[2 * k], words[2 * k + 1], range);
  }
  return rejected != 0;
}

// The loops below work on this many values at a time. Each loop does one step of a longer formula.
constexpr int64_t kChunk = 256;

template <typename Use>
CANDSAMP_FORMULA void ForEachChunk(int64_t count, Use use) {
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    use(begin, begin + kChunk < count ? kChunk : count - begin);
  }
}

struct ExpReductions {
  double r[kChunk];
  uint64_t exponent[kChunk];

  void Set(int64_t k, const ExpReduction& one) {
    r[k] = one.r;
    exponent[k] = one.exponent;
  }
  ExpReduction operator[](int64_t k) const { return {r[k], exponent[k]}; }
};

struct Log1pReductions {
  double e[kChunk], f[kChunk], s[kChunk], correction[kChunk];

  void Set(int64_t k, const Log1pReduction& one) {
    e[k] = one.rounded.e;
    f[k] = one.rounded.f;
    s[k] = one.rounded.s;
    correction[k] = one.correction;
  }
  Log1pReduction operator[](int64_t k) const { return {{e[k], f[k], s[k]}, correction[k]}; }
};

// The slow exact form replaces the draws that exp leaves undecided.
template <typename Exp>
CANDSAMP_FORMULA void LogUniformLoop(const uint64_t* bits, int64_t count,
                                     const LogUniformRange& range, int64_t* out) {
  ForEachChunk(count, [&](int64_t begin, int64_t n) {
    ExpReductions x;
    for (int64_t k = 0; k < n; ++k) {
      x.Set(k, ReduceExp<FastMultiplyAdd>(LogUniformExponent(bits[begin + k], range)));
    }
    uint64_t undecided = 0;
    for (int64_t k = 0; k < n; ++k) {
      double margin;
      out[begin + k] = LogUniformOfPower(Exp::Of(x[k]), Exp::error, &margin);
      undecided |= BitCast<uint64_t>(margin);
    }
    if (undecided >> 63 == 0) return;
    for (int64_t k = 0; k < n; ++k) {
      double margin;
      LogUniformOfPower(Exp::Of(x[k]), Exp::error, &margin);
      if (margin < 0) out[begin + k] = LogUniformToNearest(bits[begin + k], range);
    }
  });
}

void LogUniform(const uint64_t* bits, int64_t count, const LogUniformRange& range, int64_t* out) {
  // In small ranges the short series leaves few draws undecided.
  if (range.range <= int64_t{1} << 30) {
    LogUniformLoop<ShortExp>(bits, count, range, out);
  } else {
    LogUniformLoop<PreciseExp>(bits, count, range, out);
  }
}

template <typename T>
CANDSAMP_FORMULA void LogUniformCounts(const int64_t* ids, int64_t count,
                                       const LogUniformRange& range, double factor, T* out) {
  const double scale = 2.0 / range.log_range * factor;
  if (range.range <= int64_t{1} << 50) {
    for (int64_t k = 0; k < count; ++k) {
      const double s = 1.0 / DoubleOfShortInteger(2 * ids[k] + 3);
      out[k] = static_cast<T>(HalfLogOfNextRatio<T>(s) * scale);
    }
  } else {
    for (int64_t k = 0; k < count; ++k) {
      out[k] = LogUniformCount<T>(ids[k], range, factor);
    }
  }
}

void LogUniformProbability(const int64_t* ids, int64_t count, const LogUniformRange& range,
                           double* out) {
  LogUniformCounts(ids, count, range, 1, out);
}

void LogUniformFloatCount(const int64_t* ids, int64_t count, const LogUniformRange& range,
                          double factor, float* counts) {
  LogUniformCounts(ids, count, range, factor, counts);
}

// One bit for each lane. REQUIRES: all bits of a lane are equal.
CANDSAMP_FORMULA unsigned MaskOf(Lanes lanes) {
#if defined(__AVX512F__)
  return _mm512_movepi64_mask(reinterpret_cast<__m512i>(lanes));
#elif defined(__AVX2__)
  return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(lanes)));
#else
  return static_cast<unsigned>(_mm_movemask_pd(reinterpret_cast<__m128d>(lanes)));
#endif
}

#if defined(__AVX2__) && !defined(__AVX512F__)
// The permutations of 32-bit lanes that move the 64-bit lanes of a mask to the front.
struct PackOrders {
  constexpr PackOrders() : halves() {
    for (int mask = 0; mask < 16; ++mask) {
      int to = 0;
      for (int lane = 0; lane < 4; ++lane) {
        if (!(mask >> lane & 1)) continue;
        halves[mask][to++] = 2 * lane;
        halves[mask][to++] = 2 * lane + 1;
      }
    }
  }
  alignas(32) int32_t halves[16][8];
};
constexpr PackOrders kPackOrders;
#endif

// Writes the lanes of the mask, packed to the front. What follows them is unspecified.
CANDSAMP_FORMULA void Pack(Lanes lanes, unsigned mask, uint64_t* to) {
#if defined(__AVX512F__)
  const __m512i packed =
      _mm512_maskz_compress_epi64(static_cast<__mmask8>(mask), reinterpret_cast<__m512i>(lanes));
  memcpy(to, &packed, sizeof packed);
#elif defined(__AVX2__)
  const __m256i order =
      _mm256_load_si256(reinterpret_cast<const __m256i*>(kPackOrders.halves[mask]));
  const __m256i packed = _mm256_permutevar8x32_epi32(reinterpret_cast<__m256i>(lanes), order);
  memcpy(to, &packed, sizeof packed);
#else
  to[0] = lanes[mask == 2];
  to[1] = lanes[1];
#endif
}

CANDSAMP_FORMULA Lanes LanesAt(const uint64_t* values) {
  Lanes lanes;
  memcpy(&lanes, values, sizeof lanes);
  return lanes;
}
CANDSAMP_FORMULA void Store(Lanes lanes, uint64_t* values) { memcpy(values, &lanes, sizeof lanes); }

// REQUIRES: lanes below 2^63. Comparing signed lanes takes fewer instructions.
CANDSAMP_FORMULA Lanes IsLess(Lanes a, Lanes b) {
  typedef int64_t SignedLanes __attribute__((vector_size(8 * kLanes)));
  return reinterpret_cast<Lanes>(reinterpret_cast<SignedLanes>(a) <
                                 reinterpret_cast<SignedLanes>(b));
}

CANDSAMP_FORMULA Lanes Choose(Lanes mask, Lanes a, Lanes b) { return (a & mask) | (b & ~mask); }

// DrawSlot for many draws, in three steps:
//  1. Locate: vectors turn bits into units and the addresses that decide them.
//  2. LookUp: a loop loads from the addresses.
//  3. Interpret: vectors turn what was found into classes.
// Thus many loads are under way at a time, and no branch waits for one.
class SlotDraws {
 public:
  static constexpr int64_t kMost = 256;

  SlotDraws(const SlotTable& table, const uint8_t* short_counts)
      : table_(table),
        counts_(short_counts ? reinterpret_cast<uint64_t>(short_counts)
                             : reinterpret_cast<uint64_t>(table.counts)),
        log_count_size_(short_counts ? 0 : 3),
        reciprocal_(ShortReciprocalOf(table.of_block)) {}

  // Calls take(k, ids, none) for each vector of the draws [0, count): `ids` has the classes of
  // bits[k] and the following ones, and the mask `none` says which of them give no class. If
  // HasPairs, only the lower halves of the bits are used. REQUIRES: kLanes - 1 more bits can be
  // read.
  template <typename Take>
  CANDSAMP_METHOD void ForEach(const uint64_t* bits, int64_t count, Take take) {
    for (int64_t begin = 0; begin < count; begin += kMost) {
      const int64_t n = count - begin < kMost ? count - begin : kMost;
      if (HasPairs(table_)) {
        Locate<true>(bits + begin, n);
      } else {
        Locate<false>(bits + begin, n);
      }
      LookUp(n);
      for (int64_t k = 0; k < n; k += kLanes) {
        Lanes ids;
        const unsigned none = Interpret(k, &ids);
        const int64_t left = n - k;
        take(begin + k, ids, left < kLanes ? none & ((1u << left) - 1) : none);
      }
    }
  }

 private:
  template <bool kPairs>
  void Locate(const uint64_t* bits, int64_t n) {
    const Lanes units = Lanes{} + table_.units, places = Lanes{} + table_.places;
    const Lanes gap = Lanes{} + table_.gap;
    const Lanes reciprocal = Lanes{} + (kPairs ? reciprocal_.multiplier : table_.reciprocal);
    const Lanes classes = Lanes{} + reinterpret_cast<uint64_t>(table_.classes);
    const Lanes empty = Lanes{} + reinterpret_cast<uint64_t>(&kNoClass);
    for (int64_t k = 0; k < n; k += kLanes) {
      Lanes unit, low;
      if (kPairs) {
        const Lanes product = ProductOfLowHalves(LanesAt(bits + k), units);
        unit = product >> 32;
        low = product & 0xffffffff;
      } else {
        unit = HighProducts(LanesAt(bits + k), units, &low);
      }
      const Lanes slot = unit >> table_.shift;
      const Lanes block = kPairs ? ProductOfLowHalves(slot, reciprocal) >> reciprocal_.shift
                                 : HighHalves(slot << 1, reciprocal);
      const Lanes place = slot + ProductOfLowHalves(block, gap);
      const Lanes partial = counts_ + ((slot - places) << log_count_size_);
      const Lanes at = Choose(IsLess(slot, places), classes + (place << 2), partial);
      const Lanes fair = reinterpret_cast<Lanes>(low >= table_.unfair);
      Store(Choose(fair, at, empty), at_ + k);
      Store(unit, units_ + k);
      for (int lane = 0; lane < kLanes; ++lane) {
        __builtin_prefetch(reinterpret_cast<const void*>(at_[k + lane]));
      }
    }
  }

  void LookUp(int64_t n) {
    for (int64_t k = 0; k < n; ++k) {
      memcpy(&found_[k], reinterpret_cast<const void*>(at_[k]), sizeof found_[k]);
    }
  }

  CANDSAMP_METHOD unsigned Interpret(int64_t k, Lanes* ids) const {
    const Lanes found = LanesAt(found_ + k);
    const Lanes id = (LanesAt(at_ + k) - counts_) >> log_count_size_;
    const Lanes is_partial = reinterpret_cast<Lanes>(id < static_cast<uint64_t>(table_.range));
    const Lanes of_place = found & 0xffffffff;
    const Lanes part = Lanes{} + ((uint64_t{1} << table_.shift) - 1);
    *ids = Choose(is_partial, id, of_place);
    const Lanes is_empty = reinterpret_cast<Lanes>(of_place == kEmptyPlace);
    return MaskOf(Choose(is_partial, IsLess(found & part, LanesAt(units_ + k) & part), is_empty));
  }

  static constexpr uint64_t kNoClass = kEmptyPlace;

  const SlotTable& table_;
  const uint64_t counts_;  // the address of the counts, short or not
  const int log_count_size_;
  const ShortReciprocal reciprocal_;
  uint64_t at_[kMost + kLanes], units_[kMost + kLanes], found_[kMost + kLanes];
};

void LearnedUnigramDraws(const SlotTable& table, const uint8_t* short_counts,
                         const PhiloxStream& stream, uint64_t first, const uint64_t* bits,
                         int64_t count, int64_t* out) {
  SlotDraws slots(table, short_counts);
  // The draws that have no class yet, and the upper halves of their bits.
  uint64_t left[kMostDraws + kLanes], halves[kMostDraws + kLanes];
  int64_t size = 0;
  const auto leave = [&](Lanes draws, Lanes bits, unsigned none) {
    Pack(draws, none, left + size);
    Pack(bits >> 32, none, halves + size);
    size += __builtin_popcount(none);
  };
  Lanes draws;
  for (int lane = 0; lane < kLanes; ++lane) draws[lane] = lane;
  slots.ForEach(bits, count, [&](int64_t k, Lanes ids, unsigned none) {
    if (k + kLanes <= count) {
      memcpy(out + k, &ids, sizeof ids);
    } else {
      for (int lane = 0; k + lane < count; ++lane) out[k + lane] = static_cast<int64_t>(ids[lane]);
    }
    leave(draws, LanesAt(bits + k), none);
    draws += kLanes;
  });
  const auto again = [&] {
    const int64_t tried = size;
    size = 0;
    Store(Lanes{}, halves + tried);
    slots.ForEach(halves, tried, [&](int64_t k, Lanes ids, unsigned none) {
      const Lanes draws = LanesAt(left + k);
      for (int lane = 0; lane < kLanes && k + lane < tried; ++lane) {
        out[draws[lane]] = static_cast<int64_t>(ids[lane]);
      }
      leave(draws, LanesAt(halves + k), none);
    });
  };
  if (HasPairs(table)) again();
  const RoundKeys keys(stream.key);
  for (uint64_t block = 1; size > 0 && block <= kMostRedraws; ++block) {
    Store(Lanes{}, left + size);
    const Lanes high = Lanes{} + (stream.high + block);
    for (int64_t k = 0; k < size; k += kLanes) {
      const Lanes low = first + LanesAt(left + k);
      Lanes random, unused;
      PhiloxOfLanes<1>(keys, &high, &low, &random, &unused);
      Store(random, halves + k);
    }
    again();
    if (HasPairs(table)) again();
  }
  for (int64_t k = 0; k < size; ++k) {
    out[left[k]] = static_cast<int64_t>((first + left[k]) % static_cast<uint64_t>(table.range));
  }
}

// The highest bit of each of kLanes bytes. Reads eight bytes.
CANDSAMP_FORMULA unsigned HighBits(const uint8_t* bytes) {
  uint64_t eight;
  memcpy(&eight, bytes, sizeof eight);
  // Bit 7 of byte j is moved to bit 56 + j.
  const uint64_t bits = (eight & 0x8080808080808080) * 0x02040810204081 >> 56;
  return static_cast<unsigned>(bits) & ((1u << kLanes) - 1);
}

void LearnedUnigramProbability(const int64_t* counts, const uint8_t* short_counts,
                               const int64_t* ids, int64_t count, double inverse, double* out) {
  // Nothing predicts which classes have long counts. They are set aside and follow.
  ForEachChunk(count, [&](int64_t begin, int64_t n) {
    uint8_t found[kChunk + 8] = {};
    for (int64_t k = 0; k < n; ++k) found[k] = short_counts[ids[begin + k]];
    for (int64_t k = 0; k < n; ++k) {
      out[begin + k] = DoubleOfShortInteger(found[k] + 1) * inverse;
    }
    uint64_t are_long[kChunk + kLanes];
    int64_t size = 0;
    Lanes at;
    for (int lane = 0; lane < kLanes; ++lane) at[lane] = begin + lane;
    for (int64_t k = 0; k < n; k += kLanes, at += kLanes) {
      const unsigned mask = HighBits(found + k);
      Pack(at, mask, are_long + size);
      size += __builtin_popcount(mask);
    }
    for (int64_t k = 0; k < size; ++k) {
      out[are_long[k]] = ProbabilityOfCount(counts[ids[are_long[k]]], inverse);
    }
  });
}

void Scaled(const double* p, int64_t count, double factor, float* out) {
  for (int64_t k = 0; k < count; ++k) out[k] = static_cast<float>(p[k] * factor);
}

void WithinTries(const double* p, int64_t count, double tries, float* out) {
  ForEachChunk(count, [&](int64_t begin, int64_t n) {
    Log1pReductions not_drawn;
    for (int64_t k = 0; k < n; ++k) not_drawn.Set(k, ReduceNotDrawn(p[begin + k]));
    double log_not[kChunk];
    for (int64_t k = 0; k < n; ++k) {
      log_not[k] = LogNotWithinTries(not_drawn[k], p[begin + k], tries);
    }
    ExpReductions reduced;
    for (int64_t k = 0; k < n; ++k) reduced.Set(k, ReduceExpm1NonPositive(log_not[k]));
    for (int64_t k = 0; k < n; ++k) {
      out[begin + k] = static_cast<float>(0.0 - Expm1NonPositiveOf(reduced[k], log_not[k]));
    }
  });
}

void Before(const double* p, int64_t count, double time, float* out) {
  for (int64_t k = 0; k < count; ++k) out[k] = static_cast<float>(ProbabilityBefore(p[k], time));
}

void Clocks(const uint64_t* bits, const double* p, int64_t count, double* out) {
  for (int64_t k = 0; k < count; ++k) out[k] = ClockOf(bits[k], p[k]);
}

}  // namespace

extern const SamplerLoops kSamplers = {
    PhiloxSequence,
    UniformDraws,
    Columns,
    LogUniform,
    LogUniformProbability,
    LogUniformFloatCount,
    LearnedUnigramDraws,
    LearnedUnigramProbability,
    Scaled,
    WithinTries,
    Before,
    Clocks,
};

}  // namespace CANDSAMP_ISA
}  // namespace candsamp
