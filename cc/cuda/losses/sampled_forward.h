// SPDX-License-Identifier: Apache-2.0
// The forward pass of the dense losses on a device: the twin of cc/lib/losses/sampled_forward.h.
//
//  1. Number the distinct classes (classes/class_numbers.h). While the host waits for how many
//     there are, gather their rows, and compute the labels' logits.
//  2. For each panel of columns, multiply the inputs with the candidates' rows, and reduce the
//     logits while they are in the L2 cache (sampled_segments.h).
//  3. Merge each row's segments, and its labels' logits (sampled_rows.h).
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_FORWARD_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_FORWARD_H_

#include "cc/cuda/classes/class_numbers.h"
#include "cc/cuda/losses/sampled_panels.h"
#include "cc/cuda/losses/sampled_rows.h"
#include "cc/cuda/rows/gather_rows.h"

namespace candsamp {

// Slopes are kept in the type that products take: [rows, StrideOf(columns)].
template <typename T, typename W>
struct DeviceSampledForward {
  using A = Accumulator<W>;

  SampledBatch batch;          // with arrays in the device's memory
  ClassNumbersInput ids;       // of candidates and labels
  ClassNumbersOutput numbers;  // which the arrays of the batch are
  int64_t depth;
  const T* inputs;  // [rows, depth]
  DeviceRowTable<W> weights, biases;
  const A* label_log_q;     // [rows, num_true]
  const A* sample_offsets;  // [num_sampled]
  const A* sample_biases;   // with a softcap [num_sampled]

  A* loss;              // [rows]
  W* class_rows;        // [classes, depth]; room for one of each candidate and label
  A* label_logit_grad;  // [rows, num_true]
  A* label_cap_slopes;  // with a softcap [rows, num_true], else nullptr; scratch
  A* scales;            // [SegmentsOf(columns), rows]
  Operand<T>* slopes;   // or nullptr: not kept
  A* log_sum_exp;       // with stats [rows]
  bool* label_is_top;   // likewise

  PanelBytes panels;
};

// Step 1. Writes how many columns and classes there are to counts[2], in the host's memory. The
// batch, and outputs whose shapes depend on them, come after it.
template <typename T, typename W, typename Launcher>
int SampledClassesOn(Launcher launcher, DeviceRuntime& runtime, const DeviceSampledForward<T, W>& f,
                     int64_t* counts) {
  return NumberClassesOn(
      launcher, runtime, f.ids, f.numbers, counts, [&](const int64_t* device_counts) {
        GatherCountedRows(launcher, f.weights, f.numbers.class_ids, f.ids.size(), device_counts + 1,
                          f.class_rows);
        WriteLabelLogits(launcher, f.batch, f.inputs, f.weights, f.numbers.class_ids, f.biases,
                         f.label_log_q, f.label_logit_grad, f.label_cap_slopes);
      });
}

// The other steps.
template <typename T, typename W, typename Launcher>
int SampledForwardOn(Launcher launcher, DeviceRuntime& runtime, MatrixProducts& products,
                     const DeviceSampledForward<T, W>& f) {
  using A = Accumulator<W>;
  const SampledBatch& batch = f.batch;
  const int64_t segments = SegmentsOf(batch.columns);
  // Draws are joined beside the first product.
  typename Launcher::Side side(launcher);
  if (HasRepeats(batch)) side.Fork();
  const SampledColumns<A> columns =
      ColumnsOf(side.launcher(), runtime, batch, f.sample_offsets, f.sample_biases);
  const int64_t wide = PanelColumns(batch.rows, batch.columns, sizeof(A), f.panels.logits);
  const ProductFactors<T, W> factors(launcher, runtime, batch.options.logit, f.inputs, batch.rows,
                                     f.depth, wide);
  const Panel<A> panel = AllocatePanel<A>(runtime, batch.rows, wide);
  SegmentSum<A>* const sums = runtime.Allocate<SegmentSum<A>>(segments * batch.rows);
  SegmentStats<A>* const stats = NeedsStats(batch.options)
                                     ? runtime.Allocate<SegmentStats<A>>(segments * batch.rows)
                                     : nullptr;
  if (runtime.error() != 0) return runtime.error();

  for (int64_t first = 0; first < batch.columns; first += wide) {
    const int64_t count = Least(wide, batch.columns - first);
    const Factor rows = factors.Rows(launcher, f.class_rows + first * f.depth, count);
    const int error = products.Multiply(
        runtime, {kFactorType<T>, batch.rows, count, f.depth, factors.Inputs(), Transposed(rows),
                  panel.values, panel.stride, 1 / batch.options.logit.temperature, false});
    if (error != 0) return error;
    if (first == 0) side.Join();
    WithSegmentLogits(batch, columns, [&](auto logits) {
      const Panel<const A> dots = {panel.values, panel.stride, first, count};
      const Panel<Operand<T>> slopes = {f.slopes, StrideOf(batch.columns), 0, batch.columns};
      ReducePanel(launcher, logits, dots, sums, stats, slopes);
    });
  }
  launcher.ForEachLaneGroup(
      batch.rows,
      FinishRowsKernel<A>{batch, segments, sums, stats, f.label_log_q, f.label_cap_slopes,
                          f.label_logit_grad, f.scales, f.loss, f.log_sum_exp, f.label_is_top});
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_FORWARD_H_
