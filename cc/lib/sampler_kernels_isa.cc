// The hot loops of the samplers, compiled once per instruction set into namespace CANDSAMP_ISA.
//
// Plain loops over branch-free formulas, which the compiler vectorises. Only what multiplies 64-bit
// integers is written with vectors: the compiler does not find the product of 32-bit halves.
#include "cc/lib/sampler_kernels_isa.h"

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

namespace candsamp {
namespace CANDSAMP_ISA {
namespace {

// 64-bit lanes, of which Philox's words use the lower halves.
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

// The keys of all rounds.
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

// As many vectors at a time as hide the latency of a product.
constexpr int kVectors = 2;
constexpr int kBlocksAtATime = kVectors * kLanes;

// Philox of kBlocksAtATime counters. Upper halves hold rubbish until the end: products do not read
// them.
CANDSAMP_FORMULA void PhiloxOfLanes(const RoundKeys& keys, const Lanes* high, const Lanes* low,
                                    uint64_t* out) {
  const Lanes multiplier0 = Lanes{} + kPhiloxMultiplier0;
  const Lanes multiplier1 = Lanes{} + kPhiloxMultiplier1;
  Lanes c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    c0[v] = low[v];
    c1[v] = low[v] >> 32;
    c2[v] = high[v];
    c3[v] = high[v] >> 32;
  }
#pragma GCC unroll 10
  for (int round = 0; round < kPhiloxRounds; ++round) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const Lanes p0 = ProductOfLowHalves(c0[v], multiplier0);
      const Lanes p1 = ProductOfLowHalves(c2[v], multiplier1);
      c0[v] = (p1 >> 32) ^ c1[v] ^ keys.first[round];
      c1[v] = p1;
      c2[v] = (p0 >> 32) ^ c3[v] ^ keys.second[round];
      c3[v] = p0;
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    const Lanes first = (c0[v] & 0xffffffff) | c1[v] << 32;
    const Lanes second = (c2[v] & 0xffffffff) | c3[v] << 32;
#if defined(__AVX512F__)
    const Lanes lower = __builtin_shufflevector(first, second, 0, 8, 1, 9, 2, 10, 3, 11);
    const Lanes upper = __builtin_shufflevector(first, second, 4, 12, 5, 13, 6, 14, 7, 15);
#elif defined(__AVX2__)
    const Lanes lower = __builtin_shufflevector(first, second, 0, 4, 1, 5);
    const Lanes upper = __builtin_shufflevector(first, second, 2, 6, 3, 7);
#else
    const Lanes lower = __builtin_shufflevector(first, second, 0, 2);
    const Lanes upper = __builtin_shufflevector(first, second, 1, 3);
#endif
    memcpy(out + 2 * kLanes * v, &lower, sizeof lower);
    memcpy(out + 2 * kLanes * v + kLanes, &upper, sizeof upper);
  }
}

void PhiloxSequence(const PhiloxStream& stream, uint64_t block, int64_t blocks, uint64_t* out) {
  const RoundKeys keys(stream.key);
  Lanes index[kVectors];
  for (int k = 0; k < kBlocksAtATime; ++k) index[k / kLanes][k % kLanes] = block + k;
  int64_t b = 0;
  for (; b + kBlocksAtATime <= blocks; b += kBlocksAtATime) {
    Lanes low[kVectors], high[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      low[v] = stream.low + index[v];
      // A comparison of lanes is -1 where it holds: the carry.
      high[v] = stream.high - reinterpret_cast<Lanes>(low[v] < index[v]);
      index[v] += kBlocksAtATime;
    }
    PhiloxOfLanes(keys, high, low, out + 2 * b);
  }
  for (; b < blocks; ++b) {
    const PhiloxBlock last = BlockOf(stream, block + b);
    memcpy(out + 2 * b, last.bits, sizeof last.bits);
  }
}

void PhiloxAt(uint64_t key, uint64_t high, const uint64_t* lows, int64_t count, uint64_t* out) {
  const RoundKeys keys(key);
  Lanes highs[kVectors];
  for (int v = 0; v < kVectors; ++v) highs[v] = Lanes{} + high;
  int64_t b = 0;
  for (; b + kBlocksAtATime <= count; b += kBlocksAtATime) {
    Lanes low[kVectors];
    memcpy(low, lows + b, sizeof low);
    PhiloxOfLanes(keys, highs, low, out + 2 * b);
  }
  for (; b < count; ++b) {
    const PhiloxBlock last = Philox(key, high, lows[b]);
    memcpy(out + 2 * b, last.bits, sizeof last.bits);
  }
}

// The high halves of products, and bits mod n as UniformDraw has it.
CANDSAMP_FORMULA Lanes HighProducts(Lanes a, Lanes b) {
  const Lanes a1 = a >> 32, b1 = b >> 32;
  const Lanes low = ProductOfLowHalves(a, b);
  const Lanes middle0 = ProductOfLowHalves(a1, b) + (low >> 32);
  const Lanes middle1 = ProductOfLowHalves(a, b1) + (middle0 & 0xffffffff);
  return ProductOfLowHalves(a1, b1) + (middle0 >> 32) + (middle1 >> 32);
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
      const Lanes quotient = HighProducts(x, reciprocal);
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

// The draw is floor(exp(x)) - 1. Where an integer lies within 4 ulp of exp, correct to 2 ulp, the
// rounding of exp decides, and the slow exact form is taken instead. So it is at the upper end of
// the range, and from 2^50 on.
void LogUniform(const uint64_t* bits, int64_t count, const LogUniformRange& range, int64_t* out) {
  constexpr int64_t kBlock = 256;
  const double log_range = range.log_range;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = begin + kBlock < count ? begin + kBlock : count;
    uint64_t undecided = 0;
    for (int64_t k = begin; k < end; ++k) {
      const double u = DoubleOf(UnitMantissa(bits[k]) | 0x3ff0000000000000) - 1.0;
      const double y = ExpWithin2Ulp(u * log_range);
      const double lower = floor(y * (1.0 - 0x1p-50));
      const double upper = floor(y * (1.0 + 0x1p-50));
      const int64_t id = static_cast<int64_t>(BitsOfDouble(lower + kTwo52) - (kTwo52Bits + 1));
      out[k] = lower == upper ? id : int64_t{-1};
      undecided |= BitsOfDouble(lower) ^ BitsOfDouble(upper);
    }
    if (undecided == 0) continue;
    for (int64_t k = begin; k < end; ++k) {
      if (out[k] < 0) out[k] = LogUniformToNearest(bits[k], range);
    }
  }
}

void LogUniformProbabilities(const int64_t* ids, int64_t count, const LogUniformRange& range,
                             double* out) {
  const double inverse = 1.0 / range.log_range;
  if (range.range <= int64_t{1} << 52) {
    for (int64_t k = 0; k < count; ++k) {
      out[k] = LogOfNextRatio(DoubleOfShortInteger(ids[k])) * inverse;
    }
  } else {
    for (int64_t k = 0; k < count; ++k) out[k] = LogUniformProbability(ids[k], range);
  }
}

int64_t ProposeAll(const uint64_t* bits, uint64_t* draws, int64_t count, const SlotTable& table,
                   Proposals* out) {
  int64_t places = 0, partials = 0, rejected = 0, k = 0;
#if defined(__AVX512F__)
  const Lanes proposals = Lanes{} + table.proposals;
  const Lanes place_mask = Lanes{} + ((uint64_t{1} << table.block_shift) - 1);
  const auto vector = [](Lanes lanes) { return reinterpret_cast<__m512i>(lanes); };
  // Writes the lanes of the mask, packed, and rubbish after them.
  const auto append = [&](uint64_t* to, __mmask8 mask, Lanes lanes) {
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi64(mask, vector(lanes)));
  };
  for (; k + kLanes <= count; k += kLanes) {
    Lanes a, b, draw;
    memcpy(&a, bits + 2 * k, sizeof a);
    memcpy(&b, bits + 2 * k + kLanes, sizeof b);
    memcpy(&draw, draws + k, sizeof draw);
    const Lanes first = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
    const Lanes second = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
    const Lanes index = HighProducts(first, proposals);
    const __mmask8 fair =
        _mm512_cmpge_epu64_mask(vector(first * proposals), vector(Lanes{} + table.unfair));
    const __mmask8 is_partial =
        _mm512_cmpge_epu64_mask(vector(index), vector(Lanes{} + table.places));
    const Lanes any_block = index >> table.block_shift;
    const Lanes last_block = Lanes{} + table.last_block;
    const Lanes block = any_block < last_block ? any_block : last_block;
    // 32 bits are read, of which the lower 16 are the block's.
    const __m256i words =
        _mm512_mask_i64gather_epi32(_mm256_setzero_si256(), 0xff, vector(block), table.taken, 2);
    const Lanes taken = reinterpret_cast<Lanes>(_mm512_maskz_cvtepu32_epi64(0xff, words)) & 0xffff;
    const __mmask8 is_place =
        _mm512_cmplt_epu64_mask(vector(index & place_mask), vector(taken)) & ~is_partial & fair;
    const __mmask8 partial = is_partial & fair;
    const __mmask8 nothing = static_cast<__mmask8>(~(is_place | partial));
    append(out->place + places, is_place, index);
    append(out->place_draw + places, is_place, draw);
    append(out->partial + partials, partial, index - table.places);
    append(out->fill + partials, partial, second & table.full);
    append(out->partial_draw + partials, partial, draw);
    append(draws + rejected, nothing, draw);
    places += __builtin_popcount(is_place);
    partials += __builtin_popcount(partial);
    rejected += __builtin_popcount(nothing);
  }
#endif
  for (; k < count; ++k) {
    const uint64_t draw = draws[k];
    uint64_t index;
    const Proposed proposed = Propose(bits[2 * k], table, &index);
    out->place[places] = index;
    out->place_draw[places] = draw;
    out->partial[partials] = index;
    out->fill[partials] = bits[2 * k + 1] & table.full;
    out->partial_draw[partials] = draw;
    draws[rejected] = draw;
    places += proposed == Proposed::kPlace;
    partials += proposed == Proposed::kPartial;
    rejected += proposed == Proposed::kNothing;
  }
  out->places = places;
  out->partials = partials;
  return rejected;
}

void Scaled(const double* p, int64_t count, double factor, float* out) {
  for (int64_t k = 0; k < count; ++k) out[k] = static_cast<float>(p[k] * factor);
}

void WithinTries(const double* p, int64_t count, double tries, float* out) {
  for (int64_t k = 0; k < count; ++k) {
    out[k] = static_cast<float>(ProbabilityWithinTries(p[k], tries));
  }
}

void Before(const double* p, int64_t count, double time, float* out) {
  for (int64_t k = 0; k < count; ++k) out[k] = static_cast<float>(ProbabilityBefore(p[k], time));
}

void Clocks(const uint64_t* bits, const double* p, int64_t count, double* out) {
  for (int64_t k = 0; k < count; ++k) out[k] = ClockOf(bits[k], p[k]);
}

}  // namespace

extern const SamplerKernels kSamplers = {
    PhiloxSequence, PhiloxAt, UniformDraws, LogUniform, LogUniformProbabilities,
    ProposeAll,     Scaled,   WithinTries,  Before,     Clocks,
};

}  // namespace CANDSAMP_ISA
}  // namespace candsamp
