// SPDX-License-Identifier: Apache-2.0
// The optional inputs `hit_labels` and `hit_candidates` of the losses whose rows share their
// candidates, and of their gradient.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_HIT_IDS_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_HIT_IDS_H_

#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/losses/sampled_batch.h"

namespace candsamp {

// Sets label_hits and sample_hits of a batch, and checks their shapes. Without these inputs hits
// are found by class.
absl::Status ReadHitShapes(OpKernelContext* context, SampledBatch* batch);

// The same for a batch of which all else is set, and checks that equal candidates have one id.
absl::Status ReadHitIds(OpKernelContext* context, OpRuntime& runtime, SampledBatch* batch);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_HIT_IDS_H_
