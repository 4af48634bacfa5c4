// Ops of the candidate samplers.
//
// In three forms for each distribution:
// - XCandidateSampler has TensorFlow's inputs, outputs and attributes, keeps its random state in
// the
//   kernel, and returns TensorFlow's ids for equal seeds;
// - StatelessXSample and StatelessXRaggedSample are functions of `stream`, the 128-bit counter
//   (lower half, upper half) and the key of a Philox stream;
// - those without prefix read their distribution from a variable. What is derived from it is found
//   by the variable, and made anew when the variable holds something else.
//
// A batch: num_sampled = S and true_classes [B, T] give sampled_candidates [S], true_expected_count
// [B, T] and sampled_expected_count [S]. Rows: num_sampled [B] gives candidates [sum of
// num_sampled] with row splits [B + 1], and expected_count beside them; row i's true classes are
// true_classes [true_splits[i] .. true_splits[i + 1]).
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cc/lib/samplers/unigram_weights.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tensorflow {
namespace {

using shape_inference::DimensionHandle;
using shape_inference::InferenceContext;
using shape_inference::ShapeHandle;

absl::Status WithRank(InferenceContext* c, int input, const char* name, int rank,
                      ShapeHandle* shape) {
  if (c->WithRank(c->input(input), rank, shape).ok()) return absl::OkStatus();
  const char* kind = rank == 2 ? "a matrix" : rank == 1 ? "a vector" : "a scalar";
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must be ", kind, ", got shape ", c->DebugString(c->input(input))));
}

absl::Status StreamShape(InferenceContext* c, int input) {
  ShapeHandle stream;
  TF_RETURN_IF_ERROR(WithRank(c, input, "stream", 1, &stream));
  DimensionHandle size;
  if (c->WithValue(c->Dim(stream, 0), 3, &size).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("stream must have 3 values, got shape ", c->DebugString(stream)));
}

void BatchOutputs(InferenceContext* c, DimensionHandle num_sampled, ShapeHandle true_classes) {
  c->set_output(0, c->Vector(num_sampled));
  c->set_output(1, true_classes);
  c->set_output(2, c->Vector(num_sampled));
}

// Of ops with TensorFlow's attributes.
absl::Status CandidateSamplerShapes(InferenceContext* c) {
  int64_t num_sampled, num_true;
  TF_RETURN_IF_ERROR(c->GetAttr("num_sampled", &num_sampled));
  TF_RETURN_IF_ERROR(c->GetAttr("num_true", &num_true));
  ShapeHandle true_classes;
  TF_RETURN_IF_ERROR(WithRank(c, 0, "true_classes", 2, &true_classes));
  DimensionHandle columns;
  if (!c->WithValue(c->Dim(true_classes, 1), num_true, &columns).ok()) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes must have num_true = ", num_true,
                                                   " columns, got shape ",
                                                   c->DebugString(true_classes)));
  }
  BatchOutputs(c, c->MakeDim(num_sampled), c->Matrix(c->Dim(true_classes, 0), num_true));
  return absl::OkStatus();
}

absl::Status SampleShapes(InferenceContext* c) {
  ShapeHandle num_sampled, true_classes;
  TF_RETURN_IF_ERROR(StreamShape(c, 0));
  TF_RETURN_IF_ERROR(WithRank(c, 1, "num_sampled", 0, &num_sampled));
  TF_RETURN_IF_ERROR(WithRank(c, 2, "true_classes", 2, &true_classes));
  DimensionHandle size = c->UnknownDim();
  const Tensor* value = c->input_tensor(1);
  // A bad number is the kernel's to name.
  if (value && value->scalar<int64_t>()() > 0) size = c->MakeDim(value->scalar<int64_t>()());
  BatchOutputs(c, size, true_classes);
  return absl::OkStatus();
}

