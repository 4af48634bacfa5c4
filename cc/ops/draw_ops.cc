// SPDX-License-Identifier: Apache-2.0
// Ops that draw from a given part of a random stream, for a batch or for each row. Others return
// the probabilities of these draws.
//
// The ops named Stateless..., and those with range_max, are functions of their inputs. The others
// read a variable. Kernels find the state derived from it by the variable, and derive it again when
// the variable has changed.
#include <string>

#include "cc/ops/sampler_shapes.h"
#include "tensorflow/core/framework/common_shape_fns.h"

namespace candsamp {
namespace {

absl::Status CheckStream(InferenceContext* c) {
  ShapeHandle stream;
  TF_RETURN_IF_ERROR(InputOfRank(c, "stream", 1, &stream));
  DimensionHandle size;
  if (c->WithValue(c->Dim(stream, 0), 3, &size).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("stream must have 3 values, got shape ", c->DebugString(stream)));
}

absl::Status SampleShapes(InferenceContext* c) {
  ShapeHandle num_sampled, true_classes;
  TF_RETURN_IF_ERROR(CheckStream(c));
  TF_RETURN_IF_ERROR(InputOfRank(c, "num_sampled", 0, &num_sampled));
  TF_RETURN_IF_ERROR(InputOfRank(c, "true_classes", 2, &true_classes));
  DimensionHandle size = c->UnknownDim();
  const tensorflow::Tensor* value = c->input_tensor(1);
  // The kernel refuses a number that is not positive.
  if (value && value->scalar<int64_t>()() > 0) size = c->MakeDim(value->scalar<int64_t>()());
  SetBatchOutputs(c, size, true_classes);
  return absl::OkStatus();
}

absl::Status RaggedSampleShapes(InferenceContext* c) {
  ShapeHandle num_sampled, shape;
  TF_RETURN_IF_ERROR(CheckStream(c));
  TF_RETURN_IF_ERROR(InputOfRank(c, "num_sampled", 1, &num_sampled));
  TF_RETURN_IF_ERROR(InputOfRank(c, "true_classes", 1, &shape));
  TF_RETURN_IF_ERROR(InputOfRank(c, "true_splits", 1, &shape));
  DimensionHandle splits;
  TF_RETURN_IF_ERROR(c->Add(c->Dim(num_sampled, 0), 1, &splits));
  c->set_output(0, c->UnknownShapeOfRank(1));
  c->set_output(1, c->Vector(splits));
  c->set_output(2, c->UnknownShapeOfRank(1));
  return absl::OkStatus();
}

// What each kind of op says of its arguments.
constexpr char kSampleDoc[] = R"doc(
stream: [3], the lower and the upper half of the counter, and the key, of the random stream at which
  the draws begin.
num_sampled: a scalar, S.
true_classes: [B, T], all in [0, V).
num_true: T, or -1 for any number of columns.
)doc";

constexpr char kRaggedSampleDoc[] = R"doc(
stream: [3], the lower and the upper half of the counter, and the key, of the random stream that the
  rows' own streams are made from.
num_sampled: [B], how many candidates to draw for each row; N altogether.
true_classes: [L], all in [0, V).
true_splits: [B + 1], the row splits of true_classes: row i has those in
  [true_splits[i], true_splits[i + 1]).
unique: whether the candidates of a row are all different.
exclude_true: whether row i draws from the distribution without its true classes. Expected counts
  are then those of that distribution.
candidates: [N], row after row.
row_splits: [B + 1], the row splits of candidates and expected_count.
expected_count: [N], how often each candidate is expected among those of its row.
)doc";

constexpr char kProbabilityDoc[] = R"doc(
ids: classes, all in [0, V), of any shape.
probability: the shape of ids.
)doc";

// Where the ops of each distribution get it.
constexpr char kRangeDoc[] = R"doc(
range_max: V, the number of classes.
)doc";
constexpr char kWeightTensorDoc[] = R"doc(
weights: [V], finite, not negative, and not all zero. The kernel keeps the alias table for the next
  execution with the same tensor.
