// SPDX-License-Identifier: Apache-2.0
// The classes that a row leaves out: sorted, once each, and found.
#include "cc/lib/exact/excluded_classes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

TEST(ExcludedClassesTest, SortsAndDropsRepeats) {
  const std::vector<int64_t> values = {7, 3, 7, 7, 3, 9, 1, 0};
  const std::vector<int64_t> splits = {0, 5, 5, 6, 8};
  TestRuntime runtime = TestRuntime::RandomCuts(1);
  const ExcludedClasses excluded(runtime, {values.data(), splits.data()}, 4);
  const std::vector<std::vector<int64_t>> expected = {{3, 7}, {}, {9}, {0, 1}};
  for (int64_t row = 0; row < 4; ++row) {
    EXPECT_EQ(std::vector<int64_t>(excluded.begin(row), excluded.end(row)), expected[row]);
    EXPECT_EQ(excluded.size(row), static_cast<int64_t>(expected[row].size()));
    for (int64_t id = 0; id < 11; ++id) {
      const bool named = std::count(expected[row].begin(), expected[row].end(), id) > 0;
      EXPECT_EQ(excluded.Contains(row, id), named) << row << ", " << id;
    }
    for (int64_t first = 0; first < 11; ++first) {
      for (int64_t last = first; last < 11; ++last) {
        std::vector<int64_t> found, wanted;
        excluded.ForIds(row, first, last, [&](int64_t id) { found.push_back(id); });
        for (const int64_t id : expected[row]) {
          if (id >= first && id < last) wanted.push_back(id);
        }
        EXPECT_EQ(found, wanted);
      }
    }
  }
}

TEST(ExcludedClassesTest, NoneAtAll) {
  const ExcludedClasses excluded;
  EXPECT_EQ(excluded.size(3), 0);
  EXPECT_FALSE(excluded.Contains(3, 0));
  excluded.ForIds(3, 0, 100, [](int64_t) { ADD_FAILURE(); });
}

TEST(ExcludedClassesTest, NoRows) {
  const std::vector<int64_t> splits = {0};
  TestRuntime runtime = TestRuntime::Whole();
  const ExcludedClasses excluded(runtime, {nullptr, splits.data()}, 0);
}

}  // namespace
}  // namespace candsamp
