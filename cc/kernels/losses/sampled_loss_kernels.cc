// SPDX-License-Identifier: Apache-2.0
// Forward kernels of the losses whose rows share their candidates.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "cc/kernels/framework/class_id_checks.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/losses/class_table.h"
#include "cc/kernels/losses/hit_ids.h"
#include "cc/kernels/losses/loss_inputs.h"
#include "cc/kernels/losses/matrix_loops_for.h"
#include "cc/kernels/losses/sampled_loss_inputs.h"
#include "cc/lib/classes/distinct_classes.h"
#include "cc/lib/classes/log_q.h"
#include "cc/lib/losses/sampled_forward.h"

namespace candsamp {
namespace {

// Writes the logs of the expected counts of `classes`, and checks that they are finite. The counts
// have the shape of the classes or broadcast to it. An error about a count of 0 ends in `if_zero`.
template <typename A>
absl::Status ReadLogs(const char* name, const Tensor& counts, const char* of, const Tensor& classes,
                      const char* if_zero, A* logs) {
  int64_t strides[2];
  TF_RETURN_IF_ERROR(CountStrides(name, counts, of, classes, strides));
  const int64_t columns = classes.dims() == 2 ? classes.dim_size(1) : 1;
  const auto count_of = [&](int64_t k) {
    return Data<A>(counts)[k / columns * strides[0] + k % columns * strides[1]];
  };
  const int64_t size = classes.NumElements();
  for (int64_t k = 0; k < size; ++k) {
    // TensorFlow's threads flush subnormal numbers to 0; std::log does not.
    logs[k] = std::log(count_of(k) < std::numeric_limits<A>::min() ? A(0) : count_of(k));
  }
  const int64_t bad = FindNotFinite(logs, size);
  if (bad == size) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      name, " must be positive and finite, got ", count_of(bad), " for class ",
      Data<int64_t>(classes)[bad], PlaceIn(classes, bad), count_of(bad) == A(0) ? if_zero : ""));
}

template <typename T, typename W, LossKind kKind>
class SampledLossOp : public StatusKernel {
 public:
  using A = Accumulator<W>;

