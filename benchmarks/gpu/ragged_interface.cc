// SPDX-License-Identifier: Apache-2.0
// The ragged losses and the row optimizers in the C interface: see c_interface.cc.
#include "benchmarks/gpu/calls.h"
#include "cc/cuda/losses/ragged_launchers.h"
#include "cc/cuda/optimizers/launchers.h"
#include "cc/cuda/rows/launchers.h"
#include "cc/lib/optimizers/row_formulas.h"

// What library.py hands over, as its Structure of the same fields. All pointers are to the device's
// memory. There is one label a row.
struct CandsampRaggedCase {
  int64_t rows, depth, num_candidates, num_classes, num_chunks;
  const void *inputs, *weights, *biases;  // [rows, depth], [num_classes, depth], [num_classes]
  const int64_t *labels, *label_splits, *candidates, *candidate_splits, *first_chunks;
  const float* grad;                    // [rows]
  void *loss, *inputs_grad;             // [rows], [rows, depth]
  void *rows_grad, *biases_grad;        // of the distinct classes
  int64_t* class_ids;                   // likewise
  int64_t most_classes, scratch_bytes;  // for how many classes there is room
  int32_t nce;
};

namespace candsamp {
namespace {

// Forward and backward.
template <typename T, typename W>
class RaggedStep {
 public:
  RaggedStep(Memory& memory, const CandsampRaggedCase& c)
      : c_(c), scratch_(memory.Of<char>(c.scratch_bytes), static_cast<size_t>(c.scratch_bytes)) {
    f_.batch = {c.rows,       c.rows,         c.num_candidates,   c.labels,
                c.candidates, c.label_splits, c.candidate_splits, c.first_chunks,
                c.num_chunks};
    f_.kind = c.nce ? LossKind::kNce : LossKind::kSoftmax;
    f_.remove_accidental_hits = true;
    f_.depth = c.depth;
    f_.inputs = static_cast<const T*>(c.inputs);
    f_.weights = OneShard(static_cast<const W*>(c.weights), c.num_classes, c.depth);
    f_.biases = OneShard(static_cast<const W*>(c.biases), c.num_classes, 1);
    f_.loss = static_cast<float*>(c.loss);
    f_.label_logit_grad = memory.Of<float>(c.rows);
    f_.candidate_logit_grad = memory.Of<float>(c.num_candidates);
    f_.unscaled_inputs_grad = memory.Of<float>(c.rows * c.depth);
  }

  int Run(CudaStream cuda_stream) {
    scratch_.Begin(cuda_stream);
    int error = LaunchRaggedForward(scratch_, f_);
    if (error != 0) return error;
    scratch_.Begin(cuda_stream);
    error = LaunchScaleByRow(scratch_, f_.unscaled_inputs_grad, c_.grad, c_.rows, c_.depth,
                             static_cast<T*>(c_.inputs_grad));
    if (error != 0) return error;
    const DeviceRaggedGradient<T, float> gradient = {
        f_.batch, {}, c_.depth, f_.inputs, f_.label_logit_grad, f_.candidate_logit_grad, c_.grad};
    RaggedClassGradients<W> out = {};
    out.rows = static_cast<W*>(c_.rows_grad);
    out.biases = static_cast<W*>(c_.biases_grad);
    RaggedClasses<float> classes;
    error = LaunchGroupRaggedClasses(scratch_, gradient, c_.num_classes, &classes, &out.distinct);
    if (error != 0) return error;
    if (out.distinct > c_.most_classes) return cudaErrorInvalidValue;
    error = LaunchRankIds(scratch_, classes.groups, c_.class_ids, nullptr);
    if (error != 0) return error;
    return LaunchSumRaggedClasses<T, W>(scratch_, gradient, classes, out);
  }

  int64_t bytes() const { return static_cast<int64_t>(scratch_.most()); }

 private:
  const CandsampRaggedCase c_;
  ScratchRuntime scratch_;
  DeviceRaggedForward<T, W> f_ = {};
};

template <typename T, typename W>
void* NewStep(const CandsampRaggedCase& c, int* error) {
  auto call = std::make_unique<Call>();
  auto step = std::make_shared<RaggedStep<T, W>>(call->memory, c);
  call->run = [step](CudaStream cuda_stream) { return step->Run(cuda_stream); };
  call->bytes = [step] { return step->bytes(); };
  return Finished(std::move(call), error);
}

}  // namespace

// type: that of inputs and tables, 0 float, 2 bfloat16, 3 half, 4 bfloat16 inputs of float tables.
CANDSAMP_EXPORT void* candsamp_ragged_new(int type, const CandsampRaggedCase* c, int* error) {
  switch (type) {
    case 0:
      return NewStep<float, float>(*c, error);
    case 2:
      return NewStep<Bfloat16, Bfloat16>(*c, error);
    case 3:
      return NewStep<Half, Half>(*c, error);
    default:
      return NewStep<Bfloat16, float>(*c, error);
  }
}

// A step of Adam (three arrays of the table's shape) or, without `velocity`, of Adagrad.
CANDSAMP_EXPORT void* candsamp_update_new(float* table, float* momentum, float* velocity,
                                          int64_t num_rows, int64_t depth, const int64_t* ids,
                                          int64_t count, const float* gradients,
                                          int64_t scratch_bytes, int* error) {
  auto call = std::make_unique<Call>();
  auto scratch = std::make_shared<ScratchRuntime>(call->memory.Of<char>(scratch_bytes),
                                                  static_cast<size_t>(scratch_bytes));
  const DeviceRowUpdate<float> rows = {
      table, {momentum, velocity, nullptr}, num_rows, depth, ids, count, gradients};
  call->run = [=](CudaStream cuda_stream) {
    scratch->Begin(cuda_stream);
    if (velocity == nullptr) {
      return LaunchUpdateRows(*scratch, AdagradFormula<float>{1e-3f, 1e-7f, 0}, rows);
    }
    return LaunchUpdateRows(*scratch, AdamFormula<float, false>{1e-3f, 0.1f, 1e-3f, 1e-7f, 0},
                            rows);
  };
  call->bytes = [scratch] { return static_cast<int64_t>(scratch->most()); };
  return Finished(std::move(call), error);
}

}  // namespace candsamp