absl::Status RaggedSampleShapes(InferenceContext* c) {
  ShapeHandle num_sampled, shape;
  TF_RETURN_IF_ERROR(StreamShape(c, 0));
  TF_RETURN_IF_ERROR(WithRank(c, 1, "num_sampled", 1, &num_sampled));
  TF_RETURN_IF_ERROR(WithRank(c, 2, "true_classes", 1, &shape));
  TF_RETURN_IF_ERROR(WithRank(c, 3, "true_splits", 1, &shape));
  DimensionHandle splits;
  TF_RETURN_IF_ERROR(c->Add(c->Dim(num_sampled, 0), 1, &splits));
  c->set_output(0, c->UnknownShapeOfRank(1));
  c->set_output(1, c->Vector(splits));
  c->set_output(2, c->UnknownShapeOfRank(1));
  return absl::OkStatus();
}

absl::Status UnigramWeightsShapes(InferenceContext* c) {
  ShapeHandle unigrams;
  TF_RETURN_IF_ERROR(WithRank(c, 0, "unigrams", 1, &unigrams));
  candsamp::UnigramShard attributes;
  TF_RETURN_IF_ERROR(c->GetAttr("num_reserved_ids", &attributes.num_reserved_ids));
  TF_RETURN_IF_ERROR(c->GetAttr("num_shards", &attributes.num_shards));
  TF_RETURN_IF_ERROR(c->GetAttr("shard", &attributes.shard));
  DimensionHandle size = c->UnknownDim();
  // Bad attributes are the kernel's to name.
  if (c->ValueKnown(c->Dim(unigrams, 0)) && attributes.Check().empty()) {
    size = c->MakeDim(candsamp::ShardSize(c->Value(c->Dim(unigrams, 0)), attributes));
  }
  c->set_output(0, c->Vector(size));
  return absl::OkStatus();
}

absl::Status AccidentalHitsShapes(InferenceContext* c) {
  int64_t num_true;
  TF_RETURN_IF_ERROR(c->GetAttr("num_true", &num_true));
  ShapeHandle true_classes, candidates;
  TF_RETURN_IF_ERROR(WithRank(c, 0, "true_classes", 2, &true_classes));
  TF_RETURN_IF_ERROR(WithRank(c, 1, "sampled_candidates", 1, &candidates));
  DimensionHandle columns;
  if (!c->WithValue(c->Dim(true_classes, 1), num_true, &columns).ok()) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes must have num_true = ", num_true,
                                                   " columns, got shape ",
                                                   c->DebugString(true_classes)));
  }
  const ShapeHandle hits = c->Vector(c->UnknownDim());
  for (int k = 0; k < 3; ++k) c->set_output(k, hits);
  return absl::OkStatus();
}

}  // namespace

#define CANDSAMP_BATCH_OUTPUTS              \
  Output("sampled_candidates: int64")       \
      .Output("true_expected_count: float") \
      .Output("sampled_expected_count: float")

#define CANDSAMP_RAGGED_OUTPUTS \
  Output("candidates: int64").Output("row_splits: int64").Output("expected_count: float")

// With TensorFlow's attributes. exact: see DrawCandidates in cc/lib/draw_candidates.h.
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
    .Attr("exact: bool = false");
CANDSAMP_CANDIDATE_SAMPLER("Candsamp>LogUniformCandidateSampler")
    .Attr("range_max: int >= 1")
    .Attr("exact: bool = false");
CANDSAMP_CANDIDATE_SAMPLER("Candsamp>FixedUnigramCandidateSampler")
    .Attr("range_max: int >= 1")
    .Attr("vocab_file: string = ''")
    .Attr("distortion: float = 1.0")
    .Attr("num_reserved_ids: int = 0")
    .Attr("num_shards: int >= 1 = 1")
    .Attr("shard: int >= 0 = 0")
    .Attr("unigrams: list(float) = []")
    .Attr("exact: bool = false");
CANDSAMP_CANDIDATE_SAMPLER("Candsamp>AllCandidateSampler");

// num_true: how many columns true_classes must have; -1 is any number.
#define CANDSAMP_SAMPLE(name)                            \
  REGISTER_OP(name)                                      \
      .Input("stream: int64")                            \
      .Input("num_sampled: int64")                       \
      .Input("true_classes: int64")                      \
      .CANDSAMP_BATCH_OUTPUTS.Attr("num_true: int = -1") \
      .Attr("unique: bool")                              \
      .Attr("exact: bool")                               \
      .SetShapeFn(SampleShapes)

