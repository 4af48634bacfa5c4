// Reads and checks the inputs that the ragged kernels share.
#ifndef TF_CANDSAMP_CC_KERNELS_RAGGED_INPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_RAGGED_INPUTS_H_

#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "cc/kernels/compute.h"
#include "cc/kernels/tf_host.h"
#include "cc/kernels/types.h"
#include "cc/lib/ragged_batch.h"
#include "cc/lib/row_kernels.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// Checks that `inputs` is a matrix, as deep as the rows of `weights`.
absl::Status CheckInputs(const tensorflow::Tensor& inputs, int64_t depth);

// The argument `name` and its row splits `name`_splits, checked to have `rows` rows.
absl::Status ReadRaggedIds(tensorflow::OpKernelContext* context, const std::string& name,
                           int64_t rows, RaggedIds* ids);

// The optional argument `name`, checked to have the row splits of `ids`; nullptr when absent.
absl::Status ReadLogQ(tensorflow::OpKernelContext* context, const std::string& name,
                      const std::string& ids_name, const RaggedIds& ids, int64_t rows,
                      const float** log_q);

// The values of a tensor in the type of the arithmetic: in place, or widened into scratch.
template <typename T>
const Accumulator<T>* Widened(TfHost& host, const tensorflow::Tensor& tensor) {
  if constexpr (std::is_same_v<T, Accumulator<T>>) {
    return Data<T>(tensor);
  } else {
    const T* values = Data<T>(tensor);
    Accumulator<T>* wide = host.Allocate<Accumulator<T>>(tensor.NumElements());
    host.ParallelFor(tensor.NumElements(), 1, [&](int64_t begin, int64_t end) {
      ChosenRowKernels<T>().widen(values + begin, end - begin, wide + begin);
    });
    return wide;
  }
}

// Where to compute the values of an output of type T: in place, or in scratch that Store narrows.
template <typename T>
class NarrowedOutput {
 public:
  using A = Accumulator<T>;

  NarrowedOutput(TfHost& host, tensorflow::Tensor* output) : host_(host), output_(output) {
    if constexpr (std::is_same_v<T, A>) {
      values_ = MutableData<T>(output);
    } else {
      values_ = host.Allocate<A>(output->NumElements());
    }
  }

  A* values() { return values_; }

  void Store() {
    if constexpr (!std::is_same_v<T, A>) {
      T* out = MutableData<T>(output_);
      host_.ParallelFor(output_->NumElements(), 1, [&](int64_t begin, int64_t end) {
        ChosenRowKernels<T>().scale_and_narrow(values_ + begin, A(1), end - begin, out + begin);
      });
    }
  }

 private:
  TfHost& host_;
  tensorflow::Tensor* output_;
  A* values_;
};

}  // namespace candsamp

// A kernel builder for inputs of type T_ and tables of type W_.
#define CANDSAMP_BUILDER(name, T_, W_)       \
  Name(name)                                 \
      .Device(tensorflow::DEVICE_CPU)        \
      .TypeConstraint<TfType<T_>::type>("T") \
      .TypeConstraint<TfType<W_>::type>("W")

// Instantiates REGISTER(T, W) for each pair of types of inputs and tables.
#define CANDSAMP_FOR_EACH_TYPE_PAIR(REGISTER)          \
  REGISTER(float, float)                               \
  REGISTER(double, double)                             \
  REGISTER(::candsamp::Bfloat16, ::candsamp::Bfloat16) \
  REGISTER(::candsamp::Half, ::candsamp::Half)         \
  REGISTER(::candsamp::Bfloat16, float)                \
  REGISTER(::candsamp::Half, float)

#endif  // TF_CANDSAMP_CC_KERNELS_RAGGED_INPUTS_H_
