// SPDX-License-Identifier: Apache-2.0
// The check of class ids: which ids it refuses, and the message.
#include "cc/lib/classes/class_ids.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace candsamp {
namespace {

std::string Check(const std::vector<int64_t>& ids, const ClassLimit& limit) {
  return CheckClassIds("labels", ids.data(), static_cast<int64_t>(ids.size()), limit,
                       [](int64_t position) { return " at position " + std::to_string(position); });
}

TEST(ClassIdsTest, AcceptsEveryIdBelowTheLimit) {
  EXPECT_EQ(Check({0, 4, 2, 4}, {5}), "");
  EXPECT_EQ(Check({std::numeric_limits<int64_t>::max() - 1}, {std::numeric_limits<int64_t>::max()}),
            "");
}

TEST(ClassIdsTest, AcceptsNoIdsWhereThereAreNoClasses) { EXPECT_EQ(Check({}, {0}), ""); }

TEST(ClassIdsTest, RefusesEveryIdWhereThereAreNoClasses) {
  EXPECT_EQ(Check({0}, {0}), "labels must hold class ids in [0, 0), got 0 at position 0");
}

TEST(ClassIdsTest, RefusesTheLimitItselfAndNegativeIds) {
  EXPECT_EQ(Check({5}, {5}), "labels must hold class ids in [0, 5), got 5 at position 0");
  EXPECT_EQ(Check({-1}, {5}), "labels must hold class ids in [0, 5), got -1 at position 0");
  EXPECT_EQ(Check({std::numeric_limits<int64_t>::min()}, {5}),
            "labels must hold class ids in [0, 5), got -9223372036854775808 at position 0");
}

TEST(ClassIdsTest, NamesTheFirstOfSeveralBadIds) {
  EXPECT_EQ(Check({1, 0, 7, 3, -2, 9}, {5}),
            "labels must hold class ids in [0, 5), got 7 at position 2");
}

TEST(ClassIdsTest, FindsABadIdAtEveryPosition) {
  // Longer than any vector, so that the last ids are those behind the whole vectors.
  for (size_t bad = 0; bad < 67; ++bad) {
    std::vector<int64_t> ids(67, 4);
    ids[bad] = 5;
    EXPECT_EQ(Check(ids, {5}),
              "labels must hold class ids in [0, 5), got 5 at position " + std::to_string(bad));
  }
}

TEST(ClassIdsTest, SaysWhereTheLimitComesFrom) {
  EXPECT_EQ(Check({5}, {5, "num_classes = "}),
            "labels must hold class ids in [0, num_classes = 5), got 5 at position 0");
  EXPECT_EQ(Check({5}, {5, "", ", the rows of weights"}),
            "labels must hold class ids in [0, 5), the rows of weights, got 5 at position 0");
}

}  // namespace
}  // namespace candsamp
