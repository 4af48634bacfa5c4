// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/logits/hit_columns.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

std::vector<int64_t> Hits(const HitColumns& hits, int64_t label, int64_t begin, int64_t end) {
  std::vector<int64_t> found;
  hits.ForLabel(label, begin, end, [&](int64_t column) { found.push_back(column); });
  return found;
}

TEST(HitColumnsTest, FindsAllColumnsOfALabelsHitIdInOrder) {
  TestRuntime runtime = TestRuntime::Whole();
  const std::vector<int64_t> labels = {7, -1, 8, std::numeric_limits<int64_t>::min()};
  // Columns 0 to 4; the draws at 2 and 5 are repeats.
  const std::vector<int64_t> columns = {0, 1, 0, 2, 3, 1, 4};
  const std::vector<int64_t> ids = {7, -1, 7, 7, -1, -1, 7};
  const HitColumns hits(runtime, labels.data(), 4, ids.data(), columns.data(), 7);
  EXPECT_EQ(Hits(hits, 0, 0, 5), (std::vector<int64_t>{0, 2, 4}));
  EXPECT_EQ(Hits(hits, 1, 0, 5), (std::vector<int64_t>{1, 3}));
  EXPECT_TRUE(Hits(hits, 2, 0, 5).empty());
  EXPECT_TRUE(Hits(hits, 3, 0, 5).empty());
  EXPECT_EQ(Hits(hits, 0, 1, 4), (std::vector<int64_t>{2}));
  EXPECT_EQ(Hits(hits, 0, 2, 2), (std::vector<int64_t>{}));
}

TEST(HitColumnsTest, NoCandidatesNoHits) {
  TestRuntime runtime = TestRuntime::Whole();
  const int64_t label = 3;
  const HitColumns hits(runtime, &label, 1, nullptr, nullptr, 0);
  EXPECT_TRUE(Hits(hits, 0, 0, 0).empty());
}

// Against a scan over all candidates.
TEST(HitColumnsTest, RandomIds) {
  std::mt19937 random(1);
  for (const int64_t columns : {1, 50, 1000}) {
    std::vector<int64_t> sample_columns, ids(columns), sample_ids, labels;
    for (int64_t c = 0; c < columns; ++c) ids[c] = random() % 20;
    for (int64_t c = 0; c < columns; ++c) {
      sample_columns.push_back(c);
      while (random() % 3 == 0) sample_columns.push_back(random() % (c + 1));
    }
    for (const int64_t c : sample_columns) sample_ids.push_back(ids[c]);
    for (int64_t k = 0; k < 25; ++k) labels.push_back(k);
    TestRuntime runtime = TestRuntime::Whole();
    const HitColumns hits(runtime, labels.data(), 25, sample_ids.data(), sample_columns.data(),
                          static_cast<int64_t>(sample_columns.size()));
    for (int64_t k = 0; k < 25; ++k) {
      const int64_t begin = random() % (columns + 1), end = begin + random() % (columns + 1);
      std::vector<int64_t> expected;
      for (int64_t c = begin; c < std::min(end, columns); ++c) {
        if (ids[c] == labels[k]) expected.push_back(c);
      }
      EXPECT_EQ(Hits(hits, k, begin, end), expected);
    }
  }
}

}  // namespace
}  // namespace candsamp
