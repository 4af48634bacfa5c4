// SPDX-License-Identifier: Apache-2.0
// Ops with the inputs, outputs and attributes of TensorFlow's own. For equal seeds they return the
// same candidates; their kernels keep the random state, as TensorFlow's do.
#include <string>

#include "cc/ops/sampler_shapes.h"

namespace candsamp {
namespace {

// The shape of true_classes, a matrix whose number of columns is the attribute num_true.
absl::Status TrueClasses(InferenceContext* c, ShapeHandle* shape) {
  int64_t num_true;
  TF_RETURN_IF_ERROR(c->GetAttr("num_true", &num_true));
  TF_RETURN_IF_ERROR(InputOfRank(c, "true_classes", 2, shape));
  DimensionHandle columns;
  if (!c->WithValue(c->Dim(*shape, 1), num_true, &columns).ok()) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes must have num_true = ", num_true,
                                                   " columns, got shape ", c->DebugString(*shape)));
  }
  *shape = c->Matrix(c->Dim(*shape, 0), columns);
  return absl::OkStatus();
}

absl::Status CandidateSamplerShapes(InferenceContext* c) {
  int64_t num_sampled;
  TF_RETURN_IF_ERROR(c->GetAttr("num_sampled", &num_sampled));
  ShapeHandle true_classes;
  TF_RETURN_IF_ERROR(TrueClasses(c, &true_classes));
  SetBatchOutputs(c, c->MakeDim(num_sampled), true_classes);
  return absl::OkStatus();
}

absl::Status ReserveStreamShapes(InferenceContext* c) {
  ShapeHandle num_sampled;
  TF_RETURN_IF_ERROR(InputOfRank(c, "num_sampled", 0, &num_sampled));
  c->set_output(0, c->Vector(3));
  return absl::OkStatus();
}

absl::Status AccidentalHitsShapes(InferenceContext* c) {
  ShapeHandle true_classes, candidates;
  TF_RETURN_IF_ERROR(TrueClasses(c, &true_classes));
  TF_RETURN_IF_ERROR(InputOfRank(c, "sampled_candidates", 1, &candidates));
  const ShapeHandle hits = c->Vector(c->UnknownDim());
  for (int k = 0; k < 3; ++k) c->set_output(k, hits);
  return absl::OkStatus();
}

constexpr char kCandidateSamplerDoc[] = R"doc(
Equal seeds give the candidates of TensorFlow's op. Each execution draws from the next part of the
kernel's random stream.

true_classes: [B, T], all in [0, range_max).
num_true: T.
num_sampled: S.
seed: the key of the random stream. Where seed2 is 0 too, both are random.
seed2: the upper half of the stream's counter.
)doc";

std::string CandidateSamplerDoc(const char* worked_shape) {
  return std::string(worked_shape) + kCandidateSamplerDoc + kBatchDoc + kExactDoc;
}

constexpr char kUniformDoc[] =
    R"doc(Draws candidates from the uniform distribution, P(k) = 1 / range_max.

For true_classes [[3], [7]] and num_true 1, num_sampled 4, range_max 10, seed 1, seed2 3 and without
`unique`: sampled_candidates [9, 3, 1, 6], true_expected_count [[0.4], [0.4]] and
sampled_expected_count [0.4, 0.4, 0.4, 0.4].

range_max: V, the number of classes.
)doc";

constexpr char kLogUniformDoc[] =
    R"doc(Draws candidates from P(k) = log((k + 2) / (k + 1)) / log(range_max + 1).

For true_classes [[0], [2]] and num_true 1, num_sampled 4, range_max 3, seed 1, seed2 3 and without
`unique`: P is [0.5, 0.292, 0.208], sampled_candidates [0, 2, 2, 0], true_expected_count
[[2], [0.83]] and sampled_expected_count [2, 0.83, 0.83, 2].

range_max: V, the number of classes.
)doc";

constexpr char kFixedUnigramDoc[] =
    R"doc(Draws candidates from given weights, P(k) proportional to weight[k] ** distortion.

For unigrams [1, 0, 3], true_classes [[0], [2]] and num_true 1, num_sampled 4, range_max 3, seed 1,
seed2 3 and without `unique`: P is [0.25, 0, 0.75], sampled_candidates [2, 0, 0, 0],
true_expected_count [[1], [3]] and sampled_expected_count [3, 1, 1, 1].

range_max: V, the number of classes: of weights in this shard, those of reserved ids included.
vocab_file: a file with a weight in each line, after the line's last comma if it has one. Either
  this or `unigrams` is given.
