// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/classes/sharded_rows.h"

#include "cc/lib/classes/distinct_classes.h"

namespace candsamp {

ShardedRows FindRows(Runtime& runtime, const std::vector<IdsAndPlaces>& lists,
                     const std::vector<int64_t>& first_row, Partition partition) {
  int64_t most = 0;
  for (const IdsAndPlaces& list : lists) most += list.count;
  DistinctClasses classes(runtime, most);
  for (const IdsAndPlaces& list : lists) {
    for (int64_t k = 0; k < list.count; ++k) list.places[k] = classes.Insert(list.ids[k]);
  }

  ShardedRows sharded = {nullptr, std::vector<int64_t>(first_row.size())};
  for (int64_t c = 0; c < classes.size(); ++c) {
    ++sharded.first[ShardRowOf(first_row, partition, classes.ids()[c]).shard + 1];
  }
  for (size_t shard = 1; shard < first_row.size(); ++shard) {
    sharded.first[shard] += sharded.first[shard - 1];
  }

  std::vector<int64_t> next = sharded.first;
  int64_t* const rows = runtime.Allocate<int64_t>(classes.size());
  int64_t* const place_of = runtime.Allocate<int64_t>(classes.size());
  for (int64_t c = 0; c < classes.size(); ++c) {
    const ShardRow at = ShardRowOf(first_row, partition, classes.ids()[c]);
    place_of[c] = next[at.shard]++;
    rows[place_of[c]] = at.row;
  }
  sharded.rows = rows;
  for (const IdsAndPlaces& list : lists) {
    for (int64_t k = 0; k < list.count; ++k) list.places[k] = place_of[list.places[k]];
  }
  return sharded;
}

}  // namespace candsamp
