// Draws from a distribution into the outputs of an op.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_DRAW_OUTPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_DRAW_OUTPUTS_H_

#include "absl/status/status.h"
#include "cc/kernels/framework/op_runtime.h"
#include "cc/lib/samplers/distribution.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// No more candidates are drawn at a time: what TensorFlow's random state is advanced by must not
// overflow.
constexpr int64_t kMostSampled = int64_t{1} << 40;

// The input `stream`, [counter's lower half, its upper half, key], where it is: of 3 values.
absl::Status FindStream(tensorflow::OpKernelContext* context, const int64_t** values);
// The same read from the host's memory.
absl::Status ReadStream(tensorflow::OpKernelContext* context, PhiloxStream* stream);

// Checks that all ids of the argument `name` are in [0, range).
absl::Status CheckClasses(const char* name, const tensorflow::Tensor& ids, int64_t range);

// Checks that the argument `name` is one value.
absl::Status CheckScalar(const char* name, const tensorflow::Tensor& value);

// Checks that true_classes is a matrix of num_true columns.
absl::Status CheckColumns(const tensorflow::Tensor& true_classes, int64_t num_true);

// The outputs of a batch: sampled_candidates, true_expected_count and sampled_expected_count.
struct BatchOutputs {
  tensorflow::Tensor *candidates, *true_count, *sampled_count;
};

// Checks what is asked for, of a distribution with so many classes that can be drawn, and allocates
// the outputs.
absl::Status PrepareBatch(tensorflow::OpKernelContext* context,
                          const tensorflow::Tensor& true_classes, int64_t num_sampled, bool unique,
                          int64_t support, BatchOutputs* outputs);

// The inputs num_sampled, true_classes and true_splits, checked as far as shapes go and, for row
// splits, values. num_sampled and true_splits are in the host's memory.
struct RowsInputs {
  const tensorflow::Tensor *num_sampled, *true_classes, *true_splits;
  int64_t rows;

  absl::Status Read(tensorflow::OpKernelContext* context);
  // Writes rows + 1 row splits of the candidates.
  absl::Status SplitsOfCandidates(int64_t* splits) const;
};

// Draws a batch. Expected counts are computed before the true classes are counted, if they are.
absl::Status SampleBatch(tensorflow::OpKernelContext* context, OpRuntime& runtime,
                         const Distribution& distribution, const PhiloxStream& stream,
                         int64_t num_sampled, bool unique, bool exact,
                         const tensorflow::Tensor& true_classes);

// Draws for each row: the outputs candidates, row_splits and expected_count.
absl::Status SampleRows(tensorflow::OpKernelContext* context, OpRuntime& runtime,
                        const Distribution& distribution, const PhiloxStream& stream, bool unique,
                        bool exact, bool exclude_true);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_DRAW_OUTPUTS_H_
