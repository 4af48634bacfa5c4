// Draws from a distribution into the outputs of an op.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLING_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLING_H_

#include "absl/status/status.h"
#include "cc/kernels/tf_host.h"
#include "cc/lib/distribution.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// No more candidates are drawn at a time: what TensorFlow's random state is advanced by must not
// overflow.
constexpr int64_t kMostSampled = int64_t{1} << 40;

// The input `stream`, [counter's lower half, its upper half, key].
absl::Status ReadStream(tensorflow::OpKernelContext* context, PhiloxStream* stream);

// Checks that all ids of the argument `name` are in [0, range).
absl::Status CheckClasses(const char* name, const tensorflow::Tensor& ids, int64_t range);

// Checks that true_classes is a matrix of num_true columns.
absl::Status CheckColumns(const tensorflow::Tensor& true_classes, int64_t num_true);

// Draws a batch: the outputs sampled_candidates, true_expected_count and sampled_expected_count.
// Expected counts are computed before the true classes are counted, if they are.
absl::Status SampleBatch(tensorflow::OpKernelContext* context, TfHost& host,
                         const Distribution& distribution, const PhiloxStream& stream,
                         int64_t num_sampled, bool unique, bool exact,
                         const tensorflow::Tensor& true_classes);

// Draws for each row: the inputs num_sampled, true_classes and true_splits, the outputs candidates,
// row_splits and expected_count.
absl::Status SampleRows(tensorflow::OpKernelContext* context, TfHost& host,
                        const Distribution& distribution, const PhiloxStream& stream, bool unique,
                        bool exact, bool exclude_true);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLING_H_
