// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/classes/class_gradients.h"

#include <cstdint>

#include "cc/lib/rows/merge_long_groups.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/segments.h"

namespace candsamp {
namespace {

// A gradient of more bytes than this would leave the last-level cache before anyone uses it.
constexpr int64_t kLargestCached = int64_t{32} << 20;

}  // namespace

template <typename W>
void SumClassRows(Runtime& runtime, const ClassGroups<Occurrence<Accumulator<W>>>& groups,
                  int64_t first, int64_t last, const Accumulator<W>* inputs, int64_t depth,
                  W* out) {
  using A = Accumulator<W>;
  const RowLoops<W>& loops = ChosenRowLoops<W>();
  const RowLoops<A>& accumulator_loops = ChosenRowLoops<A>();
  const int64_t origin = groups.start(first);
  const Segments segments(last - first,
                          [&](int64_t g) { return groups.start(first + g) - origin; });
  A* partial_sums = runtime.Allocate<A>(segments.slots() * depth);
  const bool bypass_caches =
      (last - first) * depth * static_cast<int64_t>(sizeof(W)) > kLargestCached;
  const auto sum_rows = bypass_caches ? loops.non_temporal_weighted_sum : loops.weighted_sum;
  segments.ForEach(
      runtime, 16 + depth,
      [&](const Segment& segment) {
        const A* rows[kSegmentLength];
        A gradients[kSegmentLength];
        const int64_t begin = groups.start(first + segment.group) + segment.begin;
        const int64_t count = segment.end - segment.begin;
        for (int64_t k = 0; k < count; ++k) {
          rows[k] = inputs + groups.entry(begin + k).row * depth;
          gradients[k] = groups.entry(begin + k).gradient;
        }
        if (segment.slot < 0) {
          sum_rows(rows, gradients, count, depth, out + segment.group * depth);
        } else {
          accumulator_loops.weighted_sum(rows, gradients, count, depth,
                                         partial_sums + segment.slot * depth);
        }
      },
      NonTemporalFence);
  MergeLongGroups(
      runtime, segments.long_groups(), partial_sums, depth,
      [&](int64_t g, const A* sum) { loops.scale_and_narrow(sum, A(1), depth, out + g * depth); });
}

template <typename W>
void SumClassBiases(Runtime& runtime, const ClassGroups<Occurrence<Accumulator<W>>>& groups,
                    int64_t first, int64_t last, W* out) {
  runtime.ParallelFor(last - first, 8, [&](int64_t begin, int64_t end) {
    for (int64_t g = first + begin; g < first + end; ++g) {
      double sum = 0;
      for (int64_t k = groups.start(g); k < groups.start(g + 1); ++k) {
        sum += groups.entry(k).gradient;
      }
      Narrow(static_cast<Accumulator<W>>(sum), &out[g - first]);
    }
  });
}

#define CANDSAMP_INSTANTIATE(W)                                                                    \
  template void SumClassRows<W>(Runtime&, const ClassGroups<Occurrence<Accumulator<W>>>&, int64_t, \
                                int64_t, const Accumulator<W>*, int64_t, W*);                      \
  template void SumClassBiases<W>(Runtime&, const ClassGroups<Occurrence<Accumulator<W>>>&,        \
                                  int64_t, int64_t, W*);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
