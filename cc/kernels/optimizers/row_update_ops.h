// SPDX-License-Identifier: Apache-2.0
// The ops that update the rows of a variable and of its slots in place, for every device.
#ifndef TF_CANDSAMP_CC_KERNELS_OPTIMIZERS_ROW_UPDATE_OPS_H_
#define TF_CANDSAMP_CC_KERNELS_OPTIMIZERS_ROW_UPDATE_OPS_H_

#include <cmath>
#include <string>
#include <vector>

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/optimizers/row_variables.h"
#include "cc/kernels/optimizers/slices.h"
#include "cc/lib/classes/class_groups.h"
#include "cc/lib/optimizers/update_rows.h"

namespace candsamp {

// What a device adds to the ops:
// - Copy(context, runtime, to, from, bytes) copies memory of a variable.
// - Gradients(context, runtime, slices, &gradients) finds the slices' values in the type of the
// arithmetic.
// - CheckIndices(slices, rows) checks what the host can read.
// - Update(context, runtime, formula, table, slices, gradients) updates the table's rows.
template <typename Device>
struct RowUpdates;

// The value of a scalar input. Numbers come as doubles, so that 1 - beta is exact.
template <typename T>
absl::Status ReadScalar(OpKernelContext* context, const char* name, T* value) {
  const Tensor* tensor;
  TF_RETURN_IF_ERROR(context->input(name, &tensor));
  if (tensor->dims() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " must be a scalar, got shape ", tensor->shape().DebugString()));
  }
  *value = *Data<T>(*tensor);
  return absl::OkStatus();
}

inline absl::Status ReadNumbers(OpKernelContext* context,
                                std::initializer_list<std::pair<const char*, double*>> numbers) {
  for (const auto& [name, value] : numbers) {
    TF_RETURN_IF_ERROR(ReadScalar(context, name, value));
  }
  return absl::OkStatus();
}

// The base of the kernels. Everything is checked before anything is written, so an error leaves
// the variables as they were.
template <typename Device, typename W>
class RowUpdateOp : public StatusKernel {
 public:
  using A = Accumulator<W>;
  using StatusKernel::StatusKernel;

 protected:
  // Updates the variables in the inputs `names`, the first of which is the table.
  template <typename Formula>
  absl::Status Update(OpKernelContext* context, OpRuntime& runtime,
                      const std::vector<std::string>& names, const Formula& formula) {
    Slices slices;
    TF_RETURN_IF_ERROR(ReadSlices(context, &slices));
    const A* gradients = nullptr;
    TF_RETURN_IF_ERROR(RowUpdates<Device>::Gradients(context, runtime, slices, &gradients));
    RowVariables variables;
    TF_RETURN_IF_ERROR(variables.Open(context, names));
    if (variables.slots() != Formula::kSlots) {
      return absl::InvalidArgumentError(
          absl::StrCat("there must be ", Formula::kSlots, " slots, got ", variables.slots()));
    }
    TF_RETURN_IF_ERROR(variables.Check(DataTypeOf<W>(), DataTypeOf<A>()));
    TF_RETURN_IF_ERROR(CheckSlices(slices, variables.shape()));
    if (slices.size() == 0) return absl::OkStatus();
    TF_RETURN_IF_ERROR(
        variables.MakeWritable(context, [&](void* to, const void* from, size_t bytes) {
          return RowUpdates<Device>::Copy(context, runtime, to, from, bytes);
        }));
    return RowUpdates<Device>::Update(context, runtime, formula, variables.template Table<W>(),
                                      slices, gradients);
  }

 private:
  static absl::Status CheckSlices(const Slices& slices, const TensorShape& table) {
    TensorShape expected = table;
    expected.set_dim(0, slices.size());
    if (slices.gradient->shape() != expected) {
      return absl::InvalidArgumentError(absl::StrCat(
          "gradient must have shape ", expected.DebugString(), " for a table of shape ",
          table.DebugString(), ", got ", slices.gradient->shape().DebugString()));
    }
    if (table.dim_size(0) > kMostClasses) {
      return absl::InvalidArgumentError(absl::StrCat("table must have at most ", kMostClasses,
                                                     " rows, got shape ", table.DebugString()));
    }
    return RowUpdates<Device>::CheckIndices(slices, table.dim_size(0));
  }
};

