// The kernel that makes a handle to an empty table.
#ifndef TF_CANDSAMP_CC_KERNELS_TABLE_OP_H_
#define TF_CANDSAMP_CC_KERNELS_TABLE_OP_H_

#include <mutex>

#include "absl/status/status.h"
#include "cc/kernels/compute.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_handle.h"

namespace candsamp {

template <typename Table>
class TableOp : public tensorflow::OpKernel {
 public:
  explicit TableOp(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("anonymous", &anonymous_));
  }

  void Compute(tensorflow::OpKernelContext* context) override {
    candsamp::Compute(context, [&](TfHost&) -> absl::Status {
      tensorflow::Tensor* output;
      TF_RETURN_IF_ERROR(context->allocate_output(0, tensorflow::TensorShape({}), &output));
      auto* const handle = static_cast<tensorflow::ResourceHandle*>(output->data());
      if (anonymous_) {
        *handle = NewTable(context);
        return absl::OkStatus();
      }
      std::lock_guard<std::mutex> lock(mutex_);
      if (!made_) handle_ = NewTable(context);
      made_ = true;
      *handle = handle_;
      return absl::OkStatus();
    });
  }

 private:
  static tensorflow::ResourceHandle NewTable(tensorflow::OpKernelContext* context) {
    return tensorflow::ResourceHandle::MakeRefCountingHandle(new Table, context->device()->name());
  }

  bool anonymous_;
  std::mutex mutex_;
  bool made_ = false;
  tensorflow::ResourceHandle handle_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_TABLE_OP_H_
