// SPDX-License-Identifier: Apache-2.0
// Segments: each element of each group exactly once, however the work is cut.
#include "cc/lib/rows/segments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

std::vector<int64_t> SplitsOf(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> splits = {0};
  for (const int64_t size : sizes) splits.push_back(splits.back() + size);
  return splits;
}

std::vector<Segment> Visited(TestRuntime& runtime, const std::vector<int64_t>& sizes) {
  const std::vector<int64_t> splits = SplitsOf(sizes);
  const Segments segments(static_cast<int64_t>(sizes.size()),
                          [&](int64_t group) { return splits.at(group); });
  std::vector<Segment> visited;
  std::mutex mutex;
  segments.ForEach(runtime, 10, [&](const Segment& segment) {
    const std::lock_guard<std::mutex> lock(mutex);
    visited.push_back(segment);
  });
  std::sort(visited.begin(), visited.end(), [](const Segment& a, const Segment& b) {
    return a.group != b.group ? a.group < b.group : a.begin < b.begin;
  });
  return visited;
}

// The segments that ForEach must visit, by the definition, group by group.
std::vector<Segment> ExpectedSegments(const std::vector<int64_t>& sizes) {
  std::vector<Segment> expected;
  int64_t slots = 0;
  for (int64_t g = 0; g < static_cast<int64_t>(sizes.size()); ++g) {
    if (sizes[g] <= kSegmentLength) {
      expected.push_back({g, 0, sizes[g], -1});
      continue;
    }
    for (int64_t begin = 0; begin < sizes[g]; begin += kSegmentLength) {
      expected.push_back({g, begin, std::min(begin + kSegmentLength, sizes[g]), slots++});
    }
  }
  return expected;
}

void ExpectVisitsAll(const std::vector<int64_t>& sizes) {
  const std::vector<Segment> expected = ExpectedSegments(sizes);
  for (TestRuntime& runtime : TestRuntime::Various()) {
    SCOPED_TRACE(runtime.name());
    const std::vector<Segment> visited = Visited(runtime, sizes);
    ASSERT_EQ(visited.size(), expected.size());
    for (size_t k = 0; k < expected.size(); ++k) {
      ASSERT_EQ(visited[k].group, expected[k].group) << k;
      ASSERT_EQ(visited[k].begin, expected[k].begin) << k;
      ASSERT_EQ(visited[k].end, expected[k].end) << k;
      ASSERT_EQ(visited[k].slot, expected[k].slot) << k;
    }
  }
}

TEST(SegmentsTest, VisitsGroupsOfAllSizesOnce) {
  const std::vector<int64_t> choices = {0, 1, 511, 512, 513, 1024, 1025, 100000};
  std::mt19937 random(1);
  for (int repeat = 0; repeat < 5; ++repeat) {
    std::vector<int64_t> sizes = choices;
    for (int k = 0; k < 30; ++k) sizes.push_back(choices[random() % 7]);
    std::shuffle(sizes.begin(), sizes.end(), random);
    ExpectVisitsAll(sizes);
  }
}

TEST(SegmentsTest, VisitsASingleGroup) {
  for (const int64_t size : {0, 1, 511, 512, 513, 1023, 1024, 1025, 100000}) {
    SCOPED_TRACE(size);
    ExpectVisitsAll({size});
  }
}

TEST(SegmentsTest, VisitsEmptyGroupsOnce) {
  ExpectVisitsAll(std::vector<int64_t>(1000, 0));
  ExpectVisitsAll({0, 0, 2000, 0, 0, 0, 5000, 0});
}

