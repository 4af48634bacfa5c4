// SPDX-License-Identifier: Apache-2.0
// How device code sees a distribution: as a View, a plain value that may point to device memory.
//
// A View takes 128 random bits of a Philox stream at a time:
// 1. Start(stream) is the stream that the draws come from.
// 2. Feed(counter, random, carry, emit) calls emit(draw) for each RandomDraw, at most two, that the
//    bits at this counter of the stream yield. It is cheap: it decides which draws are rejected,
//    not which classes are drawn. `carry` is what it hands on to the next counter.
// 3. Class(stream, draw) is the class that is drawn. Draw(stream, draw, factor) is the class and
//    its expected count.
// kRejects says whether Feed may yield fewer than two draws. Then the position of a draw's bits
// depends on all draws before it.
//
// Also, Probability(id) is a class's probability, and ExpectedCount(id, factor) is that times the
// factor; range is the number of classes, and support() that of the classes that can be drawn.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_DISTRIBUTION_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_DISTRIBUTION_H_

#include "cc/cuda/core/device.h"
#include "cc/lib/core/philox.h"

namespace candsamp {

// The random bits that decide a draw.
struct RandomDraw {
  uint64_t bits;
  uint64_t more;  // the draw's number, or for a FixedUnigramView its fraction
};

struct DrawnClass {
  int64_t id;
  float expected_count;
};

// What Feed hands on from one counter to the next: the fraction of a draw that lacks its column.
struct Carry {
  uint32_t holds;  // 1 with a fraction, 0 without
  uint32_t fraction;
};

// Feed for draws of 64 bits each: draw k is made of number k of the stream.
template <typename Emit>
CANDSAMP_DEVICE void FeedPairs(uint64_t counter, const PhiloxBlock& random, Emit emit) {
  emit(RandomDraw{random.bits[0], 2 * counter});
  emit(RandomDraw{random.bits[1], 2 * counter + 1});
}

// The effect of feeding some bits, for either Carry to begin with: without a fraction [0], or with
// one [1]. Transitions compose, so that a scan over threads finds where each one's draws begin.
struct Transition {
  uint32_t emitted[2];
  Carry end[2];
  bool keeps;  // whether the fraction held at the beginning is held at the end
};

CANDSAMP_FORMULA Transition NoTransition() { return {{0, 0}, {{0, 0}, {1, 0}}, true}; }

CANDSAMP_FORMULA Carry After(const Transition& transition, const Carry& carry) {
  return carry.holds && transition.keeps ? carry : transition.end[carry.holds];
}

struct Compose {
  CANDSAMP_DEVICE Transition operator()(const Transition& first, const Transition& second) const {
    Transition both;
    for (int k = 0; k < 2; ++k) {
      const Carry between = first.end[k];
      both.emitted[k] = first.emitted[k] + second.emitted[between.holds];
      both.end[k] = After(second, between);
    }
    both.keeps = first.keeps && second.keeps;
    return both;
  }
};

// REQUIRES: random[k] are the bits at counter `first` + k of the stream, for 0 <= k < count.
template <typename View>
CANDSAMP_DEVICE Transition TransitionOf(const View& view, uint64_t first, const PhiloxBlock* random,
                                        int64_t count) {
  Transition transition = NoTransition();
  for (int k = 0; k < 2; ++k) {
    for (int64_t j = 0; j < count; ++j) {
      view.Feed(first + j, random[j], &transition.end[k],
                [&](const RandomDraw&) { ++transition.emitted[k]; });
    }
  }
  transition.keeps = transition.end[1].holds && transition.emitted[1] == 0;
  return transition;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_DISTRIBUTION_H_
