// Runs the body of a kernel.
#ifndef TF_CANDSAMP_CC_KERNELS_COMPUTE_H_
#define TF_CANDSAMP_CC_KERNELS_COMPUTE_H_

#include <new>
#include <string>

#include "absl/status/status.h"
#include "cc/kernels/tf_host.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// `body` is a function of a TfHost that returns a status.
template <typename Body>
void Compute(tensorflow::OpKernelContext* context, Body body) {
  TfHost host(context);
  absl::Status status;
  try {
    status = body(host);
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("no memory left for scratch space");
  }
  OP_REQUIRES_OK(context, status);
}

// An empty message is OK.
inline absl::Status ToStatus(const std::string& message) {
  return message.empty() ? absl::OkStatus() : absl::InvalidArgumentError(message);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_COMPUTE_H_
