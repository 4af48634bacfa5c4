// SPDX-License-Identifier: Apache-2.0
// The op that finds which rows to fetch of a table that lies elsewhere.
#include <vector>

#include "cc/ops/tf_names.h"

namespace candsamp {
namespace {

absl::Status FindRowsShapes(InferenceContext* c) {
  std::vector<ShapeHandle> ids, places;
  TF_RETURN_IF_ERROR(c->input("ids", &ids));
  int shards;
  TF_RETURN_IF_ERROR(c->GetAttr("shards", &shards));
  for (int k = 0; k < shards; ++k) c->set_output(k, c->Vector(InferenceContext::kUnknownDim));
  for (size_t k = 0; k < ids.size(); ++k) c->set_output(shards + static_cast<int>(k), ids[k]);
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("Candsamp>FindRows")
    .Input("ids: N * int64")
    .Input("shard_rows: int64")
    .Output("rows: shards * int64")
    .Output("places: N * int64")
    .Attr("N: int >= 1")
    .Attr("shards: int >= 1")
    .Attr("names: list(string)")
    .Attr("table: string")
    .Attr("num_classes: int = -1")
    .Attr("partition_strategy: {'div', 'mod'} = 'div'")
    .SetShapeFn(FindRowsShapes)
    .Doc(R"doc(
Finds the rows that some classes have in a table, each once.

The place of a class is where its row is among those of all shards, one shard after the other.
For ids [[7, 2], [2, 5]] and shard_rows [4, 4]: rows [2] of the first shard and [3, 1] of the
second, places [[1, 0], [0, 2]].

ids: class ids, in tensors of any shapes.
shard_rows: [shards], how many rows each shard has.
rows: for each shard its rows, counted within the shard, in the order in which they first occur.
places: of each tensor of ids, of its shape.
N: how many tensors of ids there are.
shards: how many shards the table has.
names: of each tensor of ids, for errors.
table: the name of the table, likewise.
num_classes: ids must be below it; -1: below the number of rows.
partition_strategy: 'div' where shards hold consecutive rows, 'mod' where row i is in shard
  i % shards.
)doc");

}  // namespace candsamp
