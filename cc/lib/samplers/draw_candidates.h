// Draws the candidates of a batch or of a row, with replacement or all different.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_CANDIDATES_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_CANDIDATES_H_

#include <cstdint>

#include "cc/lib/core/runtime.h"
#include "cc/lib/sampler_math/draw_rules.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

struct Draws {
  int64_t count;
  bool unique;
  bool exact_counts;
  // Classes that are not drawn, each once; the others keep their relative probabilities.
  const int64_t* excluded = nullptr;
  int64_t num_excluded = 0;
};

// Writes draws.count classes to `out` and how often each is expected to `expected_count`. Returns
// the rule of expected counts, for other classes.
//
// Distinct candidates are the first distinct ones in the order of independent draws. If
// 64 * count + 1024 draws (1024 for a single one) do not yield them, the others are drawn from the
// same distribution in O(range) time: each class i that was not seen yet gets a clock that rings at
// E_i / p_i, with E_i exponential, and those that ring first are taken. The number of tries it
// would have taken to draw them goes on as a sum of geometric draws.
//
// With exact_counts the draws are taken for clocks from the start: they follow each other at
// exponential waiting times. Given the time tau when the first class beyond the candidates rings,
// any class is among them with probability 1 - exp(-p tau), and sums over the candidates weighted
// by the inverse of that are unbiased (Cohen and Kaplan, "Summarizing data using bottom-k
// sketches", 2007).
//
// REQUIRES: count > 0. There are enough classes of positive probability that are not excluded:
// `count` if unique, else one.
CountRule DrawCandidates(Runtime& runtime, const Distribution& distribution,
                         const PhiloxStream& stream, const Draws& draws, int64_t* out,
                         float* expected_count);

// The most bytes that DrawCandidates allocates, each allocation rounded up to 64 bytes.
int64_t DrawScratchBytes(const Draws& draws, int64_t range);

// out[k] = the expected count of ids[k].
void ExpectedCounts(Runtime& runtime, const Distribution& distribution, const CountRule& rule,
                    const int64_t* ids, int64_t count, float* out);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_CANDIDATES_H_