template <typename Device, typename W>
class RowSgdOp : public RowUpdateOp<Device, W> {
  using typename RowUpdateOp<Device, W>::A;
  using RowUpdateOp<Device, W>::RowUpdateOp;

  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    double learning_rate, decay;
    TF_RETURN_IF_ERROR(
        ReadNumbers(context, {{"learning_rate", &learning_rate}, {"weight_decay", &decay}}));
    const SgdFormula<A> formula = {static_cast<A>(learning_rate),
                                   static_cast<A>(learning_rate * decay)};
    return this->Update(context, runtime, {"table"}, formula);
  }
};

template <typename Device, typename W>
class RowMomentumOp : public RowUpdateOp<Device, W> {
  using typename RowUpdateOp<Device, W>::A;

 public:
  explicit RowMomentumOp(OpKernelConstruction* context) : RowUpdateOp<Device, W>(context) {
    OP_REQUIRES_OK(context, context->GetAttr("nesterov", &nesterov_));
  }

 private:
  template <bool kNesterov>
  absl::Status RunAs(OpKernelContext* context, OpRuntime& runtime) {
    double learning_rate, factor, decay;
    TF_RETURN_IF_ERROR(ReadNumbers(
        context,
        {{"learning_rate", &learning_rate}, {"factor", &factor}, {"weight_decay", &decay}}));
    const MomentumFormula<A, kNesterov> formula = {static_cast<A>(learning_rate),
                                                   static_cast<A>(factor),
                                                   static_cast<A>(learning_rate * decay)};
    return this->Update(context, runtime, {"table", "momentum"}, formula);
  }

  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    return nesterov_ ? RunAs<true>(context, runtime) : RunAs<false>(context, runtime);
  }

  bool nesterov_ = false;
};

template <typename Device, typename W>
class RowAdagradOp : public RowUpdateOp<Device, W> {
  using typename RowUpdateOp<Device, W>::A;
  using RowUpdateOp<Device, W>::RowUpdateOp;

  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    double learning_rate, epsilon, decay;
    TF_RETURN_IF_ERROR(ReadNumbers(
        context,
        {{"learning_rate", &learning_rate}, {"epsilon", &epsilon}, {"weight_decay", &decay}}));
    const AdagradFormula<A> formula = {static_cast<A>(learning_rate), static_cast<A>(epsilon),
                                       static_cast<A>(learning_rate * decay)};
    return this->Update(context, runtime, {"table", "accumulator"}, formula);
  }
};

template <typename Device, typename W>
class RowRmspropOp : public RowUpdateOp<Device, W> {
  using typename RowUpdateOp<Device, W>::A;

 public:
  explicit RowRmspropOp(OpKernelConstruction* context) : RowUpdateOp<Device, W>(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_momentums", &momentums_));
    OP_REQUIRES_OK(context, context->GetAttr("num_averages", &averages_));
  }

 private:
  template <bool kMomentum, bool kCentered>
  absl::Status RunAs(OpKernelContext* context, OpRuntime& runtime) {
    double learning_rate, rho, factor, epsilon, decay;
    TF_RETURN_IF_ERROR(ReadNumbers(context, {{"learning_rate", &learning_rate},
                                             {"rho", &rho},
                                             {"factor", &factor},
                                             {"epsilon", &epsilon},
                                             {"weight_decay", &decay}}));
    const RmspropFormula<A, kMomentum, kCentered> formula = {
        static_cast<A>(learning_rate), static_cast<A>(rho),
        static_cast<A>(1 - rho),       static_cast<A>(factor),
        static_cast<A>(epsilon),       static_cast<A>(learning_rate * decay)};
    return this->Update(context, runtime, {"table", "velocity", "momentum", "average_gradient"},
                        formula);
  }

  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    if (momentums_ > 0) {
      return averages_ > 0 ? RunAs<true, true>(context, runtime)
                           : RunAs<true, false>(context, runtime);
    }
    return averages_ > 0 ? RunAs<false, true>(context, runtime)
                         : RunAs<false, false>(context, runtime);
  }

  int momentums_ = 0, averages_ = 0;
};

