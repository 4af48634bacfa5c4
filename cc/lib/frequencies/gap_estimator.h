// SPDX-License-Identifier: Apache-2.0
// Estimates how often ids come in a stream, from the gaps between their occurrences, after Yi et
// al. 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations".
//
// Time is the number of ids so far. A hash of an id names a place, which knows
//   last: the time at the end of the batch in which it came last;
//   gap: its mean gap, 0 while none is known;
//   seen: how often it came, up to kEnoughSeen.
//
// A batch of n ids that ends at time t, with k of one place's (AddIds):
//  1. The gap of these occurrences is (t - last) / k on average. Where the place had never come,
//     it is n / k, known from k - 1 gaps; a single occurrence has none.
//  2. Move the mean gap towards it, by the larger of 1 - (1 - rate)^k, which is k steps of an
//     exponential average, and k / (the gaps known with these), which is a plain average.
//  3. Set last to t, and add k to seen.
// The result does not depend on the order of ids in the batch. With a small rate the mean of a gap
// is 1 / p, since steps weigh each gap by its k.
//
// The gap of an id (MeanGaps) is the largest of its places', for a collision only shortens gaps.
#ifndef TF_CANDSAMP_CC_LIB_FREQUENCIES_GAP_ESTIMATOR_H_
#define TF_CANDSAMP_CC_LIB_FREQUENCIES_GAP_ESTIMATOR_H_

#include <cstdint>

namespace candsamp {

// Of `hashes` hashes each has `buckets` places.
struct GapShape {
  int64_t buckets, hashes;

  int64_t places() const { return buckets * hashes; }
  // The state is an array of words, so that a variable can hold it: the time, and for each place
  // last, and seen (upper half) with the bits of the float gap (lower half).
  int64_t state_words() const { return 1 + 2 * places(); }
};

constexpr int64_t kMostGapHashes = 16;
constexpr int64_t kMostGapPlaces = (int64_t{1} << 31) - 1;
constexpr int32_t kEnoughSeen = 1 << 30;

// A place that has not come for this many of its gaps has become rarer: its gap is the time since
// then over this. By chance that happens with a probability of exp(-10).
constexpr double kFadeGaps = 10;

// A place of a batch.
struct PlaceInBatch {
  int64_t place, last, times;
};

// Takes notice of a batch. Any words are a state; those that AddIds never writes give gaps that
// mean nothing. REQUIRES: count >= 0, 0 < rate <= 1, shape.places() <= kMostGapPlaces, and scratch
// of count * shape.hashes elements.
void AddIds(const GapShape& shape, double rate, const int64_t* ids, int64_t count, int64_t* state,
            PlaceInBatch* scratch);

// gaps[k] = the mean gap of ids[k], at least 1. That of an id that came once or never is the time.
void MeanGaps(const GapShape& shape, const int64_t* state, const int64_t* ids, int64_t count,
              float* gaps);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_FREQUENCIES_GAP_ESTIMATOR_H_
