// SPDX-License-Identifier: Apache-2.0
// The numbers of class ids, against a map.
#include "cc/lib/classes/distinct_classes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <new>
#include <random>
#include <unordered_map>
#include <vector>

#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

// Inserts all of `ids` into a table with no more room than they need, then looks for `others` too.
void ExpectNumbers(const std::vector<int64_t>& ids, const std::vector<int64_t>& others) {
  std::unordered_map<int64_t, int64_t> expected;
  for (const int64_t id : ids) expected.emplace(id, static_cast<int64_t>(expected.size()));
  TestRuntime runtime = TestRuntime::Whole();
  DistinctClasses classes(runtime, static_cast<int64_t>(expected.size()));
  EXPECT_EQ(classes.size(), 0);
  for (const int64_t id : ids) {
    const bool is_new = classes.Find(id) < 0;
    ASSERT_EQ(is_new, expected.at(id) == classes.size()) << id;
    ASSERT_EQ(classes.Insert(id), expected.at(id)) << id;
    ASSERT_EQ(classes.Find(id), expected.at(id)) << id;
  }
  ASSERT_EQ(classes.size(), static_cast<int64_t>(expected.size()));
  for (const auto& [id, number] : expected) {
    ASSERT_EQ(classes.Find(id), number) << id;
    ASSERT_EQ(classes.ids()[number], id);
  }
  for (const int64_t id : others) {
    ASSERT_EQ(classes.Find(id), expected.count(id) ? expected.at(id) : -1) << id;
  }
  ASSERT_EQ(classes.size(), static_cast<int64_t>(expected.size()));
}

TEST(DistinctClassesTest, AreNumberedAsTheyFirstOccur) {
  std::mt19937_64 random(1);
  for (const int64_t count : {0, 1, 2, 7, 8, 9, 16, 17, 100, 5000}) {
    for (const int64_t range : {int64_t{1}, int64_t{3}, int64_t{50}, int64_t{5000},
                                std::numeric_limits<int64_t>::max()}) {
      std::uniform_int_distribution<int64_t> any(0, range - 1);
      std::vector<int64_t> ids(count), others = {0, range - 1, range, -1};
      for (int64_t& id : ids) id = any(random);
      for (int k = 0; k < 100; ++k) others.push_back(any(random));
      ExpectNumbers(ids, others);
    }
  }
}

TEST(DistinctClassesTest, IdsMayBeAnyIntegers) {
  const int64_t least = std::numeric_limits<int64_t>::min();
  const int64_t most = std::numeric_limits<int64_t>::max();
  ExpectNumbers({-1, least, most, -1, 0, least}, {1, -2, least + 1, most - 1});
}

// Ids that all hash to the last slot, or to the one before it. The search goes on at the first
// slot.
TEST(DistinctClassesTest, CollisionsWrapAround) {
  uint64_t inverse = 1;
  for (int k = 0; k < 6; ++k) inverse *= 2 - kGoldenRatio * inverse;
  ASSERT_EQ(inverse * kGoldenRatio, uint64_t{1});
  for (const uint64_t count : {8, 100}) {
    std::vector<int64_t> ids, others;
    for (uint64_t k = 0; k < count; ++k) {
      const uint64_t hash = ~((k % 3 == 0 ? uint64_t{1} << 55 : 0) + k);
      ids.push_back(static_cast<int64_t>(hash * inverse));
      others.push_back(static_cast<int64_t>((hash - count) * inverse));
    }
    ExpectNumbers(ids, others);
  }
}

TEST(DistinctClassesTest, ThrowsWhenThereIsNoMemory) {
  TestRuntime unlimited = TestRuntime::Whole();
  DistinctClasses(unlimited, 1000);
  ASSERT_GT(unlimited.allocations(), 0);
  for (int64_t limit = 0; limit < unlimited.allocations(); ++limit) {
    TestRuntime runtime = TestRuntime::Whole();
    runtime.LimitAllocations(limit);
    EXPECT_THROW(DistinctClasses(runtime, 1000), std::bad_alloc);
  }
}

}  // namespace
}  // namespace candsamp
