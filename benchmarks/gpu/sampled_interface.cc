// SPDX-License-Identifier: Apache-2.0
// The dense losses in the C interface: see c_interface.cc.
#include <cstdio>

#include "benchmarks/gpu/calls.h"
#include "cc/cuda/losses/sampled_launchers.h"
#include "cc/cuda/matrix/cublaslt_products.h"

// What library.py hands over, as its Structure of the same fields. All pointers are to the device's
// memory; types are those of the case, A is float unless all is double.
struct CandsampSampledCase {
  int64_t rows, depth, num_sampled, num_classes;
  const void *inputs, *weights, *biases;  // [rows, depth], [num_classes, depth], [num_classes]
  const int64_t *candidates, *labels;     // [num_sampled], [rows]
  const void *label_log_q, *sample_offsets, *grad;
  void *loss, *inputs_grad;       // [rows], [rows, depth]
  void *rows_grad, *biases_grad;  // [num_sampled + rows, depth], [num_sampled + rows]
  int64_t* class_ids;             // [num_sampled + rows]
  int64_t logit_panel, gradient_panel, scratch_bytes;
  int32_t nce, recompute, tf32, slopes_are_scratch;
};

namespace candsamp {
namespace {

// A training step's share of a loss: classes are numbered, then forward and backward.
template <typename T, typename W>
class SampledStep {
 public:
  using A = Accumulator<W>;

  SampledStep(Memory& memory, const CandsampSampledCase& c)
      : c_(c),
        memory_(memory),
        scratch_(memory.Of<char>(c.scratch_bytes), static_cast<size_t>(c.scratch_bytes)) {
    label_classes_ = Of<int64_t>(c.rows);
    sample_columns_ = Of<int64_t>(c.num_sampled);
    f_.batch.kind = c.nce ? LossKind::kNce : LossKind::kSoftmax;
    f_.batch.remove_accidental_hits = true;
    f_.batch.rows = c.rows;
    f_.batch.num_true = 1;
    f_.batch.num_sampled = c.num_sampled;
    f_.batch.label_classes = label_classes_;
    f_.batch.sample_columns = sample_columns_;
    f_.ids = {c.candidates, c.num_sampled, c.labels, c.rows, c.num_classes};
    f_.numbers = {sample_columns_, label_classes_, c.class_ids};
    f_.depth = c.depth;
    f_.inputs = static_cast<const T*>(c.inputs);
    f_.weights = OneShard(static_cast<const W*>(c.weights), c.num_classes, c.depth);
    f_.biases = OneShard(static_cast<const W*>(c.biases), c.num_classes, 1);
    f_.label_log_q = static_cast<const A*>(c.label_log_q);
    f_.sample_offsets = static_cast<const A*>(c.sample_offsets);
    f_.loss = static_cast<A*>(c.loss);
    f_.class_rows = static_cast<W*>(c.rows_grad);  // gradients come in their place
    f_.label_logit_grad = Of<A>(c.rows);
    f_.scales = Of<A>(SegmentsOf(c.num_sampled) * c.rows);
    f_.slopes = c.recompute ? nullptr : Of<Operand<T>>(c.rows * StrideOf(c.num_sampled));
    if (c.logit_panel > 0) f_.panels.logits = c.logit_panel;
    if (c.gradient_panel > 0) f_.panels.gradients = c.gradient_panel;
  }

  int Run(CudaStream cuda_stream) {
    scratch_.Begin(cuda_stream);
    int64_t counts[2];
    const int error = LaunchSampledClasses(scratch_, f_, counts);
    f_.batch.columns = counts[0];
    f_.batch.classes = counts[1];
    return error == 0 ? Multiply() : error;
  }

  // Beside inputs and their gradients.
  int64_t bytes() const {
    return kept_ + static_cast<int64_t>(scratch_.most()) +
           (f_.batch.classes * c_.depth + f_.batch.classes) * static_cast<int64_t>(sizeof(W));
  }

 private:
  template <typename V>
  V* Of(int64_t count) {
    kept_ += count * static_cast<int64_t>(sizeof(V));
    return memory_.Of<V>(count);
  }

  // Forward and backward. Between them only what the op would keep stays.
  int Multiply() {
    CublasLtProducts forward(c_.tf32);
    int error = LaunchSampledForward(scratch_, forward, f_);
    if (error != 0) return Said(forward, error);
    DeviceSampledBackward<T, W> b = {};
    b.batch = f_.batch;
    b.depth = f_.depth;
    b.grad = static_cast<const A*>(c_.grad);
    b.inputs = f_.inputs;
    b.class_rows = f_.class_rows;
    b.sample_offsets = f_.sample_offsets;
    b.label_logit_grad = f_.label_logit_grad;
    b.scales = f_.scales;
    b.slopes = f_.slopes;
    b.slopes_are_scratch = c_.slopes_are_scratch;
    b.inputs_grad = static_cast<T*>(c_.inputs_grad);
    b.class_rows_grad = f_.class_rows;
    b.class_biases_grad = static_cast<W*>(c_.biases_grad);
    b.panels = f_.panels;
    scratch_.Begin(scratch_.stream());
    CublasLtProducts backward(c_.tf32);
    error = LaunchSampledBackward(scratch_, backward, b);
    return Said(backward, error);
  }

  static int Said(const CublasLtProducts& products, int error) {
    if (error != CublasLtProducts::kFailed) return error;
    std::fprintf(stderr, "%s\n", products.error().c_str());
    return cudaErrorUnknown;
  }

  const CandsampSampledCase c_;
  Memory& memory_;
  ScratchRuntime scratch_;
  DeviceSampledForward<T, W> f_ = {};
  int64_t kept_ = 0;
  int64_t *label_classes_, *sample_columns_;
};

template <typename T, typename W>
void* NewStep(const CandsampSampledCase& c, int* error) {
  auto call = std::make_unique<Call>();
  auto step = std::make_shared<SampledStep<T, W>>(call->memory, c);
  call->run = [step](CudaStream cuda_stream) { return step->Run(cuda_stream); };
  call->bytes = [step] { return step->bytes(); };
  return Finished(std::move(call), error);
}

}  // namespace

// type: that of inputs and tables, 0 float, 1 double, 2 bfloat16, 3 half, 4 bfloat16 inputs of
// float tables.
CANDSAMP_EXPORT void* candsamp_sampled_new(int type, const CandsampSampledCase* c, int* error) {
  switch (type) {
    case 0:
      return NewStep<float, float>(*c, error);
    case 1:
      return NewStep<double, double>(*c, error);
    case 2:
      return NewStep<Bfloat16, Bfloat16>(*c, error);
    case 3:
      return NewStep<Half, Half>(*c, error);
    default:
      return NewStep<Bfloat16, float>(*c, error);
  }
}

}  // namespace candsamp
