// The rules of drawing candidates that all who draw them share: how many draws they try, what
// random numbers they need besides, and which expected counts follow.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_DRAW_RULES_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_DRAW_RULES_H_

#include <math.h>
#include <stdint.h>

#include "cc/lib/core/double_math.h"
#include "cc/lib/core/host_device.h"
#include "cc/lib/core/philox.h"
#include "cc/lib/sampler_math/sampler_formulas.h"

namespace candsamp {

// How many blocks of a stream TensorFlow sets aside for each candidate asked for.
constexpr uint64_t kBlocksPerSample = 512;

// After how many draws distinct candidates are found otherwise. Never more than the blocks set
// aside have words for, two a draw.
CANDSAMP_FORMULA int64_t MostDraws(int64_t count) {
  const int64_t set_aside = static_cast<int64_t>(kBlocksPerSample) * 2 * count;
  const int64_t most = 64 * count + 1024;
  return most < set_aside ? most : set_aside;
}

// How the expected count of a class in the candidates follows from its probability.
struct CountRule {
  enum Kind {
    kProportional,  // parameter * p
    kWithinTries,   // 1 - (1 - p)^parameter: TensorFlow's approximation for distinct candidates
    kClock,         // 1 - exp(-parameter * p): exact for distinct candidates
  };
  Kind kind;
  double parameter;
  double mass = 1;  // of all classes that are not excluded; p is the probability divided by it
};

// The expected count of a class of probability p.
CANDSAMP_FORMULA float ExpectedCount(const CountRule& rule, double p) {
  if (rule.mass != 1) p = p / rule.mass < 1.0 ? p / rule.mass : 1.0;
  switch (rule.kind) {
    case CountRule::kWithinTries:
      return static_cast<float>(ProbabilityWithinTries(p, rule.parameter));
    case CountRule::kClock:
      return static_cast<float>(ProbabilityBefore(p, rule.parameter));
    default:
      return static_cast<float>(p * rule.parameter);
  }
}

// The rule for `count` candidates that `tries` draws found. With exact_counts, the first class
// beyond distinct candidates came at `time`.
CANDSAMP_FORMULA CountRule CountRuleOf(bool unique, bool exact_counts, int64_t count, double tries,
                                       double time, double mass) {
  const double wanted = static_cast<double>(count);
  if (unique && exact_counts) return {CountRule::kClock, time, mass};
  if (unique && tries != wanted) return {CountRule::kWithinTries, tries, mass};
  return {CountRule::kProportional, wanted, mass};
}

// Sums over all classes are taken in one order, whoever takes them: classes in blocks, of which
// each lane adds up every kMassLanes-th one; then lanes are added, then blocks.
constexpr int64_t kClassBlock = 1 << 14;
constexpr int64_t kMassLanes = 256;

// Less mass than this is summed anew: a small difference has few right digits.
constexpr double kLeastDifference = 1.0 / 64;

// What else a call needs besides its draws, each keyed by a block of its own, with counters that no
// draws have.
enum class Purpose { kClocks, kWaiting, kRest };

CANDSAMP_FORMULA PhiloxStream StreamFor(const PhiloxStream& stream, Purpose purpose) {
  const PhiloxStream apart = {stream.key, stream.high ^ (uint64_t{1} << 63), stream.low};
  return Child(apart, static_cast<uint64_t>(purpose));
}

// A uniform double inside (0, 1).
CANDSAMP_FORMULA double OpenUnit(uint64_t bits) {
  return DoubleOf((bits >> 12) | 0x3ff0000000000000) - (1.0 - 0x1p-53);
}

// A draw from the gamma distribution of an integer shape >= 1: the time of the shape-th event when
// one is expected per unit of time. Marsaglia and Tsang (2000), with Marsaglia's polar normals.
CANDSAMP_FORMULA double GammaDraw(const PhiloxStream& stream, double shape) {
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / sqrt(9.0 * d);
  for (uint64_t block = 0;; block += 2) {
    const PhiloxBlock first = BlockOf(stream, block), second = BlockOf(stream, block + 1);
    const double a = 2.0 * OpenUnit(first.bits[0]) - 1.0, b = 2.0 * OpenUnit(first.bits[1]) - 1.0;
    const double square = a * a + b * b;
    if (square >= 1.0 || square == 0.0) continue;
    const double normal = a * sqrt(-2.0 * Log(square) / square);
    const double root = 1.0 + c * normal;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    if (Log(OpenUnit(second.bits[0])) < 0.5 * normal * normal + d - d * v + d * Log(v)) {
      return d * v;
    }
  }
}

// The number of tries up to the first success of probability p.
CANDSAMP_FORMULA double GeometricDraw(uint64_t bits, double p) {
  if (p >= 1.0) return 1.0;
  return 1.0 + floor(Log(OpenUnit(bits)) / Log1p(-p));
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_DRAW_RULES_H_
