// SPDX-License-Identifier: Apache-2.0
// Ops that make the weights of a fixed unigram distribution.
#include "cc/lib/samplers/unigram_weights.h"
#include "cc/ops/sampler_shapes.h"

namespace candsamp {
namespace {

absl::Status UnigramWeightsShapes(InferenceContext* c) {
  ShapeHandle unigrams;
  TF_RETURN_IF_ERROR(InputOfRank(c, "unigrams", 1, &unigrams));
  UnigramShard attributes;
  TF_RETURN_IF_ERROR(c->GetAttr("num_reserved_ids", &attributes.num_reserved_ids));
  TF_RETURN_IF_ERROR(c->GetAttr("num_shards", &attributes.num_shards));
  TF_RETURN_IF_ERROR(c->GetAttr("shard", &attributes.shard));
  DimensionHandle size = c->UnknownDim();
  // The kernel refuses bad attributes.
  if (c->ValueKnown(c->Dim(unigrams, 0)) && attributes.Check().empty()) {
    size = c->MakeDim(ShardSize(c->Value(c->Dim(unigrams, 0)), attributes));
  }
  c->set_output(0, c->Vector(size));
  return absl::OkStatus();
}

absl::Status VectorOfUnknownSize(InferenceContext* c) {
  c->set_output(0, c->UnknownShapeOfRank(1));
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("Candsamp>ReadVocabulary")
    .Input("vocab_file: string")
    .Output("unigrams: float")
    .SetIsStateful()
    .SetShapeFn(VectorOfUnknownSize)
    .Doc(R"doc(
Reads the weights in a vocabulary file.

For a file of the lines "the,5", "of,3", "" and "7": unigrams [5, 3, 7].

vocab_file: the path of a file, on any of TensorFlow's file systems. A line has a weight after its
  last comma, or is a weight; blank lines are skipped.
unigrams: [V], the weights in the order of the lines.
)doc");

REGISTER_OP("Candsamp>UnigramWeights")
    .Input("unigrams: float")
    .Output("weights: float")
    .Attr("distortion: float")
    .Attr("num_reserved_ids: int")
    .Attr("num_shards: int")
    .Attr("shard: int")
    .SetShapeFn(UnigramWeightsShapes)
    .Doc(R"doc(
Distorts weights, puts those of reserved ids before them, and keeps one shard.

For unigrams [1, 2, 3], distortion 2 and num_reserved_ids 1 the weights of all ids are [0, 1, 4, 9].
With num_shards 2 and shard 1: weights [1, 9], of the ids 1 and 3.

unigrams: [U], finite, not negative, and not all zero.
weights: [V], those of the ids in the shard.
distortion: weights are raised to this power.
num_reserved_ids: so many ids of weight 0 come before those of the given weights.
num_shards: of all ids those with id % num_shards == shard are kept, as id / num_shards.
shard: which shard is kept.
)doc");

}  // namespace candsamp