#define CANDSAMP_RAGGED_SAMPLE(name)                \
  REGISTER_OP(name)                                 \
      .Input("stream: int64")                       \
      .Input("num_sampled: int64")                  \
      .Input("true_classes: int64")                 \
      .Input("true_splits: int64")                  \
      .CANDSAMP_RAGGED_OUTPUTS.Attr("unique: bool") \
      .Attr("exact: bool")                          \
      .Attr("exclude_true: bool")                   \
      .SetShapeFn(RaggedSampleShapes)

#define CANDSAMP_PROBABILITY(name)  \
  REGISTER_OP(name)                 \
      .Input("ids: int64")          \
      .Output("probability: float") \
      .SetShapeFn(shape_inference::UnchangedShape)

#define CANDSAMP_RANGE(X)                                                               \
  CANDSAMP_SAMPLE("Candsamp>Stateless" X "Sample").Attr("range_max: int");              \
  CANDSAMP_RAGGED_SAMPLE("Candsamp>Stateless" X "RaggedSample").Attr("range_max: int"); \
  CANDSAMP_PROBABILITY("Candsamp>" X "Probability").Attr("range_max: int");

CANDSAMP_RANGE("Uniform")
CANDSAMP_RANGE("LogUniform")

// Weights as a tensor; the table is kept for the next call with the same tensor.
CANDSAMP_SAMPLE("Candsamp>StatelessFixedUnigramSample")
    .Input("weights: float")
    .Attr("range_max: int");

CANDSAMP_SAMPLE("Candsamp>FixedUnigramSample").Input("weights: resource");
CANDSAMP_RAGGED_SAMPLE("Candsamp>FixedUnigramRaggedSample").Input("weights: resource");
CANDSAMP_PROBABILITY("Candsamp>FixedUnigramProbability").Input("weights: resource");

// update: whether the true classes are counted after the draw.
CANDSAMP_SAMPLE("Candsamp>LearnedUnigramSample")
    .Input("counts: resource")
    .Attr("update: bool = true");
CANDSAMP_RAGGED_SAMPLE("Candsamp>LearnedUnigramRaggedSample")
    .Input("counts: resource")
    .Attr("update: bool = true");
CANDSAMP_PROBABILITY("Candsamp>LearnedUnigramProbability").Input("counts: resource");
REGISTER_OP("Candsamp>LearnedUnigramUpdate")
    .Input("classes: int64")
    .Input("counts: resource")
    .SetShapeFn(shape_inference::NoOutputs);

REGISTER_OP("Candsamp>ReserveStream")
    .Input("num_sampled: int64")
    .Output("stream: int64")
    .Attr("seed: int = 0")
    .Attr("seed2: int = 0")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle num_sampled;
      TF_RETURN_IF_ERROR(WithRank(c, 0, "num_sampled", 0, &num_sampled));
      c->set_output(0, c->Vector(3));
      return absl::OkStatus();
    })
    .Doc(R"doc(
The stream that an op with TensorFlow's attributes would draw so many candidates from next.

The kernel holds the random state, as those ops' kernels do: a new kernel starts anew, and so does
eager execution after tf.random.set_seed.

num_sampled: how many candidates are to be drawn. The next execution starts behind them.
stream: [counter's lower half, its upper half, key].
seed, seed2: the key, and the counter's upper half. Both 0: random.
)doc");

REGISTER_OP("Candsamp>ReadVocabulary")
    .Input("vocab_file: string")
    .Output("unigrams: float")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->UnknownShapeOfRank(1));
      return absl::OkStatus();
    });

REGISTER_OP("Candsamp>UnigramWeights")
    .Input("unigrams: float")
    .Output("weights: float")
    .Attr("distortion: float")
    .Attr("num_reserved_ids: int")
    .Attr("num_shards: int")
    .Attr("shard: int")
    .SetShapeFn(UnigramWeightsShapes);

REGISTER_OP("Candsamp>ComputeAccidentalHits")
    .Input("true_classes: int64")
    .Input("sampled_candidates: int64")
    .Output("indices: int32")
    .Output("ids: int64")
    .Output("weights: float")
    .Attr("num_true: int >= 1")
    .SetShapeFn(AccidentalHitsShapes);

}  // namespace tensorflow
