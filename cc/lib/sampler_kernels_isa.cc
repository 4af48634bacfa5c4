// The hot loops of the samplers, compiled once per instruction set into namespace CANDSAMP_ISA.
//
// Plain loops over branch-free formulas, which the compiler vectorises. Only Philox is written with
// vectors: the compiler does not find the product of 32-bit halves.
#include "cc/lib/sampler_kernels_isa.h"

#include <immintrin.h>
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

// Philox of kLanes counters. Upper halves hold rubbish until the end: products do not read them.
CANDSAMP_FORMULA void PhiloxOfLanes(uint64_t key, Lanes high, Lanes low, uint64_t* out) {
  const Lanes multiplier0 = Lanes{} + kPhiloxMultiplier0;
  const Lanes multiplier1 = Lanes{} + kPhiloxMultiplier1;
  Lanes c0 = low, c1 = low >> 32, c2 = high, c3 = high >> 32;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const Lanes p0 = ProductOfLowHalves(c0, multiplier0);
    const Lanes p1 = ProductOfLowHalves(c2, multiplier1);
    c0 = (p1 >> 32) ^ c1 ^ k0;
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ k1;
    c3 = p0;
    k0 += kPhiloxKeyStep0;
    k1 += kPhiloxKeyStep1;
  }
  const Lanes first = (c0 & 0xffffffff) | c1 << 32;
  const Lanes second = (c2 & 0xffffffff) | c3 << 32;
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
  memcpy(out, &lower, sizeof lower);
  memcpy(out + kLanes, &upper, sizeof upper);
}

void PhiloxSequence(const PhiloxStream& stream, uint64_t block, int64_t blocks, uint64_t* out) {
  Lanes index;
  for (int k = 0; k < kLanes; ++k) index[k] = block + k;
  int64_t b = 0;
  for (; b + kLanes <= blocks; b += kLanes) {
    const Lanes low = stream.low + index;
    // A comparison of lanes is -1 where it holds: the carry.
    const Lanes high = stream.high - reinterpret_cast<Lanes>(low < index);
    PhiloxOfLanes(stream.key, high, low, out + 2 * b);
    index += kLanes;
  }
  for (; b < blocks; ++b) {
    const PhiloxBlock last = BlockOf(stream, block + b);
    memcpy(out + 2 * b, last.bits, sizeof last.bits);
  }
}

void PhiloxAt(uint64_t key, uint64_t high, const uint64_t* lows, int64_t count, uint64_t* out) {
  const Lanes highs = Lanes{} + high;
  int64_t b = 0;
  for (; b + kLanes <= count; b += kLanes) {
    Lanes low;
    memcpy(&low, lows + b, sizeof low);
    PhiloxOfLanes(key, highs, low, out + 2 * b);
  }
  for (; b < count; ++b) {
    const PhiloxBlock last = Philox(key, high, lows[b]);
    memcpy(out + 2 * b, last.bits, sizeof last.bits);
  }
}

// The draw is floor(exp(x)) - 1. Where exp, correct to 2 ulp, comes within 4 ulp of an integer, the
// rounding of exp decides, and the slow exact form is taken instead.
void LogUniform(const uint64_t* bits, int64_t count, const LogUniformRange& range, int64_t* out) {
  constexpr int64_t kBlock = 256;
  const double log_range = range.log_range;
  const int64_t size = range.range;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = begin + kBlock < count ? begin + kBlock : count;
    int64_t undecided = 0;
    for (int64_t k = begin; k < end; ++k) {
      const double u = DoubleOf(UnitMantissa(bits[k]) | 0x3ff0000000000000) - 1.0;
      const double y = ExpWithin2Ulp(u * log_range);
      const double nearest = (y + kTwo52) - kTwo52;
      const double off = y - nearest;
      const double distance = off < 0.0 ? -off : off;
      const double floor = off < 0.0 ? nearest - 1.0 : nearest;
      const int64_t id = static_cast<int64_t>(BitsOfDouble(floor + kTwo52) - kTwo52Bits) - 1;
      // At 2^51 and above `nearest` is no integer near y, or all is within 4 ulp.
      const bool close = (distance <= y * 0x1p-50) | (y >= 0x1p51);
      undecided |= close ? int64_t{1} : int64_t{0};
      out[k] = close ? int64_t{-1} : (id >= size ? id - size : id);
    }
    if (!undecided) continue;
    for (int64_t k = begin; k < end; ++k) {
      if (out[k] < 0) out[k] = LogUniformToNearest(bits[k], range);
    }
  }
}

void LogUniformProbabilities(const int64_t* ids, int64_t count, double inverse_log_range,
                             double* out) {
  for (int64_t k = 0; k < count; ++k) out[k] = LogUniformProbability(ids[k], inverse_log_range);
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
    PhiloxSequence, PhiloxAt,    LogUniform, LogUniformProbabilities,
    Scaled,         WithinTries, Before,     Clocks,
};

}  // namespace CANDSAMP_ISA
}  // namespace candsamp