// A worker gets its range in order, ends once, and sees no other thread.
TEST(SegmentsTest, EachRangeHasAWorkerOfItsOwn) {
  const std::vector<int64_t> sizes = {0, 600, 3, 3, 0, 5000, 1, 512, 0};
  const std::vector<int64_t> splits = SplitsOf(sizes);
  const Segments segments(static_cast<int64_t>(sizes.size()),
                          [&](int64_t group) { return splits.at(group); });
  for (TestRuntime& runtime : TestRuntime::Various()) {
    SCOPED_TRACE(runtime.name());
    std::atomic<size_t> ended{0};
    struct Worker {
      void Add(const Segment& segment) {
        EXPECT_EQ(std::this_thread::get_id(), thread);
        if (!taken.empty()) {
          EXPECT_TRUE(segment.group > taken.back().group ||
                      (segment.group == taken.back().group && segment.begin == taken.back().end));
        }
        taken.push_back(segment);
      }
      void End() {
        EXPECT_EQ(std::this_thread::get_id(), thread);
        ended += taken.size();
        taken.clear();
      }
      std::atomic<size_t>& ended;
      std::thread::id thread;
      std::vector<Segment> taken;
    };
    segments.ForEachRange(runtime, 10,
                          [&] { return Worker{ended, std::this_thread::get_id(), {}}; });
    EXPECT_EQ(ended, ExpectedSegments(sizes).size());
  }
}

TEST(SegmentsTest, FinishFollowsTheWorkOfEachThread) {
  const std::vector<int64_t> sizes = {0, 600, 3, 5000, 512};
  const std::vector<int64_t> splits = SplitsOf(sizes);
  const Segments segments(static_cast<int64_t>(sizes.size()),
                          [&](int64_t group) { return splits.at(group); });
  for (TestRuntime& runtime : TestRuntime::Various()) {
    SCOPED_TRACE(runtime.name());
    std::mutex mutex;
    std::map<std::thread::id, int64_t> unfinished;
    segments.ForEach(
        runtime, 10,
        [&](const Segment&) {
          const std::lock_guard<std::mutex> lock(mutex);
          ++unfinished[std::this_thread::get_id()];
        },
        [&] {
          const std::lock_guard<std::mutex> lock(mutex);
          unfinished[std::this_thread::get_id()] = 0;
        });
    EXPECT_FALSE(unfinished.empty());
    for (const auto& thread : unfinished) EXPECT_EQ(thread.second, 0);
  }
}

TEST(SegmentsTest, NoGroupsNoWork) { ExpectVisitsAll({}); }

TEST(SegmentsTest, ListsLongGroupsWithTheirSlotsInOrder) {
  const std::vector<int64_t> splits = SplitsOf({3, 513, 512, 0, 1024, 1025});
  const Segments segments(6, [&](int64_t group) { return splits.at(group); });
  const std::vector<LongGroup>& groups = segments.long_groups();
  ASSERT_EQ(groups.size(), 3u);
  const int64_t expected[][3] = {{1, 0, 2}, {4, 2, 2}, {5, 4, 3}};
  for (int k = 0; k < 3; ++k) {
    EXPECT_EQ(groups[k].group, expected[k][0]);
    EXPECT_EQ(groups[k].first_slot, expected[k][1]);
    EXPECT_EQ(groups[k].segments, expected[k][2]);
  }
  EXPECT_EQ(segments.slots(), 7);
}

// Threads share a group even if it is ten thousand times as long as a segment.
TEST(SegmentsTest, ALongGroupIsWorkForManyThreads) {
  int64_t units = 0;
  class CountingRuntime : public Runtime {
   public:
    explicit CountingRuntime(int64_t* units) : units_(units) {}
    void ParallelFor(int64_t total, int64_t,
                     const std::function<void(int64_t, int64_t)>&) override {
      *units_ = total;
    }
    void* AllocateBytes(size_t) override { return nullptr; }

   private:
    int64_t* units_;
  } runtime(&units);
  const int64_t size = 10000 * kSegmentLength;
  const Segments segments(1, [&](int64_t group) { return group * size; });
  segments.ForEach(runtime, 1, [](const Segment&) {});
  EXPECT_GE(units, size);
}

}  // namespace
}  // namespace candsamp
