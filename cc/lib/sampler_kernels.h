// The hot loops of the samplers, one table of functions per instruction set. All of them give the
// same bits.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_H_

#include <stdint.h>

#include "cc/lib/philox.h"
#include "cc/lib/sampler_math.h"
#include "cc/lib/slot_table.h"

namespace candsamp {

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
