// SPDX-License-Identifier: Apache-2.0
// What the ops that score all classes share: tables, options, labels and excluded classes.
#ifndef TF_CANDSAMP_CC_KERNELS_EXACT_SCORING_INPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_EXACT_SCORING_INPUTS_H_

#include <cstdint>

#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/kernels/losses/class_table.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/matrix_loops_for.h"
#include "cc/lib/exact/excluded_classes.h"
#include "cc/lib/exact/logit_panels.h"
#include "cc/lib/logits/logit_options.h"

namespace candsamp {

// The attributes of these ops.
struct ScoringAttributes {
  int64_t num_classes;
  Partition partition;
  LogitOptions options;

  // Ops whose results do not depend on a softcap have no such attribute.
  absl::Status Read(OpKernelConstruction* context, bool with_softcap);
};

// Checks that labels are classes, [rows, num_true] with num_true >= 1.
absl::Status CheckLabels(const Tensor& labels, int64_t rows, const ScoringAttributes& attributes,
                         int64_t num_classes);

// Reads the argument k, at most the number of classes.
absl::Status ReadK(OpKernelContext* context, int64_t num_classes, int64_t* k);

// Reads the optional argument `exclude`, and checks its row splits. *ids is empty where it is
// absent.
absl::Status ReadExcludedShapes(OpKernelContext* context, int64_t rows, RaggedIds* ids);

// The same, with checks of the ids.
absl::Status ReadExcluded(OpKernelContext* context, OpRuntime& runtime, int64_t rows,
                          const ScoringAttributes& attributes, int64_t num_classes,
                          ExcludedClasses* excluded);

// Tables and inputs, opened, locked and checked.
template <typename T, typename W>
class ScoringArguments {
 public:
  absl::Status Open(OpKernelContext* context, const ScoringAttributes& attributes) {
    options_ = attributes.options;
    TF_RETURN_IF_ERROR(
        arguments_.OpenPadded(context, attributes.partition, attributes.num_classes));
    num_classes_ =
        attributes.num_classes == kUnknownSize ? arguments_.classes() : attributes.num_classes;
    return absl::OkStatus();
  }

  int64_t rows() const { return arguments_.inputs->dim_size(0); }
  int64_t num_classes() const { return num_classes_; }
  const LossArguments<W>& arguments() const { return arguments_; }

  Scoring<W> ForAll(OpRuntime& runtime) const {
    return {arguments_.weights,
            arguments_.biases,
            num_classes_,
            Widened<T>(runtime, *arguments_.inputs),
            rows(),
            options_,
            MatrixLoopsFor<T, Accumulator<W>>()};
  }

 private:
  LossArguments<W> arguments_;
  LogitOptions options_;
  int64_t num_classes_ = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_EXACT_SCORING_INPUTS_H_
