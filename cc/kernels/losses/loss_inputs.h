// SPDX-License-Identifier: Apache-2.0
// Tables and inputs of the losses, and the types for which their kernels exist.
#ifndef TF_CANDSAMP_CC_KERNELS_LOSSES_LOSS_INPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_LOSSES_LOSS_INPUTS_H_

#include <algorithm>
#include <type_traits>

#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/kernels/losses/class_table.h"
#include "cc/lib/logits/logit_options.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/table_shape.h"

namespace candsamp {

// Checks that `inputs` is a matrix as deep as the rows of weights, and that both tables have a row
// for each class. Sizes may be kUnknownSize.
absl::Status CheckSizes(const Tensor& inputs, int64_t rows, int64_t depth, int64_t biases,
                        int64_t num_classes);

// Checks that there are as many biases as rows of weights.
absl::Status CheckSameRows(int64_t biases, int64_t rows);

// Reads the attributes temperature, normalize and logit_softcap, and checks them.
absl::Status ReadLogitOptions(OpKernelConstruction* context, LogitOptions* options);

// `weights`, `biases` and `inputs` of an op, opened, locked and checked.
template <typename W>
class LossArguments {
 public:
  // Opens tables that must have the same number of rows, one for each class.
  absl::Status Open(OpKernelContext* context) {
    TF_RETURN_IF_ERROR(OpenAll(context, Partition::kConsecutive, kUnknownSize));
    return CheckSameRows(biases.empty() ? weights.rows() : biases.rows(), weights.rows());
  }

  // Opens tables that may have more rows than there are classes. If num_classes is not known, the
  // classes are those that have a row in both.
  absl::Status OpenPadded(OpKernelContext* context, Partition partition, int64_t num_classes) {
    TF_RETURN_IF_ERROR(OpenAll(context, partition, num_classes));
    if (partition != Partition::kInTurn || num_classes == kUnknownSize) return absl::OkStatus();
    TF_RETURN_IF_ERROR(weights_.CheckDealt(num_classes));
    return biases_.CheckDealt(num_classes);
  }

  // How many classes there are.
  int64_t classes() const {
    return biases.empty() ? weights.ids() : std::min(weights.ids(), biases.ids());
  }

  bool weights_in_variable() const { return weights_.has_variable(); }

  RowTable<W> weights{0};
  RowTable<W> biases{1};
  const Tensor* inputs = nullptr;

 private:
  absl::Status OpenAll(OpKernelContext* context, Partition partition, int64_t num_classes) {
    TF_RETURN_IF_ERROR(weights_.Open(context, "weights", DataTypeOf<W>(), &locks_));
    TF_RETURN_IF_ERROR(biases_.Open(context, "biases", DataTypeOf<W>(), &locks_));
    locks_.Lock();
    TF_RETURN_IF_ERROR(weights_.Check(2));
    TF_RETURN_IF_ERROR(biases_.Check(1));
    weights = weights_.Rows<W>(partition);
    biases = biases_.Rows<W>(partition);
    TF_RETURN_IF_ERROR(context->input("inputs", &inputs));
    return CheckSizes(*inputs, weights.rows(), weights.depth(),
                      biases.empty() ? kUnknownSize : biases.rows(), num_classes);
  }

