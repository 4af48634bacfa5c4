// SPDX-License-Identifier: Apache-2.0
// Reads and checks the inputs that the ragged kernels share.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_RAGGED_INPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_RAGGED_INPUTS_H_

#include <string>

#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/classes/ragged_ids.h"

namespace candsamp {

// Reads labels, or candidates, and checks their row splits. REQUIRES: batch->rows is set.
absl::Status ReadLabels(OpKernelContext* context, RaggedBatch* batch);
absl::Status ReadCandidates(OpKernelContext* context, RaggedBatch* batch);

// Reads the optional argument `name`, and checks that it has the row splits of `ids`. *log_q is
// nullptr when it is absent.
absl::Status ReadLogQ(OpKernelContext* context, const std::string& name,
                      const std::string& ids_name, const RaggedIds& ids, int64_t rows,
                      const float** log_q);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_RAGGED_INPUTS_H_
