// SPDX-License-Identifier: Apache-2.0
// RowTable: which shard a row is in, at every border.
#include "cc/lib/rows/row_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

namespace candsamp {
namespace {

void ExpectFindsEveryRow(const std::vector<int64_t>& shard_rows, int64_t depth) {
  std::vector<std::vector<float>> shards;
  for (const int64_t rows : shard_rows) shards.emplace_back(rows * depth);
  RowTable<float> table(depth);
  for (const std::vector<float>& shard : shards) {
    table.AddShard(shard.data(), static_cast<int64_t>(shard.size()) / depth);
  }
  ASSERT_EQ(table.shards(), static_cast<int64_t>(shard_rows.size()));
  ASSERT_EQ(table.depth(), depth);
  int64_t id = 0;
  for (size_t s = 0; s < shards.size(); ++s) {
    EXPECT_EQ(table.first_row()[s], id);
    for (int64_t row = 0; row < shard_rows[s]; ++row, ++id) {
      EXPECT_EQ(table.Row(id), shards[s].data() + row * depth) << "row " << id;
    }
  }
  EXPECT_EQ(table.first_row().back(), id);
  EXPECT_EQ(table.rows(), id);
}

TEST(RowTableTest, FindsEveryRowOfEveryShard) {
  for (const int64_t depth : {1, 3}) {
    ExpectFindsEveryRow({7}, depth);
    ExpectFindsEveryRow({3, 4}, depth);
    ExpectFindsEveryRow({1, 1, 1, 1, 1}, depth);
    ExpectFindsEveryRow({5, 1, 20, 2}, depth);
  }
}

void ExpectDealsRowsInTurn(int64_t rows, int64_t num_shards, int64_t depth) {
  std::vector<std::vector<float>> shards;
  for (int64_t s = 0; s < num_shards; ++s) {
    shards.emplace_back((rows - s + num_shards - 1) / num_shards * depth);
  }
  RowTable<float> table(depth, Partition::kInTurn);
  for (const std::vector<float>& shard : shards) {
    table.AddShard(shard.data(), static_cast<int64_t>(shard.size()) / depth);
  }
  ASSERT_EQ(table.rows(), rows);
  ASSERT_EQ(table.shards(), num_shards);
  std::vector<int64_t> next(num_shards);
  for (int64_t id = 0, s = 0; id < rows; ++id, s = s + 1 < num_shards ? s + 1 : 0) {
    EXPECT_EQ(table.Row(id), shards[s].data() + next[s]++ * depth)
        << "row " << id << " of " << rows << " in " << num_shards << " shards";
  }
  int64_t first = 0;
  for (int64_t s = 0; s < num_shards; ++s) {
    EXPECT_EQ(table.first_row()[s], first);
    EXPECT_EQ(next[s] * depth, static_cast<int64_t>(shards[s].size()));
    first += next[s];
  }
}

TEST(RowTableTest, DealsRowsInTurn) {
  for (const int64_t depth : {1, 3}) {
    for (const int64_t num_shards : {1, 2, 3, 5}) {
      for (const int64_t rows : {0, 1, 2, 4, 5, 6, 15, 16}) {
        ExpectDealsRowsInTurn(rows, num_shards, depth);
      }
    }
  }
}

int64_t IdsOf(Partition partition, const std::vector<int64_t>& shard_rows) {
  RowTable<float> table(1, partition);
  for (const int64_t rows : shard_rows) table.AddShard(nullptr, rows);
  return table.ids();
}

TEST(RowTableTest, AllConsecutiveRowsHaveIds) {
  for (const std::vector<int64_t>& rows :
       std::vector<std::vector<int64_t>>{{}, {0}, {7}, {3, 9}, {5, 0, 1}}) {
    EXPECT_EQ(IdsOf(Partition::kConsecutive, rows),
              std::accumulate(rows.begin(), rows.end(), int64_t{0}));
  }
}

// Row r of shard k is id r * shards + k. Ids end before the first one without a row.
TEST(RowTableTest, IdsDealtInTurnEndAtTheFirstMissingRow) {
  EXPECT_EQ(IdsOf(Partition::kInTurn, {}), 0);
  EXPECT_EQ(IdsOf(Partition::kInTurn, {7}), 7);
  EXPECT_EQ(IdsOf(Partition::kInTurn, {3, 3, 3}), 9);
  EXPECT_EQ(IdsOf(Partition::kInTurn, {3, 3, 2}), 8);
  EXPECT_EQ(IdsOf(Partition::kInTurn, {3, 2, 2}), 7);
  EXPECT_EQ(IdsOf(Partition::kInTurn, {3, 2, 64}), 7);
  EXPECT_EQ(IdsOf(Partition::kInTurn, {2, 64, 3}), 6);
  EXPECT_EQ(IdsOf(Partition::kInTurn, {64, 64, 1}), 5);
  EXPECT_EQ(IdsOf(Partition::kInTurn, {5, 0, 1}), 1);
}

TEST(RowTableTest, EmptyShardsHoldNoRow) {
  ExpectFindsEveryRow({0}, 2);
  ExpectFindsEveryRow({0, 3}, 2);
  ExpectFindsEveryRow({3, 0}, 2);
  ExpectFindsEveryRow({3, 0, 2}, 2);
  ExpectFindsEveryRow({0, 0, 3, 0, 0, 2, 0, 0}, 2);
  ExpectFindsEveryRow({0, 0}, 2);
}

TEST(RowTableTest, WithoutShardsIsEmpty) {
  const RowTable<float> table(1);
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.rows(), 0);
  EXPECT_EQ(table.shards(), 0);
}

// A table of one empty shard is given, unlike one without shards.
TEST(RowTableTest, WithAnEmptyShardIsNotAbsent) {
  RowTable<float> table(1);
  table.AddShard(nullptr, 0);
  EXPECT_FALSE(table.empty());
}

}  // namespace
}  // namespace candsamp
