// SPDX-License-Identifier: Apache-2.0
// The expected count of a class among the candidates.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_EXPECTED_COUNT_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_EXPECTED_COUNT_H_

#include <stdint.h>

#include "cc/lib/core/double_math.h"
#include "cc/lib/core/host_device.h"

namespace candsamp {

// The probability that a class is among `tries` independent draws: 1 - (1 - p)^tries, computed from
// the logarithm of its complement.
CANDSAMP_FORMULA Log1pReduction ReduceNotDrawn(double p) { return ReduceLog1p(p < 1.0 ? -p : 0.0); }
CANDSAMP_FORMULA double LogNotWithinTries(const Log1pReduction& not_drawn, double p, double tries) {
  return p < 1.0 ? tries * Log1pOf(not_drawn) : -1000.0;
}
CANDSAMP_FORMULA double ProbabilityWithinTries(double p, double tries) {
  const double log_not = LogNotWithinTries(ReduceNotDrawn(p), p, tries);
  return 0.0 - Expm1NonPositive(log_not);  // a minus sign would give -0
}

// The probability that an exponential clock of rate p rings before `time`.
CANDSAMP_FORMULA double ProbabilityBefore(double p, double time) {
  return 0.0 - Expm1NonPositive(-p * time);
}

// How the expected count of a class among the candidates follows from its probability p.
struct CountRule {
  enum Kind {
    kProportional,  // parameter * p
    kWithinTries,   // 1 - (1 - p)^parameter: TensorFlow's approximation for distinct candidates
    kClock,         // 1 - exp(-parameter * p): exact for distinct candidates
  };
  Kind kind;
  double parameter;
  double mass = 1;  // of all classes that are not excluded, see ProbabilityAmongRest
};

// The probability p of a class once the excluded classes, all but `mass`, are left out. `mass` is
// rounded, so the quotient could exceed 1.
CANDSAMP_FORMULA double ProbabilityAmongRest(double p, double mass) {
  return p / mass < 1.0 ? p / mass : 1.0;
}

// The expected count of a class of probability p.
CANDSAMP_FORMULA float ExpectedCount(const CountRule& rule, double p) {
  if (rule.mass != 1) p = ProbabilityAmongRest(p, rule.mass);
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

// Every device sums the probabilities of all classes in the same order, so that all get the same
// bits:
//  1. Cut the classes into blocks of kClassBlock.
//  2. In a block, lane k adds up the classes k, k + kMassLanes and so on.
//  3. Add the lanes of each block in order, then the blocks in order.
constexpr int64_t kClassBlock = 1 << 14;
constexpr int64_t kMassLanes = 256;

// The mass of the classes that are not excluded is 1 minus the excluded ones. A difference below
// this has few correct digits, and the sum over all classes takes its place.
constexpr double kLeastDifference = 1.0 / 64;

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_EXPECTED_COUNT_H_
