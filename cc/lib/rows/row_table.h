// SPDX-License-Identifier: Apache-2.0
// A class table: its rows, in one or several shards.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_ROW_TABLE_H_
#define TF_CANDSAMP_CC_LIB_ROWS_ROW_TABLE_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace candsamp {

// How rows are shared out among n shards. kConsecutive: the shards hold consecutive rows, one after
// the other. kInTurn: row i is in shard i mod n.
enum class Partition { kConsecutive, kInTurn };

// How many of `rows` rows the shard gets if they are dealt out in turn.
inline int64_t RowsInTurn(int64_t rows, int64_t shards, int64_t shard) {
  return (rows - shard + shards - 1) / shards;
}

// How many ids, counted from 0, have a row. first_row holds the number of rows before each shard
// and, at the end, that of all rows. Shards that are dealt out in turn may hold more rows than
// their part.
inline int64_t CountIds(const std::vector<int64_t>& first_row, Partition partition) {
  const int64_t shards = static_cast<int64_t>(first_row.size()) - 1;
  if (partition == Partition::kConsecutive || shards == 0) return first_row.back();
  const auto rows = [&](int64_t shard) { return first_row[shard + 1] - first_row[shard]; };
  int64_t smallest = 0;
  for (int64_t k = 1; k < shards; ++k) {
    if (rows(k) < rows(smallest)) smallest = k;
  }
  return rows(smallest) * shards + smallest;  // the first id without a row
}

// The row of an id: its shard, and its row in the shard.
struct ShardRow {
  int64_t shard;
  int64_t row;
};

// REQUIRES: 0 <= id < CountIds(first_row, partition).
inline ShardRow ShardRowOf(const std::vector<int64_t>& first_row, Partition partition, int64_t id) {
  const int64_t shards = static_cast<int64_t>(first_row.size()) - 1;
  if (partition == Partition::kInTurn) return {id % shards, id / shards};
  const int64_t shard =
      std::upper_bound(first_row.begin() + 1, first_row.end(), id) - first_row.begin() - 1;
  return {shard, id - first_row[shard]};
}

template <typename W>
class RowTable {
 public:
  // A table without rows, which also stands for absent biases.
  explicit RowTable(int64_t depth, Partition partition = Partition::kConsecutive)
      : depth_(depth), partition_(partition) {}

  void AddShard(const W* rows, int64_t count) {
    whole_ = shards_.empty() ? rows : nullptr;
    shards_.push_back(rows);
    first_row_.push_back(first_row_.back() + count);
  }

  int64_t depth() const { return depth_; }
  int64_t rows() const { return first_row_.back(); }
  int64_t ids() const { return CountIds(first_row_, partition_); }
  int64_t shards() const { return static_cast<int64_t>(shards_.size()); }
  bool empty() const { return shards_.empty(); }
  const std::vector<int64_t>& first_row() const { return first_row_; }  // [shards + 1]
  const std::vector<const W*>& shard_rows() const { return shards_; }   // [shards]
  Partition partition() const { return partition_; }

  // REQUIRES: 0 <= id < ids().
  const W* Row(int64_t id) const {
    if (whole_) return whole_ + id * depth_;
    const ShardRow at = ShardRowOf(first_row_, partition_, id);
    return shards_[at.shard] + at.row * depth_;
  }

 private:
  int64_t depth_;
  Partition partition_;
  const W* whole_ = nullptr;  // the shard, if there is just one
  std::vector<const W*> shards_;
  std::vector<int64_t> first_row_ = {0};
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ROWS_ROW_TABLE_H_
