// SPDX-License-Identifier: Apache-2.0
// The hot loops of the samplers: a struct of functions for each instruction set. All of them give
// the same bits.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_LOOPS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_LOOPS_H_

#include <stdint.h>

#include "cc/lib/core/philox.h"
#include "cc/lib/sampler_math/sampler_formulas.h"
#include "cc/lib/sampler_math/slot_table.h"

namespace candsamp {

// Callers hand this many values to a loop at a time: the buffers stay in the first-level cache.
constexpr int64_t kDrawChunk = 512;

// The most draws at a time of a loop in which some draws take several attempts.
constexpr int64_t kMostDraws = 2048;

struct SamplerLoops {
  // out[k] = the k-th 64 bits of the stream from block `block` on, for k < 2 * blocks.
  void (*philox)(const PhiloxStream& stream, uint64_t block, int64_t blocks, uint64_t* out);
  // out[k] = UniformDraw(bits[k]). Returns whether bits[k] is rejected for any k.
  bool (*uniform)(const uint64_t* bits, int64_t count, const UniformRange& range, int64_t* out);

  // out[k] = ColumnAndFraction(words[2k], words[2k + 1]). Returns whether words[2k + 1] is rejected
  // for any k.
  bool (*columns)(const uint32_t* words, int64_t count, const ColumnRange& range, int64_t* out);

  // out[k] = a log-uniform draw from bits[k].
  void (*log_uniform)(const uint64_t* bits, int64_t count, const LogUniformRange& range,
                      int64_t* out);
  // out[k] = the probability of ids[k]; counts[k] = the probability of ids[k] times `factor`.
  void (*log_uniform_probability)(const int64_t* ids, int64_t count, const LogUniformRange& range,
                                  double* out);
  void (*log_uniform_count)(const int64_t* ids, int64_t count, const LogUniformRange& range,
                            double factor, float* counts);

  // out[k] = LearnedUnigramDraw(table, stream, first + k, bits[k]), for k < count <= kMostDraws.
  // short_counts is null, or has the ShortCount of each class. Reads past the end: 7 bytes of
  // short_counts, 7 words of bits, one entry of table.classes.
  void (*learned_unigram)(const SlotTable& table, const uint8_t* short_counts,
                          const PhiloxStream& stream, uint64_t first, const uint64_t* bits,
                          int64_t count, int64_t* out);
  // out[k] = ProbabilityOfCount(counts[ids[k]], inverse). REQUIRES: short_counts has the ShortCount
  // of each class.
  void (*learned_unigram_probability)(const int64_t* counts, const uint8_t* short_counts,
                                      const int64_t* ids, int64_t count, double inverse,
                                      double* out);

  // out[k] = p[k] * factor, ProbabilityWithinTries(p[k], tries), ProbabilityBefore(p[k], time).
  void (*scaled)(const double* p, int64_t count, double factor, float* out);
  void (*within_tries)(const double* p, int64_t count, double tries, float* out);
  void (*before)(const double* p, int64_t count, double time, float* out);

  // out[k] = ClockOf(bits[k], p[k]).
  void (*clocks)(const uint64_t* bits, const double* p, int64_t count, double* out);
};

const SamplerLoops& ChosenSamplerLoops();

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_LOOPS_H_