range_max: V.
)doc";
constexpr char kWeightVariableDoc[] = R"doc(
weights: the handle of a float variable [V]: finite, not negative, and not all zero.
)doc";
constexpr char kCountsDoc[] = R"doc(
counts: the handle of an int64 variable [V]: how often each class was counted.
)doc";
// Of the learned unigram.
constexpr char kDistortionAttr[] = "distortion: float = 1.0";
constexpr char kDistortionDoc[] = R"doc(
distortion: in [0, 1]: 1 + count is raised to this power, in units of 2^-20.
)doc";
constexpr char kUpdateDoc[] = R"doc(
update: whether one is added to the count of each true class, after the draw.
)doc";

std::string SampleDoc(const char* worked_shape, const char* distribution) {
  return std::string(worked_shape) + kSampleDoc + kBatchDoc + kExactDoc + distribution;
}
std::string RaggedSampleDoc(const char* worked_shape, const char* distribution) {
  return std::string(worked_shape) + kRaggedSampleDoc + kExactDoc + distribution;
}
std::string ProbabilityDoc(const char* worked_shape, const char* distribution) {
  return std::string(worked_shape) + kProbabilityDoc + distribution;
}

}  // namespace

#define CANDSAMP_SAMPLE(name)                            \
  REGISTER_OP(name)                                      \
      .Input("stream: int64")                            \
      .Input("num_sampled: int64")                       \
      .Input("true_classes: int64")                      \
      .CANDSAMP_BATCH_OUTPUTS.Attr("num_true: int = -1") \
      .Attr("unique: bool")                              \
      .Attr("exact: bool")                               \
      .SetShapeFn(SampleShapes)

#define CANDSAMP_RAGGED_SAMPLE(name)   \
  REGISTER_OP(name)                    \
      .Input("stream: int64")          \
      .Input("num_sampled: int64")     \
      .Input("true_classes: int64")    \
      .Input("true_splits: int64")     \
      .Output("candidates: int64")     \
      .Output("row_splits: int64")     \
      .Output("expected_count: float") \
      .Attr("unique: bool")            \
      .Attr("exact: bool")             \
      .Attr("exclude_true: bool")      \
      .SetShapeFn(RaggedSampleShapes)

#define CANDSAMP_PROBABILITY(name)  \
  REGISTER_OP(name)                 \
      .Input("ids: int64")          \
      .Output("probability: float") \
      .SetShapeFn(tensorflow::shape_inference::UnchangedShape)

CANDSAMP_SAMPLE("Candsamp>StatelessUniformSample")
    .Attr("range_max: int")
    .Doc(SampleDoc(R"doc(
Draws candidates for a batch from the uniform distribution, P(k) = 1 / range_max.

For stream [0, 3, 1], num_sampled 4, true_classes [[3], [7]], range_max 10 and without `unique`:
sampled_candidates [9, 3, 1, 6], true_expected_count [[0.4], [0.4]] and sampled_expected_count
[0.4, 0.4, 0.4, 0.4].
)doc",
                   kRangeDoc));

CANDSAMP_RAGGED_SAMPLE("Candsamp>StatelessUniformRaggedSample")
    .Attr("range_max: int")
    .Doc(RaggedSampleDoc(R"doc(
Draws candidates for each row from the uniform distribution, P(k) = 1 / range_max.

For stream [0, 3, 1], num_sampled [2, 0, 1], true_classes [0, 1, 2] with true_splits [0, 1, 2, 3],
range_max 5, exclude_true and without `unique`: candidates [4, 2, 0] with row_splits [0, 2, 2, 3],
and expected_count [0.5, 0.5, 0.25], as each row draws from 4 classes.
)doc",
                         kRangeDoc));

CANDSAMP_PROBABILITY("Candsamp>UniformProbability")
    .Attr("range_max: int")
    .Doc(ProbabilityDoc(R"doc(
Returns the probability of classes in the uniform distribution, 1 / range_max.

For ids [[0], [3]] and range_max 4: probability [[0.25], [0.25]].
)doc",
                        kRangeDoc));

