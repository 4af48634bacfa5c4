// Reads and checks the inputs that the ragged kernels share.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_RAGGED_INPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_RAGGED_INPUTS_H_

#include <string>

#include "absl/status/status.h"
#include "cc/lib/classes/ragged_ids.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// The argument `name` and its row splits `name`_splits, checked to have `rows` rows.
absl::Status ReadRaggedIds(tensorflow::OpKernelContext* context, const std::string& name,
                           int64_t rows, RaggedIds* ids);

// The optional argument `name`, checked to have the row splits of `ids`; nullptr when absent.
absl::Status ReadLogQ(tensorflow::OpKernelContext* context, const std::string& name,
                      const std::string& ids_name, const RaggedIds& ids, int64_t rows,
                      const float** log_q);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_RAGGED_INPUTS_H_
