// TensorFlow as the host of cc/lib: its intra-op threads and its allocator.
#ifndef TF_CANDSAMP_CC_KERNELS_TF_HOST_H_
#define TF_CANDSAMP_CC_KERNELS_TF_HOST_H_

#include <new>
#include <vector>

#include "cc/lib/host.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/util/work_sharder.h"

namespace candsamp {

class TfHost : public Host {
 public:
  explicit TfHost(tensorflow::OpKernelContext* context) : context_(context) {}

  void ParallelFor(int64_t total, int64_t cost,
                   const std::function<void(int64_t, int64_t)>& work) override {
    const auto& workers = *context_->device()->tensorflow_cpu_worker_threads();
    tensorflow::Shard(workers.num_threads, workers.workers, total, cost, work);
  }

  void* AllocateBytes(size_t bytes) override {
    scratch_.emplace_back();
    if (!context_
             ->allocate_temp(tensorflow::DT_UINT8,
                             tensorflow::TensorShape({static_cast<int64_t>(bytes)}),
                             &scratch_.back())
             .ok()) {
      throw std::bad_alloc();
    }
    return scratch_.back().data();
  }

 private:
  tensorflow::OpKernelContext* context_;
  std::vector<tensorflow::Tensor> scratch_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_TF_HOST_H_
