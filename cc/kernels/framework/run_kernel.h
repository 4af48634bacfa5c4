// Runs the body of a kernel. Whatever it throws becomes a status: the thread that runs a kernel is
// TensorFlow's, and an exception that left it would end the process.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_RUN_KERNEL_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_RUN_KERNEL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cc/kernels/framework/op_runtime.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// The exception that is being handled, thrown on behalf of the op `op`.
absl::Status StatusOfException(absl::string_view op) noexcept;

// What `body` returns, a status, or what it throws.
template <typename Body>
absl::Status Caught(absl::string_view op, Body body) {
  try {
    return body();
  } catch (...) {
    return StatusOfException(op);
  }
}

// `body` is a function of a OpRuntime that returns a status.
template <typename Body>
void Compute(tensorflow::OpKernelContext* context, Body body) {
  // Not OP_REQUIRES_OK: it writes to the log, which takes memory.
  context->SetStatus(Caught(context->op_kernel().type_string_view(), [&] {
    OpRuntime runtime(context);
    return body(runtime);
  }));
}

// An empty message is OK.
inline absl::Status ToStatus(const std::string& message) {
  return message.empty() ? absl::OkStatus() : absl::InvalidArgumentError(message);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_RUN_KERNEL_H_