template <typename Device, typename W>
class RowAdamOp : public RowUpdateOp<Device, W> {
  using typename RowUpdateOp<Device, W>::A;

 public:
  explicit RowAdamOp(OpKernelConstruction* context) : RowUpdateOp<Device, W>(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_velocity_hats", &velocity_hats_));
  }

 private:
  template <bool kAmsgrad>
  absl::Status RunAs(OpKernelContext* context, OpRuntime& runtime) {
    double learning_rate, beta_1, beta_2, epsilon, decay;
    int64_t step;
    TF_RETURN_IF_ERROR(ReadNumbers(context, {{"learning_rate", &learning_rate},
                                             {"beta_1", &beta_1},
                                             {"beta_2", &beta_2},
                                             {"epsilon", &epsilon},
                                             {"weight_decay", &decay}}));
    TF_RETURN_IF_ERROR(ReadScalar(context, "step", &step));
    if (step < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("step must be 1 at the first step, and count from there, got ", step));
    }
    const double t = static_cast<double>(step);
    const double step_size =
        learning_rate * std::sqrt(1 - std::pow(beta_2, t)) / (1 - std::pow(beta_1, t));
    const AdamFormula<A, kAmsgrad> formula = {static_cast<A>(step_size), static_cast<A>(1 - beta_1),
                                              static_cast<A>(1 - beta_2), static_cast<A>(epsilon),
                                              static_cast<A>(learning_rate * decay)};
    return this->Update(context, runtime, {"table", "momentum", "velocity", "velocity_hat"},
                        formula);
  }

  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    return velocity_hats_ > 0 ? RunAs<true>(context, runtime) : RunAs<false>(context, runtime);
  }

  int velocity_hats_ = 0;
};

template <typename Device, typename W>
class RowFtrlOp : public RowUpdateOp<Device, W> {
  using typename RowUpdateOp<Device, W>::A;
  using RowUpdateOp<Device, W>::RowUpdateOp;

  template <bool kSquareRoot>
  absl::Status RunAs(OpKernelContext* context, OpRuntime& runtime, double learning_rate,
                     double power) {
    double l1, l2, shrinkage, beta, decay;
    TF_RETURN_IF_ERROR(ReadNumbers(context, {{"l1", &l1},
                                             {"l2", &l2},
                                             {"l2_shrinkage", &shrinkage},
                                             {"beta", &beta},
                                             {"weight_decay", &decay}}));
    const FtrlFormula<A, kSquareRoot> formula = {static_cast<A>(1 / learning_rate),
                                                 static_cast<A>(-power),
                                                 static_cast<A>(l1),
                                                 static_cast<A>(2 * l2 + beta / learning_rate),
                                                 static_cast<A>(2 * shrinkage),
                                                 static_cast<A>(learning_rate * decay)};
    return this->Update(context, runtime, {"table", "accumulator", "linear"}, formula);
  }

  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    double learning_rate, power;
    TF_RETURN_IF_ERROR(
        ReadNumbers(context, {{"learning_rate", &learning_rate}, {"learning_rate_power", &power}}));
    return power == -0.5 ? RunAs<true>(context, runtime, learning_rate, power)
                         : RunAs<false>(context, runtime, learning_rate, power);
  }
};

}  // namespace candsamp

// REGISTER(name of an op, its class) for each of these ops.
#define CANDSAMP_FOR_EACH_ROW_UPDATE(REGISTER) \
  REGISTER("RowSgd", RowSgdOp)                 \
  REGISTER("RowMomentum", RowMomentumOp)       \
  REGISTER("RowAdagrad", RowAdagradOp)         \
  REGISTER("RowRmsprop", RowRmspropOp)         \
  REGISTER("RowAdam", RowAdamOp)               \
  REGISTER("RowFtrl", RowFtrlOp)

#endif  // TF_CANDSAMP_CC_KERNELS_OPTIMIZERS_ROW_UPDATE_OPS_H_
