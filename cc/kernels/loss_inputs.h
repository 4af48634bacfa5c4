// What the kernels of all losses share: their tables and inputs, and the types they exist for.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSS_INPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_LOSS_INPUTS_H_

#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cc/kernels/compute.h"
#include "cc/kernels/table_inputs.h"
#include "cc/kernels/tf_host.h"
#include "cc/kernels/types.h"
#include "cc/lib/row_kernels.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// Checks that `inputs` is a matrix, as deep as the rows of `weights`.
absl::Status CheckInputs(const tensorflow::Tensor& inputs, int64_t depth);

// `weights`, `biases` and `inputs` of an op, opened, locked and checked.
template <typename W>
class LossArguments {
 public:
  absl::Status Open(tensorflow::OpKernelContext* context,
                    Partition partition = Partition::kConsecutive) {
    TF_RETURN_IF_ERROR(weights_.Open(context, "weights", DataTypeOf<W>(), &locks_));
    TF_RETURN_IF_ERROR(biases_.Open(context, "biases", DataTypeOf<W>(), &locks_));
    locks_.Lock();
    TF_RETURN_IF_ERROR(weights_.Check(2, partition));
    TF_RETURN_IF_ERROR(biases_.Check(1, partition));
    weights = weights_.Rows<W>(partition);
    biases = biases_.Rows<W>(partition);
    if (!biases.empty() && biases.rows() != weights.rows()) {
      return absl::InvalidArgumentError(
          absl::StrCat("biases must have as many values as weights has rows, ", weights.rows(),
                       ", got ", biases.rows()));
    }
    TF_RETURN_IF_ERROR(context->input("inputs", &inputs));
    return CheckInputs(*inputs, weights.depth());
  }

  bool weights_in_variable() const { return weights_.has_variable(); }

  RowTable<W> weights{0};
  RowTable<W> biases{1};
  const tensorflow::Tensor* inputs = nullptr;

 private:
  VariableLocks locks_;
  TableInput weights_;
  TableInput biases_;
};

// The output that says how many rows each shard of a table has.
template <typename W>
absl::Status OutputShardRows(tensorflow::OpKernelContext* context, const char* name,
                             const RowTable<W>& table) {
  tensorflow::Tensor* output;
  TF_RETURN_IF_ERROR(
      context->allocate_output(name, tensorflow::TensorShape({table.shards()}), &output));
  for (int64_t k = 0; k < table.shards(); ++k) {
    output->vec<int64_t>()(k) = table.first_row()[k + 1] - table.first_row()[k];
  }
  return absl::OkStatus();
}

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

#endif  // TF_CANDSAMP_CC_KERNELS_LOSS_INPUTS_H_
