// TensorFlow as the host of cc/lib: its intra-op threads and its allocator.
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

  // The calling thread takes part, and does everything if the others are busy or slow to wake.
  void ParallelFor(int64_t total, int64_t cost,
                   const std::function<void(int64_t, int64_t)>& work) override;

  void* AllocateBytes(size_t bytes) override;

 private:
  // Throws std::logic_error inside of a loop, whose threads would meet in what is not locked.
  void CheckOutsideOfLoops(const char* what) const;
  char* AllocateTensor(size_t bytes);

  tensorflow::OpKernelContext* context_;
  bool in_loop_ = false;
  std::vector<tensorflow::Tensor> scratch_;
  // What is left of a tensor that small pieces are cut from.
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_OP_RUNTIME_H_
