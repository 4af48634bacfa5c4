// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/optimizers/distinct_rows.h"

#include <algorithm>
#include <vector>

#include "cc/lib/classes/class_groups.h"
#include "cc/lib/classes/id_set.h"
#include "cc/lib/rows/merge_long_groups.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/segments.h"

namespace candsamp {
namespace {

// Up to so many ids a set on one thread is faster than to sort them on all.
constexpr int64_t kMostInSet = 16384;

bool Ascend(const int64_t* ids, int64_t count) {
  bool ascend = true;
  for (int64_t k = 1; k < count; ++k) ascend &= ids[k - 1] < ids[k];
  return ascend;
}

bool AllNewInSet(Runtime& runtime, const int64_t* ids, int64_t count, int64_t num_rows) {
  IdSet seen(runtime.Allocate<uint64_t>(IdSet::Words(count, num_rows)), count, num_rows);
  for (int64_t k = 0; k < count; ++k) {
    if (!seen.Insert(ids[k])) return false;
  }
  return true;
}

// Where a row occurs among the slices.
struct Place {
  uint32_t key;  // see ClassGroups
  int64_t position;
};

struct Places {
  const int64_t* ids;

  int64_t Id(int64_t position) const { return ids[position]; }
  template <typename Emit>
  void ForEach(int64_t begin, int64_t end, Emit emit) const {
    for (int64_t k = begin; k < end; ++k) emit(ids[k], Place{0, k});
  }
};

}  // namespace

template <typename A>
DistinctRows<A> SumRepeatedRows(Runtime& runtime, const int64_t* ids, int64_t count,
                                int64_t num_rows, const A* gradients, int64_t depth) {
  const DistinctRows<A> unchanged = {ids, count, gradients, nullptr};
  if (Ascend(ids, count)) return unchanged;
  if (count <= kMostInSet && AllNewInSet(runtime, ids, count, num_rows)) return unchanged;
  const ClassGroups<Place> groups(runtime, count, num_rows, Places{ids});
  if (groups.size() == count) return unchanged;

  // The rows that occur several times: repeated[r] is a group, and the sums before it have taken
  // first_of[r] places.
  std::vector<int64_t> repeated, first_of = {0};
  const A** rows = runtime.Allocate<const A*>(groups.size());
  for (int64_t g = 0; g < groups.size(); ++g) {
    const int64_t size = groups.start(g + 1) - groups.start(g);
    if (size == 1) {
      rows[g] = gradients + groups.entry(groups.start(g)).position * depth;
    } else {
      repeated.push_back(g);
      first_of.push_back(first_of.back() + size);
    }
  }
  const int64_t num_repeated = static_cast<int64_t>(repeated.size());
  A* const sums = runtime.Allocate<A>(num_repeated * depth);
  for (int64_t r = 0; r < num_repeated; ++r) rows[repeated[r]] = sums + r * depth;

  const RowLoops<A>& loops = ChosenRowLoops<A>();
  const Segments segments(num_repeated, [&](int64_t r) { return first_of[r]; });
  A* const partial_sums = runtime.Allocate<A>(segments.slots() * depth);
  segments.ForEach(runtime, 8 + depth / 4, [&](const Segment& segment) {
    const A* summands[kSegmentLength];
    A ones[kSegmentLength];
    const int64_t begin = groups.start(repeated[segment.group]) + segment.begin;
    const int64_t size = segment.end - segment.begin;
    for (int64_t k = 0; k < size; ++k) {
      summands[k] = gradients + groups.entry(begin + k).position * depth;
      ones[k] = 1;
    }
    A* const sum =
        segment.slot < 0 ? sums + segment.group * depth : partial_sums + segment.slot * depth;
    loops.weighted_sum(summands, ones, size, depth, sum);
  });
  MergeLongGroups(runtime, segments.long_groups(), partial_sums, depth,
                  [&](int64_t r, const A* sum) { std::copy_n(sum, depth, sums + r * depth); });
  return {groups.classes(), groups.size(), gradients, rows};
}

template DistinctRows<float> SumRepeatedRows<float>(Runtime&, const int64_t*, int64_t, int64_t,
                                                    const float*, int64_t);
template DistinctRows<double> SumRepeatedRows<double>(Runtime&, const int64_t*, int64_t, int64_t,
                                                      const double*, int64_t);

}  // namespace candsamp
