// SPDX-License-Identifier: Apache-2.0
// What the dense losses' ops share on every device: their attributes, and checks of shapes.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_SAMPLED_LOSS_INPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_SAMPLED_LOSS_INPUTS_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/classes/class_ids.h"
#include "cc/lib/losses/sampled_batch.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// Of the ops of the losses.
struct SampledLossAttributes {
  int64_t num_classes, num_sampled, num_true;  // kUnknownSize or -1 where they are not given
  bool remove_accidental_hits, recompute;
  Partition partition;
  LossOptions options;

  absl::Status Read(OpKernelConstruction* context, LossKind kind);

  // REQUIRES: inputs has `rows` rows.
  absl::Status CheckShapes(int64_t rows, const Tensor& labels, const Tensor& candidates) const;

  // Says which classes labels and candidates may name; tables have rows for so many.
  ClassLimit LimitOf(int64_t classes_with_rows) const;

  // A batch, all of it but its classes.
  SampledBatch BatchOf(LossKind kind, int64_t rows, int64_t candidates) const;
};

// Of the op of their gradient.
struct SampledGradAttributes {
  LossKind kind;
  bool remove_accidental_hits, recompute;
  Partition partition;
  LossOptions options;

  absl::Status Read(OpKernelConstruction* context);
};

// The strides by which the expected count of a class is found among `counts`, which have the shape
// of the classes or broadcast to it; 0 along a broadcast dimension.
absl::Status CountStrides(const char* name, const Tensor& counts, const char* of,
                          const Tensor& classes, int64_t strides[2]);

absl::Status CheckShape(const char* name, const Tensor& tensor,
                        std::initializer_list<int64_t> expected);

// What the gradient's op is given: what the forward pass kept, and the gradient of its losses.
struct SampledGradInputs {
  const Tensor *grad, *inputs, *class_ids, *class_rows, *label_classes, *sample_columns,
      *sample_offsets, *sample_biases, *label_logit_grad, *scales, *slopes;

  int64_t depth() const { return inputs->dim_size(1); }

  absl::Status Read(OpKernelContext* context);

  // A batch, all of it but its columns.
  SampledBatch BatchOf(const SampledGradAttributes& attributes) const;

  // Checks all shapes but those of slopes. REQUIRES: batch.columns is set.
  absl::Status CheckShapes(const SampledBatch& batch, int64_t scales_of_row) const;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_SAMPLED_LOSS_INPUTS_H_
