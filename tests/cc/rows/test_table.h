// SPDX-License-Identifier: Apache-2.0
// A random table of rows in shards, for tests of the losses.
#ifndef TF_CANDSAMP_TESTS_CC_ROWS_TEST_TABLE_H_
#define TF_CANDSAMP_TESTS_CC_ROWS_TEST_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "cc/lib/core/half.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// The rows of a table, each shard in memory of exactly its size.
template <typename W>
class TestTable {
 public:
  TestTable(const std::vector<int64_t>& shard_rows, int64_t depth, double scale,
            std::mt19937& random)
      : shard_rows_(shard_rows), depth_(depth) {
    std::normal_distribution<double> normal(0, scale);
    for (const int64_t rows : shard_rows) {
      shards_.emplace_back(rows * depth);
      for (W& value : shards_.back()) {
        Narrow(static_cast<Accumulator<W>>(normal(random)), &value);
      }
    }
  }

  RowTable<W> View() const {
    RowTable<W> table(depth_);
    for (size_t s = 0; s < shards_.size(); ++s) table.AddShard(shards_[s].data(), shard_rows_[s]);
    return table;
  }

  // Walks along the shards, unlike RowTable, whose search is under test.
  W* Row(int64_t id) {
    size_t shard = 0;
    for (; id >= shard_rows_[shard]; ++shard) id -= shard_rows_[shard];
    return shards_[shard].data() + id * depth_;
  }
  const W* Row(int64_t id) const { return const_cast<TestTable*>(this)->Row(id); }

 private:
  std::vector<int64_t> shard_rows_;
  int64_t depth_;
  std::vector<std::vector<W>> shards_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_ROWS_TEST_TABLE_H_
