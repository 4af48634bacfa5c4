// SPDX-License-Identifier: Apache-2.0
// The ops of the frequency estimator.
#include <string>

#include "cc/ops/tf_names.h"

namespace candsamp {
namespace {

constexpr char kDoc[] = R"doc(
ids: of any shape and value.
state: the handle of an int64 variable [1 + 2 * num_hashes * num_buckets]: the time, which is the
  number of ids so far, and for each place two words: when it came last; how often it came, times
  2^32, plus the bits of its mean gap as a float.
num_buckets: the places of each hash.
num_hashes: at most 16.
)doc";

}  // namespace

REGISTER_OP("Candsamp>FrequencyUpdate")
    .Input("ids: int64")
    .Input("state: resource")
    .Attr("num_buckets: int")
    .Attr("num_hashes: int")
    .Attr("learning_rate: float")
    .SetShapeFn(tensorflow::shape_inference::NoOutputs)
    .Doc(std::string(R"doc(
Moves the mean gap of each id's places towards the gap since they came last.

For ids [7, 7, 7, 7], one bucket of one hash and a variable that holds [0, 0, 0], it then holds
[4, 4, 18245222400]: time 4, last 4, and 4 * 2^32 plus the bits of 1, the mean gap.

)doc") + (kDoc + 1) +
         R"doc(learning_rate: by how much an occurrence moves the mean, above 0 and at most 1.
)doc");

REGISTER_OP("Candsamp>FrequencyGaps")
    .Input("ids: int64")
    .Input("state: resource")
    .Output("gaps: float")
    .Attr("num_buckets: int")
    .Attr("num_hashes: int")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape)
    .Doc(std::string(R"doc(
Returns the mean gap between the occurrences of ids.

For ids [7, 8], one bucket of one hash and a variable that holds [4, 4, 18245222400]: gaps [1, 1].

)doc") + (kDoc + 1) +
         R"doc(gaps: at least 1. Their inverses estimate probabilities.
)doc");

}  // namespace candsamp
