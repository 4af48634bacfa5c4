// The hot loops of the samplers, one table of functions per instruction set. All of them give the
// same bits.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_H_

#include <stdint.h>

#include "cc/lib/double_math.h"
#include "cc/lib/host_device.h"
#include "cc/lib/philox.h"

namespace candsamp {

// Maps 64 random bits to [0, n) without bias, by rejection of the lowest 2^64 mod n values.
struct UniformRange {
  uint64_t n;
  uint64_t rejected;    // bits below are drawn again
  uint64_t reciprocal;  // floor(2^64 / n), or 0 when n is a power of two
};

CANDSAMP_FORMULA UniformRange MakeUniformRange(uint64_t n) {
  if ((n & (n - 1)) == 0) return {n, 0, 0};
  return {n, ~uint64_t{0} % n + 1, ~uint64_t{0} / n};
}

CANDSAMP_FORMULA uint64_t HighProduct(uint64_t a, uint64_t b) {
#ifdef __CUDA_ARCH__
  return __umul64hi(a, b);
#else
  return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
#endif
}

// bits mod n.
CANDSAMP_FORMULA uint64_t UniformDraw(uint64_t bits, const UniformRange& range) {
  if (range.reciprocal == 0) return bits & (range.n - 1);
  // The quotient is right or one too small.
  const uint64_t rest = bits - HighProduct(bits, range.reciprocal) * range.n;
  return rest >= range.n ? rest - range.n : rest;
}

// The same for 32 bits.
struct ColumnRange {
  uint32_t n;
  uint32_t rejected;
  uint32_t reciprocal;
};

CANDSAMP_FORMULA ColumnRange MakeColumnRange(uint32_t n) {
  if ((n & (n - 1)) == 0) return {n, 0, 0};
  return {n, ~uint32_t{0} % n + 1, ~uint32_t{0} / n};
}

CANDSAMP_FORMULA uint32_t ColumnDraw(uint32_t bits, const ColumnRange& range) {
  if (range.reciprocal == 0) return bits & (range.n - 1);
  const uint32_t quotient =
      static_cast<uint32_t>((static_cast<uint64_t>(bits) * range.reciprocal) >> 32);
  const uint32_t rest = bits - quotient * range.n;
  return rest >= range.n ? rest - range.n : rest;
}

// A draw from an alias table, not yet looked up: the column above the fraction that decides
// between the column's two classes.
CANDSAMP_FORMULA int64_t ColumnAndFraction(uint32_t fraction, uint32_t bits,
                                           const ColumnRange& range) {
  return static_cast<int64_t>(static_cast<uint64_t>(ColumnDraw(bits, range)) << 32 | fraction);
}

// The log-uniform distribution: P(k) = log((k + 2) / (k + 1)) / log(range + 1).
struct LogUniformRange {
  int64_t range;
  double log_range;  // log(range + 1), as libm rounds it
};

// P(id) * factor.
CANDSAMP_FORMULA double LogUniformCount(int64_t id, const LogUniformRange& range, double factor) {
  return HalfLogOfNextRatio(1.0 / (2.0 * DoubleOfInteger(id) + 3.0)) *
         (2.0 / range.log_range * factor);
}

// The probability that a class is among `tries` independent draws: 1 - (1 - p)^tries, by way of the
// logarithm of its complement.
CANDSAMP_FORMULA Log1pReduction ReduceNotDrawn(double p) { return ReduceLog1p(p < 1.0 ? -p : 0.0); }
CANDSAMP_FORMULA double LogNotWithinTries(const Log1pReduction& not_drawn, double p, double tries) {
  return p < 1.0 ? tries * Log1pOf(not_drawn) : -1000.0;
}
CANDSAMP_FORMULA double ProbabilityWithinTries(double p, double tries) {
  const double log_not = LogNotWithinTries(ReduceNotDrawn(p), p, tries);
  return 0.0 - Expm1NonPositive(log_not);  // not -0
}

// The probability that an exponential clock of rate p rings before `time`.
CANDSAMP_FORMULA double ProbabilityBefore(double p, double time) {
  return 0.0 - Expm1NonPositive(-p * time);
}

// When an exponential clock of rate p rings, from 64 random bits; beyond all others when p is 0.
CANDSAMP_FORMULA double ClockOf(uint64_t bits, double p) {
  // u in (0, 1): the middle of one of 2^52 intervals.
  const double u = DoubleOf((bits >> 12) | 0x3ff0000000000000) - (1.0 - 0x1p-53);
  const double exponential = -Log1p(-u);
  return p > 0.0 ? exponential / (p > 0.0 ? p : 1.0) : HUGE_VAL;
}

// A log-uniform draw whose value the rounding of exp may decide.
CANDSAMP_FORMULA int64_t LogUniformToNearest(uint64_t bits, const LogUniformRange& range) {
  const double u = DoubleOf(UnitMantissa(bits) | 0x3ff0000000000000) - 1.0;
  const int64_t id = static_cast<int64_t>(ExpToNearest(u * range.log_range)) - 1;
  return id >= range.range ? id - range.range : id;
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

// What up to kMost draws were proposed.
struct Proposals {
  static constexpr int64_t kMost = 512;
  int64_t size;
  uint64_t unit[kMost], draw[kMost];
};

struct SamplerKernels {
  // out[k] = the k-th 64 bits of the stream from block `block` on, for k < 2 * blocks.
  void (*philox)(const PhiloxStream& stream, uint64_t block, int64_t blocks, uint64_t* out);
  // out[k] = the first 64 bits of the block with counter (high, lows[k]).
  void (*philox_at)(uint64_t key, uint64_t high, const uint64_t* lows, int64_t count,
                    uint64_t* out);

  // out[k] = UniformDraw(bits[k]). Returns whether any of them is to be rejected.
  bool (*uniform)(const uint64_t* bits, int64_t count, const UniformRange& range, int64_t* out);

  // out[k] = ColumnAndFraction(words[2k], words[2k + 1]). Returns whether any of the latter is to
  // be rejected.
  bool (*columns)(const uint32_t* words, int64_t count, const ColumnRange& range, int64_t* out);

  // out[k] = a log-uniform draw from bits[k].
  void (*log_uniform)(const uint64_t* bits, int64_t count, const LogUniformRange& range,
                      int64_t* out);
  // out[k] = the probability of ids[k]; counts[k] = the probability of ids[k] times `factor`.
  void (*log_uniform_probability)(const int64_t* ids, int64_t count, const LogUniformRange& range,
                                  double* out);
  void (*log_uniform_count)(const int64_t* ids, int64_t count, const LogUniformRange& range,
                            double factor, float* counts);

  // The proposals of draws[0 .. count), from bits[k]; the classes and the counts they lead to are
  // on their way into the cache. Moves the draws that are proposed nothing to the front and returns
  // how many. draws has room for Proposals::kMost.
  int64_t (*propose)(const uint64_t* bits, uint64_t* draws, int64_t count, const SlotTable& table,
                     Proposals* proposals);

  // out[k] = p[k] * factor; ProbabilityWithinTries; ProbabilityBefore.
  void (*scaled)(const double* p, int64_t count, double factor, float* out);
  void (*within_tries)(const double* p, int64_t count, double tries, float* out);
  void (*before)(const double* p, int64_t count, double time, float* out);

  // out[k] = ClockOf(bits[k], p[k]).
  void (*clocks)(const uint64_t* bits, const double* p, int64_t count, double* out);
};

const SamplerKernels& ChosenSamplerKernels();

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_H_
