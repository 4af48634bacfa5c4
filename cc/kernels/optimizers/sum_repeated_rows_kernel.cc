// SPDX-License-Identifier: Apache-2.0
// Kernel that sums slices of one row, so that each row occurs once.
#include <algorithm>

#include "cc/kernels/framework/class_id_checks.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/optimizers/slices.h"
#include "cc/lib/classes/class_groups.h"
#include "cc/lib/optimizers/distinct_rows.h"

namespace candsamp {
namespace {

template <typename T>
class SumRepeatedRowsOp : public StatusKernel {
 public:
  using A = Accumulator<T>;
  using StatusKernel::StatusKernel;

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    Slices slices;
    TF_RETURN_IF_ERROR(ReadSlices(context, &slices));
    TF_RETURN_IF_ERROR(CheckClassIds("indices", *slices.indices, {kMostClasses}));
    const int64_t* const ids = Data<int64_t>(*slices.indices);
    const int64_t count = slices.size();
    const int64_t num_rows = count == 0 ? 0 : 1 + *std::max_element(ids, ids + count);
    const int64_t depth = count == 0 ? 0 : slices.gradient->NumElements() / count;
    const A* gradients = nullptr;
    TF_RETURN_IF_ERROR(InTypeOfArithmetic(runtime, "gradient", *slices.gradient, &gradients));
    const DistinctRows<A> distinct =
        SumRepeatedRows(runtime, ids, count, num_rows, gradients, depth);
    if (!distinct.gradient_of_each) {
      context->set_output(0, *slices.indices);
      context->set_output(1, *slices.gradient);
      return absl::OkStatus();
    }
    TensorShape shape = slices.gradient->shape();
    shape.set_dim(0, distinct.count);
    Tensor *rows, *sums;
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context, {{"rows", TensorShape({distinct.count}), &rows}, {"sums", shape, &sums}}));
    std::copy_n(distinct.ids, distinct.count, MutableData<int64_t>(rows));
    T* const out = MutableData<T>(sums);
    runtime.ParallelFor(distinct.count, 8 + depth, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        ChosenRowLoops<T>().scale_and_narrow(distinct.Gradient(k, depth), A(1), depth,
                                             out + k * depth);
      }
    });
    return absl::OkStatus();
  }
};

}  // namespace

#define CANDSAMP_REGISTER(T)                                                  \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>SumRepeatedRows")                    \
                              .Device(tensorflow::DEVICE_CPU)                 \
                              .TypeConstraint<typename TfType<T>::type>("G"), \
                          SumRepeatedRowsOp<T>);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_REGISTER)

}  // namespace candsamp