unigrams: the weights.
distortion: weights are raised to this power.
num_reserved_ids: so many ids of weight 0 come before those of the given weights.
num_shards: of all ids those with id % num_shards == shard are kept, as id / num_shards.
shard: which shard is kept.
)doc";

constexpr char kAllDoc[] = R"doc(Returns all classes, 0 to num_sampled - 1, each expected once.

For true_classes [[0], [2]] and num_true 1, num_sampled 4: sampled_candidates [0, 1, 2, 3],
true_expected_count [[1], [1]] and sampled_expected_count [1, 1, 1, 1].

true_classes: [B, T], all in [0, num_sampled).
num_true: T.
num_sampled: S, the number of classes.
seed: has no effect.
seed2: has no effect.
)doc";

}  // namespace

#define CANDSAMP_CANDIDATE_SAMPLER(name)                 \
  REGISTER_OP(name)                                      \
      .Input("true_classes: int64")                      \
      .CANDSAMP_BATCH_OUTPUTS.Attr("num_true: int >= 1") \
      .Attr("num_sampled: int >= 1")                     \
      .Attr("unique: bool")                              \
      .Attr("seed: int = 0")                             \
      .Attr("seed2: int = 0")                            \
      .SetShapeFn(CandidateSamplerShapes)                \
      .SetIsStateful()

CANDSAMP_CANDIDATE_SAMPLER("Candsamp>UniformCandidateSampler")
    .Attr("range_max: int >= 1")
    .Attr("exact: bool = false")
    .Doc(CandidateSamplerDoc(kUniformDoc));

CANDSAMP_CANDIDATE_SAMPLER("Candsamp>LogUniformCandidateSampler")
    .Attr("range_max: int >= 1")
    .Attr("exact: bool = false")
    .Doc(CandidateSamplerDoc(kLogUniformDoc));

CANDSAMP_CANDIDATE_SAMPLER("Candsamp>FixedUnigramCandidateSampler")
    .Attr("range_max: int >= 1")
    .Attr("vocab_file: string = ''")
    .Attr("distortion: float = 1.0")
    .Attr("num_reserved_ids: int = 0")
    .Attr("num_shards: int >= 1 = 1")
    .Attr("shard: int >= 0 = 0")
    .Attr("unigrams: list(float) = []")
    .Attr("exact: bool = false")
    .Doc(CandidateSamplerDoc(kFixedUnigramDoc));

CANDSAMP_CANDIDATE_SAMPLER("Candsamp>AllCandidateSampler").Doc(std::string(kAllDoc) + kBatchDoc);

REGISTER_OP("Candsamp>ReserveStream")
    .Input("num_sampled: int64")
    .Output("stream: int64")
    .Attr("seed: int = 0")
    .Attr("seed2: int = 0")
    .SetIsStateful()
    .SetShapeFn(ReserveStreamShapes)
    .Doc(R"doc(
Takes the next part of a random stream, as the ops with TensorFlow's attributes do.

For num_sampled 3, seed 7 and seed2 9 the first execution returns [0, 9, 7], the next one
[1536, 9, 7]: each candidate takes 512 blocks of the stream.

The kernel holds the random state, as those ops' kernels do. A new kernel starts at the beginning,
and so does eager execution after tf.random.set_seed.

num_sampled: a scalar, how many candidates are to be drawn from this part.
stream: [3], the lower and the upper half of the counter at which the part begins, and the key.
seed: the key. Where seed2 is 0 too, both are random.
seed2: the upper half of the counter.
)doc");

REGISTER_OP("Candsamp>ComputeAccidentalHits")
    .Input("true_classes: int64")
    .Input("sampled_candidates: int64")
    .Output("indices: int32")
    .Output("ids: int64")
    .Output("weights: float")
    .Attr("num_true: int >= 1")
    .SetShapeFn(AccidentalHitsShapes)
    .Doc(R"doc(
Finds the accidental hits: the candidates that are a true class of an example.

For true_classes [[1], [2]], num_true 1 and sampled_candidates [2, 5, 2]: indices [1, 1], ids [0, 2]
and weights [-3.4e38, -3.4e38]. H is the number of hits, here 2. A candidate that was drawn several
times hits with every copy, and once for each column of its row that holds it.

true_classes: [B, T].
sampled_candidates: [S].
num_true: T.
indices: [H], the row of true_classes of each hit, ascending.
ids: [H], the position of each hit among the candidates.
weights: [H], each the lowest finite float: added to the hit's logit it masks the candidate.
)doc");

}  // namespace candsamp
