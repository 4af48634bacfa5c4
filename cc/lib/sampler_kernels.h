// The hot loops of the samplers, one table of functions per instruction set. All of them give the
// same bits.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_H_

#include <stdint.h>

#include "cc/lib/double_math.h"
#include "cc/lib/host_device.h"
#include "cc/lib/philox.h"

namespace candsamp {

// P(class) of the log-uniform distribution; inverse_log_range = 1 / log(range + 1).
CANDSAMP_FORMULA double LogUniformProbability(int64_t id, double inverse_log_range) {
  return LogOfNextRatio(DoubleOfInteger(id)) * inverse_log_range;
}

// The probability that a class is among `tries` independent draws: 1 - (1 - p)^tries.
CANDSAMP_FORMULA double ProbabilityWithinTries(double p, double tries) {
  const double log_not_drawn = p < 1.0 ? tries * Log1p(p < 1.0 ? -p : 0.0) : -1000.0;
  return -Expm1NonPositive(log_not_drawn);
}

// The probability that an exponential clock of rate p rings before `time`.
CANDSAMP_FORMULA double ProbabilityBefore(double p, double time) {
  return -Expm1NonPositive(-p * time);
}

// When an exponential clock of rate p rings, from 64 random bits; beyond all others when p is 0.
CANDSAMP_FORMULA double ClockOf(uint64_t bits, double p) {
  // u in (0, 1): the middle of one of 2^52 intervals.
  const double u = DoubleOf((bits >> 12) | 0x3ff0000000000000) - (1.0 - 0x1p-53);
  const double exponential = -Log1p(-u);
  return p > 0.0 ? exponential / (p > 0.0 ? p : 1.0) : HUGE_VAL;
}

// What a log-uniform draw needs to know of its range.
struct LogUniformRange {
  int64_t range;
  double log_range;  // log(range + 1), as libm rounds it
};

// The draw whose value a rounding of exp decides.
CANDSAMP_FORMULA int64_t LogUniformToNearest(uint64_t bits, const LogUniformRange& range) {
  const double u = DoubleOf(UnitMantissa(bits) | 0x3ff0000000000000) - 1.0;
  const int64_t id = static_cast<int64_t>(ExpToNearest(u * range.log_range)) - 1;
  return id >= range.range ? id - range.range : id;
}

struct SamplerKernels {
  // out[k] = the k-th 64 bits of the stream from block `block` on, for k < 2 * blocks.
  void (*philox)(const PhiloxStream& stream, uint64_t block, int64_t blocks, uint64_t* out);
  // bits[2k], bits[2k + 1] = the block with counter (high, lows[k]).
  void (*philox_at)(uint64_t key, uint64_t high, const uint64_t* lows, int64_t count,
                    uint64_t* out);

  // out[k] = a log-uniform draw from bits[k].
  void (*log_uniform)(const uint64_t* bits, int64_t count, const LogUniformRange& range,
                      int64_t* out);
  // out[k] = the probability of ids[k].
  void (*log_uniform_probability)(const int64_t* ids, int64_t count, double inverse_log_range,
                                  double* out);

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