  VariableLocks locks_;
  ClassTable weights_;
  ClassTable biases_;
};

// Outputs how many rows each shard of a table has.
template <typename W>
absl::Status OutputShardRows(OpKernelContext* context, const char* name, const RowTable<W>& table) {
  Tensor* output;
  TF_RETURN_IF_ERROR(context->allocate_output(name, TensorShape({table.shards()}), &output));
  for (int64_t k = 0; k < table.shards(); ++k) {
    output->vec<int64_t>()(k) = table.first_row()[k + 1] - table.first_row()[k];
  }
  return absl::OkStatus();
}

// Returns the values of a tensor in the type of the arithmetic: in place, or widened into scratch.
template <typename T>
const Accumulator<T>* Widened(OpRuntime& runtime, const Tensor& tensor) {
  if constexpr (std::is_same_v<T, Accumulator<T>>) {
    return Data<T>(tensor);
  } else {
    const T* values = Data<T>(tensor);
    Accumulator<T>* wide = runtime.Allocate<Accumulator<T>>(tensor.NumElements());
    runtime.ParallelFor(tensor.NumElements(), 1, [&](int64_t begin, int64_t end) {
      ChosenRowLoops<T>().widen(values + begin, end - begin, wide + begin);
    });
    return wide;
  }
}

// Memory in which to compute an output of type T: its own, or scratch that Store narrows.
template <typename T>
class NarrowedOutput {
 public:
  using A = Accumulator<T>;

  NarrowedOutput(OpRuntime& runtime, Tensor* output) : runtime_(runtime), output_(output) {
    if constexpr (std::is_same_v<T, A>) {
      values_ = MutableData<T>(output);
    } else {
      values_ = runtime.Allocate<A>(output->NumElements());
    }
  }

  A* values() { return values_; }

  void Store() {
    if constexpr (!std::is_same_v<T, A>) {
      T* out = MutableData<T>(output_);
      runtime_.ParallelFor(output_->NumElements(), 1, [&](int64_t begin, int64_t end) {
        ChosenRowLoops<T>().scale_and_narrow(values_ + begin, A(1), end - begin, out + begin);
      });
    }
  }

 private:
  OpRuntime& runtime_;
  Tensor* output_;
  A* values_;
};

}  // namespace candsamp

// A kernel builder for inputs of type T_ and tables of type W_.
#define CANDSAMP_DEVICE_BUILDER(name, device, T_, W_) \
  Name(name)                                          \
      .Device(device)                                 \
      .TypeConstraint<TfType<T_>::type>("T")          \
      .TypeConstraint<TfType<W_>::type>("W")
#define CANDSAMP_BUILDER(name, T_, W_) CANDSAMP_DEVICE_BUILDER(name, tensorflow::DEVICE_CPU, T_, W_)

// The same for losses, whose arithmetic is in the type A, on a GPU.
#define CANDSAMP_GPU_BUILDER(name, T_, W_)                      \
  CANDSAMP_DEVICE_BUILDER(name, tensorflow::DEVICE_GPU, T_, W_) \
      .TypeConstraint<::candsamp::Accumulator<W_>>("A")

// The same on a CPU.
#define CANDSAMP_LOSS_BUILDER(name, T_, W_) \
  CANDSAMP_BUILDER(name, T_, W_).TypeConstraint<::candsamp::Accumulator<W_>>("A")

// Registers a loss kernel Op<T, W, kind> for both losses of a family, each with dense tables and
// with variables.
#define CANDSAMP_REGISTER_LOSS(Op, softmax, nce, T, W)                                             \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>" softmax, T, W),                        \
                          Op<T, W, LossKind::kSoftmax>);                                           \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>Resource" softmax, T, W),                \
                          Op<T, W, LossKind::kSoftmax>);                                           \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>" nce, T, W), Op<T, W, LossKind::kNce>); \
  REGISTER_KERNEL_BUILDER(CANDSAMP_LOSS_BUILDER("Candsamp>Resource" nce, T, W),                    \
                          Op<T, W, LossKind::kNce>);

// Instantiates REGISTER(T, W) for each pair of types of inputs and tables.
#define CANDSAMP_FOR_EACH_TYPE_PAIR(REGISTER)          \
  REGISTER(float, float)                               \
  REGISTER(double, double)                             \
  REGISTER(::candsamp::Bfloat16, ::candsamp::Bfloat16) \
  REGISTER(::candsamp::Half, ::candsamp::Half)         \
  REGISTER(::candsamp::Bfloat16, float)                \
  REGISTER(::candsamp::Half, float)

#endif  // TF_CANDSAMP_CC_KERNELS_LOSSES_LOSS_INPUTS_H_