CANDSAMP_SAMPLE("Candsamp>StatelessLogUniformSample")
    .Attr("range_max: int")
    .Doc(SampleDoc(R"doc(
Draws candidates for a batch from P(k) = log((k + 2) / (k + 1)) / log(range_max + 1).

For stream [0, 3, 1], num_sampled 4, true_classes [[0], [2]], range_max 3 and without `unique`: P is
[0.5, 0.292, 0.208], sampled_candidates [0, 2, 2, 0], true_expected_count [[2], [0.83]] and
sampled_expected_count [2, 0.83, 0.83, 2].
)doc",
                   kRangeDoc));

CANDSAMP_RAGGED_SAMPLE("Candsamp>StatelessLogUniformRaggedSample")
    .Attr("range_max: int")
    .Doc(RaggedSampleDoc(R"doc(
Draws candidates for each row from P(k) = log((k + 2) / (k + 1)) / log(range_max + 1).

For stream [0, 3, 1], num_sampled [2, 0, 1], true_classes [0, 1, 2] with true_splits [0, 1, 2, 3],
range_max 3, exclude_true and without `unique`: P is [0.5, 0.292, 0.208], candidates [2, 1, 0] with
row_splits [0, 2, 2, 3], and expected_count [0.83, 1.17, 0.631]. Row 0 draws class 1 with
probability 0.292 / 0.5 and class 2 with 0.208 / 0.5.
)doc",
                         kRangeDoc));

CANDSAMP_PROBABILITY("Candsamp>LogUniformProbability")
    .Attr("range_max: int")
    .Doc(ProbabilityDoc(R"doc(
Returns the probability of classes, log((k + 2) / (k + 1)) / log(range_max + 1).

For ids [0, 1, 2] and range_max 3: probability [0.5, 0.292, 0.208].
)doc",
                        kRangeDoc));

CANDSAMP_SAMPLE("Candsamp>StatelessFixedUnigramSample")
    .Input("weights: float")
    .Attr("range_max: int")
    .Doc(SampleDoc(R"doc(
Draws candidates for a batch from a tensor of weights, P(k) proportional to weights[k].

For stream [0, 3, 1], num_sampled 4, true_classes [[0], [2]], weights [1, 0, 3], range_max 3 and
without `unique`: P is [0.25, 0, 0.75], sampled_candidates [2, 0, 0, 0], true_expected_count
[[1], [3]] and sampled_expected_count [3, 1, 1, 1].
)doc",
                   kWeightTensorDoc));

CANDSAMP_SAMPLE("Candsamp>FixedUnigramSample")
    .Input("weights: resource")
    .Doc(SampleDoc(R"doc(
Draws candidates for a batch from a variable of weights, P(k) proportional to weights[k].

For stream [0, 3, 1], num_sampled 4, true_classes [[0], [2]], a variable that holds [1, 0, 3] and
without `unique`: P is [0.25, 0, 0.75], sampled_candidates [2, 0, 0, 0], true_expected_count
[[1], [3]] and sampled_expected_count [3, 1, 1, 1].
)doc",
                   kWeightVariableDoc));

CANDSAMP_RAGGED_SAMPLE("Candsamp>FixedUnigramRaggedSample")
    .Input("weights: resource")
    .Doc(RaggedSampleDoc(R"doc(
Draws candidates for each row from a variable of weights, P(k) proportional to weights[k].

For stream [0, 3, 1], num_sampled [1, 0, 2], true_classes [0, 1, 2] with true_splits [0, 1, 2, 3], a
variable that holds [1, 0, 3], exclude_true and without `unique`: candidates [2, 0, 0] with
row_splits [0, 1, 1, 3], and expected_count [1, 2, 2]. The true class of row 0 leaves class 2 alone,
that of row 2 leaves class 0.
)doc",
                         kWeightVariableDoc));