  explicit SampledLossOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context, kKind));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime& runtime) override {
    LossArguments<W> arguments;
    TF_RETURN_IF_ERROR(
        arguments.OpenPadded(context, attributes_.partition, attributes_.num_classes));
    const RowTable<W>& weights = arguments.weights;
    const RowTable<W>& biases = arguments.biases;
    const Tensor& inputs = *arguments.inputs;
    const Tensor *labels, *candidates, *true_expected_count, *sampled_expected_count;
    TF_RETURN_IF_ERROR(ReadInputs(context, {{"labels", &labels},
                                            {"sampled_candidates", &candidates},
                                            {"true_expected_count", &true_expected_count},
                                            {"sampled_expected_count", &sampled_expected_count}}));
    TF_RETURN_IF_ERROR(attributes_.CheckShapes(inputs.dim_size(0), *labels, *candidates));
    const ClassLimit limit = attributes_.LimitOf(arguments.classes());
    TF_RETURN_IF_ERROR(CheckClassIds("labels", *labels, limit));
    TF_RETURN_IF_ERROR(CheckClassIds("sampled_candidates", *candidates, limit));
    A* label_log_q = runtime.Allocate<A>(labels->NumElements());
    TF_RETURN_IF_ERROR(ReadLogs("true_expected_count", *true_expected_count, "labels", *labels,
                                kNeverDrawn, label_log_q));
    TF_RETURN_IF_ERROR(CheckLabelCounts(*labels, label_log_q, candidates->NumElements()));
    const A *offsets, *sample_biases;
    TF_RETURN_IF_ERROR(OutputOffsets(context, *candidates, *sampled_expected_count, biases,
                                     &offsets, &sample_biases));

    SampledBatch batch = attributes_.BatchOf(kKind, inputs.dim_size(0), candidates->NumElements());
    const int64_t* class_ids;
    TF_RETURN_IF_ERROR(NumberClasses(context, runtime, *labels, *candidates, &batch, &class_ids));
    TF_RETURN_IF_ERROR(ReadHitIds(context, runtime, &batch));
    const SampledLogits<A> logits(runtime, batch, offsets, sample_biases);
    Tensor *loss, *class_rows, *label_logit_grad, *scales, *slopes, *log_sum_exp, *label_is_top;
    const TensorShape of_stats({attributes_.options.stats ? batch.rows : 0});
    const TensorShape of_slopes(
        {attributes_.recompute ? 0 : batch.rows, attributes_.recompute ? 0 : batch.columns});
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context, {{"loss", TensorShape({batch.rows}), &loss},
                  {"class_rows", TensorShape({batch.classes, weights.depth()}), &class_rows},
                  {"label_logit_grad", labels->shape(), &label_logit_grad},
                  {"scales", TensorShape({logits.columns().count(), batch.rows}), &scales},
                  {"slopes", of_slopes, &slopes},
                  {"log_sum_exp", of_stats, &log_sum_exp},
                  {"label_is_top", of_stats, &label_is_top}}));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "weight_rows", weights));
    TF_RETURN_IF_ERROR(OutputShardRows(context, "bias_rows", biases));

    SampledLossForward<W>(
        runtime, logits, MatrixLoopsFor<T, A>(), class_ids, label_log_q,
        Widened<T>(runtime, inputs), weights, biases,
        SampledLossOutput<W>{MutableData<A>(loss), MutableData<W>(class_rows),
                             MutableData<A>(label_logit_grad), MutableData<A>(scales),
                             attributes_.recompute ? nullptr : MutableData<A>(slopes),
                             MutableData<A>(log_sum_exp), MutableData<bool>(label_is_top)});
    return absl::OkStatus();
  }

  // With corrected_log_q, checks that no label is expected more often than candidates were drawn.
  absl::Status CheckLabelCounts(const Tensor& labels, const A* label_log_q, int64_t drawn) const {
    if (!attributes_.options.corrected_log_q || drawn == 0) return absl::OkStatus();
    const A most = std::log(static_cast<A>(drawn)) + A(1e-3);  // room for rounding
    for (int64_t k = 0; k < labels.NumElements(); ++k) {
      if (label_log_q[k] <= most) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "true_expected_count must be at most the number of candidates, ", drawn, ", got ",
          std::exp(label_log_q[k]), " for class ", Data<int64_t>(labels)[k], PlaceIn(labels, k)));
    }
    return absl::OkStatus();
  }

  // Outputs sample_offsets: of each candidate the bias, less the log of its expected count. With a
  // softcap the bias goes to sample_biases.
  absl::Status OutputOffsets(OpKernelContext* context, const Tensor& candidates,
                             const Tensor& expected_count, const RowTable<W>& biases,
                             const A** offsets, const A** sample_biases) const {
    const bool capped = attributes_.options.logit.softcap != 0;
    Tensor *output, *output_biases;
    TF_RETURN_IF_ERROR(AllocateOutputs(
        context,
        {{"sample_offsets", candidates.shape(), &output},
         {"sample_biases", TensorShape({capped ? candidates.NumElements() : 0}), &output_biases}}));
    A* values = MutableData<A>(output);
    A* under_softcap = MutableData<A>(output_biases);
    TF_RETURN_IF_ERROR(ReadLogs("sampled_expected_count", expected_count, "sampled_candidates",
                                candidates, "", values));
    for (int64_t k = 0; k < candidates.NumElements(); ++k) {
      const A bias = biases.empty() ? A(0) : Widen(*biases.Row(Data<int64_t>(candidates)[k]));
      if (capped) under_softcap[k] = BiasUnderSoftcap(bias);
      values[k] = capped ? OffsetOverSoftcap(bias, values[k]) : OffsetOf(bias, values[k]);
    }
    *offsets = values;
    *sample_biases = under_softcap;
    return absl::OkStatus();
  }

  // Numbers the distinct classes: outputs class_ids, label_classes and sample_columns, and
  // describes them in `batch`.
  static absl::Status NumberClasses(OpKernelContext* context, OpRuntime& runtime,
                                    const Tensor& labels, const Tensor& candidates,
                                    SampledBatch* batch, const int64_t** class_ids) {
    Tensor *label_classes, *sample_columns, *ids;
    TF_RETURN_IF_ERROR(
        AllocateOutputs(context, {{"label_classes", labels.shape(), &label_classes},
                                  {"sample_columns", candidates.shape(), &sample_columns}}));
    DistinctClasses distinct(runtime, candidates.NumElements() + labels.NumElements());
    const auto number = [&](const Tensor& from, Tensor* to) {
      int64_t* numbers = MutableData<int64_t>(to);
      for (int64_t k = 0; k < from.NumElements(); ++k) {
        numbers[k] = distinct.Insert(Data<int64_t>(from)[k]);
      }
      return numbers;
    };
    batch->sample_columns = number(candidates, sample_columns);
    batch->columns = distinct.size();
    batch->label_classes = number(labels, label_classes);
    batch->classes = distinct.size();
    TF_RETURN_IF_ERROR(context->allocate_output("class_ids", TensorShape({distinct.size()}), &ids));
    std::copy_n(distinct.ids(), distinct.size(), MutableData<int64_t>(ids));
    *class_ids = Data<int64_t>(*ids);
    return absl::OkStatus();
  }

  SampledLossAttributes attributes_;
};

}  // namespace

#define CANDSAMP_REGISTER(T, W) \
  CANDSAMP_REGISTER_LOSS(SampledLossOp, "SampledSoftmaxLoss", "NceLoss", T, W)

CANDSAMP_FOR_EACH_TYPE_PAIR(CANDSAMP_REGISTER)

}  // namespace candsamp
