// SPDX-License-Identifier: Apache-2.0
// Cuts groups of very different sizes into segments of bounded size, for work in parallel.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_SEGMENTS_H_
#define TF_CANDSAMP_CC_LIB_ROWS_SEGMENTS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/lib/core/runtime.h"

namespace candsamp {

// The most elements of a segment. Workers keep arrays of this size on the stack.
constexpr int64_t kSegmentLength = 512;

struct Segment {
  int64_t group;
  int64_t begin, end;  // elements, counted from the group's first
  int64_t slot;        // its number among the segments of long groups; -1 if it is a whole group
};

// A group of more than kSegmentLength elements.
struct LongGroup {
  int64_t group;
  int64_t first_slot;
  int64_t segments;
};

// Group g holds the elements [start(g), start(g + 1)), so `start` acts like row splits. The cuts of
// a group depend on its size alone, so sums over segments do not depend on the number of threads.
template <typename Start>
class Segments {
 public:
  Segments(int64_t groups, Start start) : groups_(groups), start_(start) {
    for (int64_t g = 0; g < groups; ++g) {
      if (start(g + 1) - start(g) <= kSegmentLength) continue;
      const int64_t segments = CountOf(g);
      long_groups_.push_back({g, slots_, segments});
      slots_ += segments;
    }
  }

  const std::vector<LongGroup>& long_groups() const { return long_groups_; }
  int64_t slots() const { return slots_; }

  // Calls work(segment) once for each segment of each group. An empty group has one segment. A
  // thread calls finish() after its range of segments. `cost` is the cost of an element in cycles.
  template <typename Work, typename Finish>
  void ForEach(Runtime& runtime, int64_t cost, Work work, Finish finish) const {
    struct Worker {
      Work& work;
      Finish& finish;
      void Add(const Segment& segment) { work(segment); }
      void End() { finish(); }
    };
    ForEachRange(runtime, cost, [&] { return Worker{work, finish}; });
  }
  template <typename Work>
  void ForEach(Runtime& runtime, int64_t cost, Work work) const {
    ForEach(runtime, cost, work, [] {});
  }

  // The same for workers that collect several segments before they work. make_worker() makes one
  // for a range of segments. The worker gets Add(segment) for each of them in order, and then
  // End().
  template <typename MakeWorker>
  void ForEachRange(Runtime& runtime, int64_t cost, MakeWorker make_worker) const {
    if (groups_ == 0) return;
    // A unit for each element and one for each group, so that many empty groups are shared out too.
    const int64_t units = Position(groups_);
    runtime.ParallelFor(units, cost, [&](int64_t begin, int64_t end) {
      auto worker = make_worker();
      for (int64_t g = LastGroupAt(begin); g < groups_ && Position(g) < end; ++g) {
        const int64_t size = start_(g + 1) - start_(g);
        const int64_t segments = CountOf(g);
        const int64_t skipped = std::max<int64_t>(begin - Position(g), 0);
        for (int64_t s = (skipped + kSegmentLength - 1) / kSegmentLength;
             s < segments && Position(g) + s * kSegmentLength < end; ++s) {
          worker.Add(Segment{g, s * kSegmentLength, std::min(size, (s + 1) * kSegmentLength),
                             segments == 1 ? -1 : FirstSlot(g) + s});
        }
      }
      worker.End();
    });
  }

 private:
  int64_t CountOf(int64_t g) const {
    return std::max<int64_t>(1, (start_(g + 1) - start_(g) + kSegmentLength - 1) / kSegmentLength);
  }

  int64_t Position(int64_t g) const { return start_(g) + g; }

  // The last group that begins at or before the unit `position`.
  int64_t LastGroupAt(int64_t position) const {
    int64_t low = 0, high = groups_;
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      (Position(middle) <= position ? low : high) = middle;
    }
    return low;
  }

  int64_t FirstSlot(int64_t g) const {
    return std::lower_bound(long_groups_.begin(), long_groups_.end(), g,
                            [](const LongGroup& group, int64_t key) { return group.group < key; })
        ->first_slot;
  }

  int64_t groups_;
  Start start_;
  std::vector<LongGroup> long_groups_;
  int64_t slots_ = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ROWS_SEGMENTS_H_
