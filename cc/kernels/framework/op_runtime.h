// SPDX-License-Identifier: Apache-2.0
// Runs cc/lib on TensorFlow's intra-op threads, with scratch memory of TensorFlow's allocator.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_OP_RUNTIME_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_OP_RUNTIME_H_

#include <functional>
#include <vector>

#include "cc/lib/core/runtime.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"

namespace candsamp {

class OpRuntime : public Runtime {
 public:
  explicit OpRuntime(tensorflow::OpKernelContext* context) : context_(context) {}

  // The calling thread takes part, and does all the work if the others are busy or slow to wake.
  void ParallelFor(int64_t total, int64_t cost,
                   const std::function<void(int64_t, int64_t)>& work) override;

  void* AllocateBytes(size_t bytes) override;

 private:
  // Throws std::logic_error inside of ParallelFor: this object has no lock for several threads.
  void CheckOutsideOfLoops(const char* what) const;
  char* AllocateTensor(size_t bytes);

  tensorflow::OpKernelContext* context_;
  bool in_loop_ = false;
  std::vector<tensorflow::Tensor> scratch_;
  // The rest of the tensor from which small pieces are cut.
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_OP_RUNTIME_H_
