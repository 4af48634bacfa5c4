// SPDX-License-Identifier: Apache-2.0
// Draws the candidates of a batch or of a row, with replacement or distinct.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_CANDIDATES_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_CANDIDATES_H_

#include <cstdint>

#include "cc/lib/core/runtime.h"
#include "cc/lib/sampler_math/draw_limits.h"
#include "cc/lib/sampler_math/expected_count.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

// The candidates that one call asks for.
struct DrawRequest {
  int64_t count;
  bool unique;        // all different
  bool exact_counts;  // see DrawCandidates; without effect unless unique
  // Classes that must not be drawn, each once. The others keep their relative probabilities.
  const int64_t* excluded = nullptr;
  int64_t num_excluded = 0;
};

// Writes request.count classes to `out`, and their expected counts to `expected_count`. Returns the
// rule by which other classes get their expected counts.
//
// Distinct candidates are the first distinct classes in a sequence of independent draws:
//  1. Rejection sampling: draw, and skip classes that were seen before, for at most
//     MostDraws(count) draws.
//  2. If candidates are missing, exponential clocks finish in O(range) time. Each class i that was
//     not seen gets a clock that rings at E_i / p_i, where E_i is exponential. The classes whose
//     clocks ring first are the missing candidates. Their law is that of further draws.
//  3. The number of tries, from which TensorFlow approximates expected counts, goes on as a sum of
//     geometric variates: the tries that the missing candidates would have taken.
//
// With exact_counts, draws count as clocks from the start: they follow each other at exponential
// waiting times. Let tau be the time when the first class beyond the candidates rings. Given tau, a
// class is among the candidates with probability 1 - exp(-p tau), and sums over the candidates
// weighted by the inverse of that are unbiased (Cohen and Kaplan, "Summarizing data using bottom-k
// sketches", 2007).
//
// REQUIRES: count > 0. Enough classes have positive probability and are not excluded: `count` if
// unique, else one.
CountRule DrawCandidates(Runtime& runtime, const Distribution& distribution,
                         const PhiloxStream& stream, const DrawRequest& request, int64_t* out,
                         float* expected_count);

// The most bytes that DrawCandidates allocates, each allocation rounded up to 64 bytes.
int64_t DrawScratchBytes(const DrawRequest& request, int64_t range);

// out[k] = the expected count of ids[k].
void ExpectedCounts(Runtime& runtime, const Distribution& distribution, const CountRule& rule,
                    const int64_t* ids, int64_t count, float* out);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_CANDIDATES_H_
