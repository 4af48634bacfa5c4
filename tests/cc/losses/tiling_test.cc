// SPDX-License-Identifier: Apache-2.0
// How the matrix of logits is cut into blocks and panels.
#include "cc/lib/losses/tiling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "tests/cc/losses/sampled_cases.h"

namespace candsamp {
namespace {

constexpr int64_t kMostColumns = 20000;

// All blocks have the same length but the last, which may be shorter, and they cover the range.
void ExpectCovers(const Blocks& blocks, int64_t size) {
  ASSERT_EQ(blocks.size, size);
  int64_t end = 0, longest = 0;
  for (int64_t b = 0; b < blocks.count(); ++b) {
    ASSERT_EQ(blocks.begin(b), end) << b << " of " << size;
    ASSERT_GT(blocks.length(b), 0) << b << " of " << size;
    ASSERT_LE(blocks.length(b), blocks.block) << b << " of " << size;
    if (b + 1 < blocks.count()) {
      ASSERT_EQ(blocks.length(b), blocks.block) << b << " of " << size;
    }
    end += blocks.length(b);
    longest = std::max(longest, blocks.length(b));
  }
  ASSERT_EQ(end, size);
  ASSERT_EQ(blocks.longest(), longest) << size;
}

TEST(TilingTest, RowBlocksCoverTheRows) {
  for (int64_t rows = 0; rows <= 2 * kManyRows; ++rows) {
    const Blocks blocks = RowBlocks(rows);
    ExpectCovers(blocks, rows);
    ASSERT_EQ(blocks.block, rows < kManyRows ? kRowBlock / 2 : kRowBlock) << rows;
  }
}

TEST(TilingTest, ColumnBlocksCoverTheColumns) {
  for (int64_t columns = 0; columns <= kMostColumns; ++columns) {
    const Blocks blocks = ColumnBlocks(columns);
    ExpectCovers(blocks, columns);
    ASSERT_LE(blocks.block, kColumnBlock) << columns;
    ASSERT_EQ(blocks.block % kColumnVector, 0) << columns;
  }
}

TEST(TilingTest, FewColumnsAreOneBlock) {
  EXPECT_EQ(ColumnBlocks(0).count(), 0);
  for (int64_t columns = 1; columns <= kColumnBlock; ++columns) {
    ASSERT_EQ(ColumnBlocks(columns).count(), 1) << columns;
  }
}

// The last block is the exception: see LastColumnBlockMayBeShort.
TEST(TilingTest, ManyColumnsAreLongBlocksOfAnEvenNumberOrOneFewer) {
  for (int64_t columns = kColumnBlock + 1; columns <= kMostColumns; ++columns) {
    const Blocks blocks = ColumnBlocks(columns);
    ASSERT_GE(blocks.block, 112) << columns;
    if (columns <= 1920) {
      ASSERT_EQ(blocks.count() % 2, 0) << columns;
    }
    const int64_t even = blocks.count() + blocks.count() % 2;
    ASSERT_EQ(even, 2 * ((columns + 2 * kColumnBlock - 1) / (2 * kColumnBlock))) << columns;
  }
}

// Bits of losses depend on these lengths: another cut sums the columns in another order.
TEST(TilingTest, ColumnsAreCutAsBefore) {
  for (const auto& [columns, block] : std::vector<std::pair<int64_t, int64_t>>{{193, 112},
                                                                               {200, 112},
                                                                               {385, 112},
                                                                               {900, 160},
                                                                               {976, 176},
                                                                               {1000, 176},
                                                                               {1537, 160},
                                                                               {1921, 176},
                                                                               {1937, 176},
                                                                               {2000, 176},
                                                                               {4096, 192},
                                                                               {20000, 192}}) {
    EXPECT_EQ(ColumnBlocks(columns).block, block) << columns;
  }
}

TEST(TilingTest, LastColumnBlockMayBeShort) {
  int64_t shortest = kColumnBlock, shortest_beyond = kColumnBlock;
  for (int64_t columns = kColumnBlock + 1; columns <= kMostColumns; ++columns) {
    const Blocks blocks = ColumnBlocks(columns);
    int64_t& least = columns <= 1920 ? shortest : shortest_beyond;
    least = std::min(least, blocks.length(blocks.count() - 1));
  }
  EXPECT_EQ(shortest, 17);
  EXPECT_EQ(shortest_beyond, 1);
}

TEST(TilingTest, PanelsCoverTheBlocks) {
  for (const int64_t columns : {int64_t{0}, int64_t{1}, kColumnBlock + 1, 8 * kColumnBlock,
                                8 * kColumnBlock + 1, kMostColumns}) {
    for (const int64_t depth : {int64_t{1}, kShortDepth, kShortDepth + 1}) {
      const Blocks blocks = ColumnBlocks(columns);
      int64_t end = 0;
      ForEachPanel(blocks, PanelBlocks(depth), [&](int64_t first, int64_t count) {
        EXPECT_EQ(first, end);
        EXPECT_GT(count, 0);
        EXPECT_LE(count, PanelBlocks(depth));
        end = first + count;
      });
      EXPECT_EQ(end, blocks.count()) << columns << " columns, depth " << depth;
    }
  }
}

TEST(TilingTest, ShortRowsMakeLongerPanels) {
  EXPECT_GT(PanelBlocks(kShortDepth), PanelBlocks(kShortDepth + 1));
}

// Block after block in a vector of exactly the matrix's size.
TEST(TilingTest, BlocksAreStoredOneAfterTheOther) {
  for (const int64_t num_rows : {int64_t{1}, kRowBlock, kManyRows + 1}) {
    for (const int64_t num_columns : {int64_t{1}, kColumnBlock + 1, 3 * kColumnBlock}) {
      const Blocks rows = RowBlocks(num_rows), columns = ColumnBlocks(num_columns);
      int64_t end = 0;
      for (int64_t r = 0; r < rows.count(); ++r) {
        for (int64_t b = 0; b < columns.count(); ++b) {
          ASSERT_EQ(BlockBegin(rows, r, columns, b), end) << r << ", " << b;
          end += rows.length(r) * columns.length(b);
        }
      }
      EXPECT_EQ(end, num_rows * num_columns);
    }
  }
}

// The shapes on which the losses are tested reach every kind of block and panel.
TEST(TilingTest, ShapesOfTheTestsReachEveryCut) {
  bool one_block = false, shorter_last_block = false, several_panels = false;
  bool several_deep_panels = false, whole_panel = false, shorter_last_rows = false;
  bool many_rows = false;
  for (const SampledShape& shape : AllSampledShapes()) {
    const Blocks rows = RowBlocks(shape.rows), columns = ColumnBlocks(shape.columns);
    const int64_t panel = PanelBlocks(shape.depth), blocks = columns.count();
    one_block |= blocks == 1 && columns.size == kColumnBlock;
    shorter_last_block |= blocks > 1 && columns.length(blocks - 1) < columns.block;
    whole_panel |= blocks == panel;
    several_panels |= blocks > panel && shape.depth <= kShortDepth;
    several_deep_panels |= blocks > panel && shape.depth > kShortDepth;
    shorter_last_rows |= rows.count() > 1 && rows.length(rows.count() - 1) < rows.block;
    many_rows |= rows.block == kRowBlock && rows.count() > 1;
  }
  EXPECT_TRUE(one_block);
  EXPECT_TRUE(shorter_last_block);
  EXPECT_TRUE(whole_panel);
  EXPECT_TRUE(several_panels);
  EXPECT_TRUE(several_deep_panels);
  EXPECT_TRUE(shorter_last_rows);
  EXPECT_TRUE(many_rows);
}

}  // namespace
}  // namespace candsamp
