// SPDX-License-Identifier: Apache-2.0
// Draws of candidates as ops make them: options, checked inputs, and outputs.
//
// The kernels are templates over the device. Draw<Device> is all that they need of it; a device
// is added by specialising Draw, see cpu_draws.h and gpu/gpu_draws.h.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_DRAWS_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_DRAWS_H_

#include "cc/kernels/framework/devices.h"
#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/core/philox.h"

namespace candsamp {

// A specialisation has these members. A distribution is one of those that its states and the
// origins of distribution_origin.h hand out.
//
//   FixedUnigramState, LearnedUnigramState: the states derived from variables;
//   Stream: the random stream of a draw;
//   StreamAt(values): the stream of an op's input, StreamOf(stream): a known one;
//   Range(distribution): how many classes it has;
//   CheckClassIds(name, ids, range): checks that ids are in [0, range), if the device does;
//   Batch(context, runtime, distribution, stream, options, true_classes, outputs);
//   Rows(context, runtime, distribution, stream, options, inputs): allocates its outputs too;
//   Probabilities(context, runtime, distribution, ids, out);
//   AllCandidates(context, true_classes, outputs): the classes in order, each expected once.
//   AccidentalHits: see accidental_hits_op.h.
template <typename Device>
struct Draw;

// The number of candidates is limited so that it cannot overflow TensorFlow's random state.
constexpr int64_t kMostSampled = int64_t{1} << 40;

// One set of candidates for the whole batch.
struct BatchOptions {
  int64_t num_sampled;
  bool unique;
  bool exact;
};

// Candidates of their own for each row.
struct RowsOptions {
  bool unique;
  bool exact;
  bool exclude_true;
};

// Finds the input `stream`: [counter's lower half, its upper half, key].
absl::Status FindStream(OpKernelContext* context, const int64_t** values);

// Checks that the argument `name` is one value.
absl::Status CheckScalar(const char* name, const Tensor& value);

// Checks that true_classes is a matrix, of num_true columns unless that is negative.
absl::Status CheckTrueClasses(const Tensor& true_classes, int64_t num_true);

// Checks that ids of the argument `name` are classes of a sampler. REQUIRES: they are in the host's
// memory.
absl::Status CheckInRange(const char* name, const Tensor& ids, int64_t range);

struct BatchOutputs {
  Tensor *candidates, *true_expected_count, *sampled_expected_count;
};

// Checks the options against the number of classes that can be drawn, and allocates the outputs.
absl::Status PrepareBatch(OpKernelContext* context, const BatchOptions& options, int64_t support,
                          const Tensor& true_classes, BatchOutputs* outputs);

// The inputs of a draw for rows. num_sampled and true_splits are in the host's memory.
struct RowsInputs {
  const Tensor *num_sampled, *true_classes, *true_splits;
  int64_t rows;

  // Checks shapes and the values of true_splits.
  absl::Status Read(OpKernelContext* context);
  // Writes the row splits of the candidates, rows + 1 values.
  absl::Status WriteCandidateSplits(int64_t* splits) const;
};

// Draws a batch and computes expected counts.
template <typename Device, typename Distribution>
absl::Status DrawBatch(OpKernelContext* context, OpRuntime& runtime,
                       const Distribution& distribution,
                       const typename Draw<Device>::Stream& stream, const BatchOptions& options,
                       const Tensor& true_classes) {
  TF_RETURN_IF_ERROR(
      Draw<Device>::CheckClassIds("true_classes", true_classes, Draw<Device>::Range(distribution)));
  BatchOutputs outputs;
  TF_RETURN_IF_ERROR(
      PrepareBatch(context, options, distribution.support(), true_classes, &outputs));
  return Draw<Device>::Batch(context, runtime, distribution, stream, options, true_classes,
                             outputs);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_DRAWS_H_
