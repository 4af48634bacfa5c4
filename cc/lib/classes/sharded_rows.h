// SPDX-License-Identifier: Apache-2.0
// Which rows of which shards hold the classes of some ids, each row once: what is fetched of a
// table that lies elsewhere.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_SHARDED_ROWS_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_SHARDED_ROWS_H_

#include <cstdint>
#include <vector>

#include "cc/lib/core/runtime.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

struct ShardedRows {
  const int64_t* rows;         // of all shards, one shard after the other; counted within theirs
  std::vector<int64_t> first;  // [shards + 1] how many of them are of the shards before
};

struct IdsAndPlaces {
  const int64_t* ids;
  int64_t count;
  int64_t* places;  // [count] receives the place of each id's row among those of all shards
};

// Within a shard, rows come in the order in which their ids first occur.
// REQUIRES: all ids are in [0, CountIds(first_row, partition)).
ShardedRows FindRows(Runtime& runtime, const std::vector<IdsAndPlaces>& lists,
                     const std::vector<int64_t>& first_row, Partition partition);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_SHARDED_ROWS_H_
