// SPDX-License-Identifier: Apache-2.0
// The base of every kernel. Whatever a kernel throws becomes a status: the thread that runs it is
// TensorFlow's, and an exception that left it would end the process.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_STATUS_KERNEL_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_STATUS_KERNEL_H_

#include <string>

#include "absl/strings/string_view.h"
#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/framework/tf_names.h"

namespace candsamp {

// Describes the exception that is being handled, which the op `op` threw.
absl::Status StatusOfException(absl::string_view op) noexcept;

// Returns body()'s status, or that of the exception it throws.
template <typename Body>
absl::Status Caught(absl::string_view op, Body body) {
  try {
    return body();
  } catch (...) {
    return StatusOfException(op);
  }
}

// A kernel that is a function from its inputs to a status. It may throw.
class StatusKernel : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) final;

 private:
  virtual absl::Status Run(OpKernelContext* context, OpRuntime& runtime) = 0;
};

// Turns what a check of cc/lib says into a status: an empty message is OK.
inline absl::Status ToStatus(const std::string& message) {
  return message.empty() ? absl::OkStatus() : absl::InvalidArgumentError(message);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_STATUS_KERNEL_H_