CANDSAMP_PROBABILITY("Candsamp>FixedUnigramProbability")
    .Input("weights: resource")
    .Doc(ProbabilityDoc(R"doc(
Returns the probability of classes, weights[k] / sum of weights.

For ids [0, 1, 2] and a variable that holds [1, 0, 3]: probability [0.25, 0, 0.75].
)doc",
                        kWeightVariableDoc));

CANDSAMP_SAMPLE("Candsamp>LearnedUnigramSample")
    .Input("counts: resource")
    .Attr("update: bool = true")
    .Attr(kDistortionAttr)
    .Doc(SampleDoc(R"doc(
Draws candidates for a batch by how often classes were counted, P(k) proportional to 1 + counts[k].

For stream [0, 3, 1], num_sampled 4, true_classes [[0], [2]], a variable that holds [0, 2, 1] and
without `unique`: P is [1/6, 3/6, 2/6], sampled_candidates [1, 2, 1, 2], true_expected_count
[[0.667], [1.333]] and sampled_expected_count [2, 1.333, 2, 1.333]. Then `update` counts the true
classes, and the variable holds [1, 2, 2].
)doc",
                   kCountsDoc) +
         kDistortionDoc + kUpdateDoc);

CANDSAMP_RAGGED_SAMPLE("Candsamp>LearnedUnigramRaggedSample")
    .Input("counts: resource")
    .Attr("update: bool = true")
    .Attr(kDistortionAttr)
    .Doc(RaggedSampleDoc(R"doc(
Draws candidates for each row by how often classes were counted: P(k) ~ 1 + counts[k].

For stream [0, 3, 1], num_sampled [2, 0, 1], true_classes [0, 1, 2] with true_splits [0, 1, 2, 3], a
variable that holds [0, 2, 1], exclude_true and without `unique`: candidates [1, 2, 1] with
row_splits [0, 2, 2, 3], and expected_count [1.2, 0.8, 0.75]. Row 0 draws class 1 with probability
3/5 and class 2 with 2/5. Then `update` counts the true classes, and the variable holds [1, 3, 2].
)doc",
                         kCountsDoc) +
         kDistortionDoc + kUpdateDoc);

CANDSAMP_PROBABILITY("Candsamp>LearnedUnigramProbability")
    .Input("counts: resource")
    .Attr(kDistortionAttr)
    .Doc(ProbabilityDoc(R"doc(
Returns the probability of classes, (1 + counts[k]) / sum of (1 + counts).

For ids [0, 1, 2] and a variable that holds [0, 2, 1]: probability [0.167, 0.5, 0.333].
)doc",
                        kCountsDoc) +
         kDistortionDoc);

REGISTER_OP("Candsamp>LearnedUnigramUpdate")
    .Input("classes: int64")
    .Input("counts: resource")
    .Attr(kDistortionAttr)
    .SetShapeFn(tensorflow::shape_inference::NoOutputs)
    .Doc(std::string(R"doc(
Adds one to the count of each class, as often as it occurs.

For classes [[2], [2]] and a variable that holds [0, 2, 1], it then holds [0, 2, 3].

classes: all in [0, V), of any shape. If one is out of range, none is counted.
)doc") + kCountsDoc +
         kDistortionDoc);

REGISTER_OP("Candsamp>LearnedUnigramHalve")
    .Input("when: bool")
    .Input("counts: resource")
    .Attr(kDistortionAttr)
    .SetShapeFn(tensorflow::shape_inference::NoOutputs)
    .Doc(std::string(R"doc(
Halves all counts, rounded down, if `when` is true.

For when true and a variable that holds [0, 2, 5], it then holds [0, 1, 2].

when: a scalar.
)doc") + kCountsDoc +
         kDistortionDoc);

REGISTER_OP("Candsamp>CountStep")
    .Input("steps: resource")
    .Output("step: int64")
    .SetShapeFn(tensorflow::shape_inference::ScalarShape)
    .Doc(R"doc(
Adds one to a variable, and returns what it then holds: no two calls return the same.

For a variable that holds 6: step 7. The variable then holds 7.

steps: the handle of an int64 variable, a scalar.
step: a scalar.
)doc");

}  // namespace candsamp
