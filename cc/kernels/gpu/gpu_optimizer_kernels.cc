// SPDX-License-Identifier: Apache-2.0
// The row optimizers on a GPU. Numbers of a step are in the host's memory; handles of variables
// always are. Indices that are no rows are passed over.
#include "cc/cuda/core/copies.h"
#include "cc/cuda/optimizers/launchers.h"
#include "cc/kernels/framework/devices.h"
#include "cc/kernels/gpu/op_device_runtime.h"
#include "cc/kernels/optimizers/row_update_ops.h"

namespace candsamp {

template <>
struct RowUpdates<GpuDevice> {
  static absl::Status Copy(OpKernelContext* context, OpRuntime&, void* to, const void* from,
                           size_t bytes) {
    return CudaStatus(CopyOnDevice(CudaStreamOf(context), to, from, bytes));
  }

  template <typename A>
  static absl::Status Gradients(OpKernelContext* context, OpRuntime& op_runtime,
                                const Slices& slices, const A** gradients) {
    OpDeviceRuntime runtime(context, op_runtime);
    const Tensor& gradient = *slices.gradient;
    if (gradient.dtype() == DataTypeOf<A>()) {
      *gradients = Data<A>(gradient);
      return absl::OkStatus();
    }
    if constexpr (DataTypeOf<A>() == tensorflow::DT_FLOAT) {
      const auto widen = [&](auto half) {
        float* const out = runtime.Allocate<float>(gradient.NumElements());
        *gradients = out;
        const int64_t rows = slices.size();
        return CudaStatus(LaunchWiden(runtime, Data<decltype(half)>(gradient), rows,
                                      rows == 0 ? 0 : gradient.NumElements() / rows, out));
      };
      if (gradient.dtype() == tensorflow::DT_BFLOAT16) return widen(Bfloat16());
      if (gradient.dtype() == tensorflow::DT_HALF) return widen(Half());
    }
    return WrongType<A>("gradient", gradient);
  }

  static absl::Status CheckIndices(const Slices&, int64_t) { return absl::OkStatus(); }

  template <typename W, typename Formula>
  static absl::Status Update(OpKernelContext* context, OpRuntime& op_runtime,
                             const Formula& formula, const OptimizedTable<W>& table,
                             const Slices& slices, const Accumulator<W>* gradients) {
    OpDeviceRuntime runtime(context, op_runtime);
    const DeviceRowUpdate<W> rows = {table.values,
                                     {table.slots[0], table.slots[1], table.slots[2]},
                                     table.num_rows,
                                     table.depth,
                                     Data<int64_t>(*slices.indices),
                                     slices.size(),
                                     gradients};
    return CudaStatus(LaunchUpdateRows(runtime, formula, rows));
  }
};

namespace {

// Sums slices of one row. Rows come out in ascending order.
template <typename T>
class GpuSumRepeatedRowsOp : public StatusKernel {
 public:
  using StatusKernel::StatusKernel;

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& op_runtime) override {
    OpDeviceRuntime runtime(context, op_runtime);
    Slices slices;
    TF_RETURN_IF_ERROR(ReadSlices(context, &slices));
    if (slices.size() == 0) {
      context->set_output(0, *slices.indices);
      context->set_output(1, *slices.gradient);
      return absl::OkStatus();
    }
    IdGroups groups;
    int64_t distinct = 0;
    TF_RETURN_IF_ERROR(CudaStatus(LaunchGroupRows(
        runtime, Data<int64_t>(*slices.indices), slices.size(), kMostClasses, &groups, &distinct)));
    TensorShape shape = slices.gradient->shape();
    shape.set_dim(0, distinct);
    Tensor *rows, *sums;
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context, {{"rows", TensorShape({distinct}), &rows}, {"sums", shape, &sums}}));
    return CudaStatus(LaunchSumRows(runtime, groups, Data<T>(*slices.gradient),
                                    slices.gradient->NumElements() / slices.size(),
                                    MutableData<int64_t>(rows), MutableData<T>(sums)));
  }
};

}  // namespace

// HostMemory names inputs that an op has: the numbers of its own, then those of all.
#define CANDSAMP_NUMBERS HostMemory("learning_rate").HostMemory("weight_decay")
#define CANDSAMP_UPDATE(op, W)                       \
  Name("Candsamp>" op)                               \
      .Device(tensorflow::DEVICE_GPU)                \
      .TypeConstraint<typename TfType<W>::type>("W") \
      .CANDSAMP_NUMBERS

#define CANDSAMP_REGISTER(W)                                                      \
  REGISTER_KERNEL_BUILDER(CANDSAMP_UPDATE("RowSgd", W), RowSgdOp<GpuDevice, W>);  \
  REGISTER_KERNEL_BUILDER(CANDSAMP_UPDATE("RowMomentum", W).HostMemory("factor"), \
                          RowMomentumOp<GpuDevice, W>);                           \
  REGISTER_KERNEL_BUILDER(CANDSAMP_UPDATE("RowAdagrad", W).HostMemory("epsilon"), \
                          RowAdagradOp<GpuDevice, W>);                            \
  REGISTER_KERNEL_BUILDER(CANDSAMP_UPDATE("RowRmsprop", W)                        \
                              .HostMemory("rho")                                  \
                              .HostMemory("factor")                               \
                              .HostMemory("epsilon"),                             \
                          RowRmspropOp<GpuDevice, W>);                            \
  REGISTER_KERNEL_BUILDER(CANDSAMP_UPDATE("RowAdam", W)                           \
                              .HostMemory("beta_1")                               \
                              .HostMemory("beta_2")                               \
                              .HostMemory("epsilon")                              \
                              .HostMemory("step"),                                \
                          RowAdamOp<GpuDevice, W>);                               \
  REGISTER_KERNEL_BUILDER(CANDSAMP_UPDATE("RowFtrl", W)                           \
                              .HostMemory("learning_rate_power")                  \
                              .HostMemory("l1")                                   \
                              .HostMemory("l2")                                   \
                              .HostMemory("l2_shrinkage")                         \
                              .HostMemory("beta"),                                \
                          RowFtrlOp<GpuDevice, W>);                               \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>SumRepeatedRows")                        \
                              .Device(tensorflow::DEVICE_GPU)                     \
                              .TypeConstraint<typename TfType<W>::type>("G"),     \
                          GpuSumRepeatedRowsOp<W>);

CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_REGISTER)

}  // namespace candsamp
