// SPDX-License-Identifier: Apache-2.0
// The rows of shards that are fetched for some ids, against what each id's row must be.
#include "cc/lib/classes/sharded_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

// Checks that each place leads to the id's row, that no row comes twice, and that all are needed.
void ExpectRows(const std::vector<std::vector<int64_t>>& ids, const std::vector<int64_t>& first_row,
                Partition partition) {
  TestRuntime runtime = TestRuntime::Whole();
  std::vector<std::vector<int64_t>> places;
  std::vector<IdsAndPlaces> lists;
  std::set<int64_t> distinct;
  for (const auto& list : ids) places.emplace_back(list.size(), -1);
  for (size_t k = 0; k < ids.size(); ++k) {
    lists.push_back({ids[k].data(), static_cast<int64_t>(ids[k].size()), places[k].data()});
    distinct.insert(ids[k].begin(), ids[k].end());
  }
  const ShardedRows found = FindRows(runtime, lists, first_row, partition);
  ASSERT_EQ(found.first.size(), first_row.size());
  ASSERT_EQ(found.first.front(), 0);
  ASSERT_EQ(found.first.back(), static_cast<int64_t>(distinct.size()));
  for (size_t k = 0; k < ids.size(); ++k) {
    for (size_t j = 0; j < ids[k].size(); ++j) {
      const ShardRow want = ShardRowOf(first_row, partition, ids[k][j]);
      const int64_t place = places[k][j];
      ASSERT_GE(place, found.first[want.shard]) << ids[k][j];
      ASSERT_LT(place, found.first[want.shard + 1]) << ids[k][j];
      ASSERT_EQ(found.rows[place], want.row) << ids[k][j];
    }
  }
  for (size_t shard = 0; shard + 1 < first_row.size(); ++shard) {
    const std::set<int64_t> rows(found.rows + found.first[shard],
                                 found.rows + found.first[shard + 1]);
    ASSERT_EQ(static_cast<int64_t>(rows.size()), found.first[shard + 1] - found.first[shard]);
  }
}

TEST(ShardedRowsTest, LeadToTheRowOfEachId) {
  std::mt19937_64 random(1);
  for (const int shards : {1, 2, 3, 8}) {
    for (const int64_t size : {0, 1, 2, 50, 3000}) {
      std::vector<int64_t> first_row = {0};
      for (int k = 0; k < shards; ++k) first_row.push_back(first_row.back() + 1 + random() % 400);
      for (const Partition partition : {Partition::kConsecutive, Partition::kInTurn}) {
        const int64_t classes = CountIds(first_row, partition);
        std::vector<std::vector<int64_t>> ids(3);
        for (auto& list : ids) {
          list.resize(size);
          for (int64_t& id : list) id = static_cast<int64_t>(random() % classes);
        }
        ids[1].clear();
        ExpectRows(ids, first_row, partition);
      }
    }
  }
}

TEST(ShardedRowsTest, ShardsMayBeEmpty) {
  ExpectRows({{2, 0, 2}}, {0, 0, 3, 3}, Partition::kConsecutive);
  ExpectRows({{}}, {0, 0}, Partition::kConsecutive);
}

TEST(ShardedRowsTest, RowsComeAsTheirIdsFirstOccur) {
  TestRuntime runtime = TestRuntime::Whole();
  const std::vector<int64_t> ids = {7, 2, 2, 5};
  std::vector<int64_t> places(4);
  const ShardedRows found =
      FindRows(runtime, {{ids.data(), 4, places.data()}}, {0, 4, 8}, Partition::kConsecutive);
  EXPECT_EQ(std::vector<int64_t>(found.rows, found.rows + 3), (std::vector<int64_t>{2, 3, 1}));
  EXPECT_EQ(found.first, (std::vector<int64_t>{0, 1, 3}));
  EXPECT_EQ(places, (std::vector<int64_t>{1, 0, 0, 2}));
}

}  // namespace
}  // namespace candsamp
