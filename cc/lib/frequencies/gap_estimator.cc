// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/frequencies/gap_estimator.h"

#include <algorithm>

#include "cc/lib/core/bit_cast.h"
#include "cc/lib/core/golden_ratio.h"
#include "cc/lib/sampler_math/slot_table.h"

namespace candsamp {
namespace {

constexpr int64_t kAhead = 16;

int64_t PlaceOf(const GapShape& shape, int64_t id, int64_t hash) {
  const uint64_t salt = static_cast<uint64_t>(hash + 1) * kGoldenRatio;
  const uint64_t bits = Mix(static_cast<uint64_t>(id) + salt);
  return hash * shape.buckets +
         static_cast<int64_t>(HighProduct(bits, static_cast<uint64_t>(shape.buckets)));
}

struct Gap {
  float mean;
  int32_t seen;
};
Gap Unpack(int64_t word) {
  const uint64_t bits = static_cast<uint64_t>(word);
  return {BitCast<float>(static_cast<uint32_t>(bits)), static_cast<int32_t>(bits >> 32)};
}
int64_t Pack(const Gap& gap) {
  return static_cast<int64_t>(static_cast<uint64_t>(static_cast<uint32_t>(gap.seen)) << 32 |
                              BitCast<uint32_t>(gap.mean));
}

// The times of a state that somebody else wrote may be anything.
double Since(int64_t now, int64_t last) {
  return static_cast<double>(
      static_cast<int64_t>(static_cast<uint64_t>(now) - static_cast<uint64_t>(last)));
}

// x^k for k > 0. It has the same bits on every machine.
double Power(double x, int64_t k) {
  double power = 1;
  for (; k > 0; k >>= 1, x *= x) {
    if (k & 1) power *= x;
  }
  return power;
}

Gap After(Gap gap, double since, int64_t times, double rate) {
  const double k = static_cast<double>(times);
  const int64_t seen = std::max<int64_t>(gap.seen, 0);
  const double known = static_cast<double>(std::max<int64_t>(seen - 1, 0));
  if (seen > 0 || times > 1) {
    const double step = std::max(1 - Power(1 - rate, times), k / (known + k));
    const double mean = static_cast<double>(gap.mean);
    gap.mean = static_cast<float>(mean + step * (since / k - mean));
  }
  gap.seen = static_cast<int32_t>(std::min<int64_t>(kEnoughSeen, seen + times));
  return gap;
}

template <typename Use>
void ForEachPlace(const GapShape& shape, const int64_t* ids, int64_t count, const int64_t* places,
                  Use use) {
  for (int64_t k = 0; k < count; ++k) {
    for (int64_t hash = 0; hash < shape.hashes; ++hash) {
      if (k + kAhead < count)
        __builtin_prefetch(places + 2 * PlaceOf(shape, ids[k + kAhead], hash));
      use(k, PlaceOf(shape, ids[k], hash));
    }
  }
}

}  // namespace

void AddIds(const GapShape& shape, double rate, const int64_t* ids, int64_t count, int64_t* state,
            PlaceInBatch* scratch) {
  const int64_t now =
      static_cast<int64_t>(static_cast<uint64_t>(state[0]) + static_cast<uint64_t>(count));
  int64_t* const places = state + 1;
  // Meanwhile ~last is a place's number in the batch, which says so itself.
  int64_t size = 0;
  ForEachPlace(shape, ids, count, places, [&](int64_t, int64_t place) {
    int64_t& last = places[2 * place];
    const int64_t number = ~last;
    if (number >= 0 && number < size && scratch[number].place == place) {
      ++scratch[number].times;
      return;
    }
    scratch[size] = {place, last, 1};
    last = ~size++;
  });
  for (int64_t number = 0; number < size; ++number) {
    const PlaceInBatch& in_batch = scratch[number];
    int64_t* const words = places + 2 * in_batch.place;
    const Gap gap = Unpack(words[1]);
    const double since = gap.seen > 0 ? Since(now, in_batch.last) : static_cast<double>(count);
    words[0] = now;
    words[1] = Pack(After(gap, since, in_batch.times, rate));
  }
  state[0] = now;
}

void MeanGaps(const GapShape& shape, const int64_t* state, const int64_t* ids, int64_t count,
              float* gaps) {
  const int64_t now = state[0];
  const int64_t* const places = state + 1;
  std::fill_n(gaps, count, 1.0f);
  ForEachPlace(shape, ids, count, places, [&](int64_t k, int64_t place) {
    const Gap gap = Unpack(places[2 * place + 1]);
    const double faded = Since(now, places[2 * place]) / kFadeGaps;
    const float mean =
        gap.mean > 0 ? std::max(gap.mean, static_cast<float>(faded)) : static_cast<float>(now);
    gaps[k] = std::max(gaps[k], mean);
  });
}

}  // namespace candsamp
