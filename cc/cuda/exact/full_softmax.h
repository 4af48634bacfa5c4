// SPDX-License-Identifier: Apache-2.0
// The softmax over all classes on a device, forward and backward: the twin of
// cc/lib/exact/full_softmax.h. It goes through the classes in panels, as the dense losses do, and
// never holds all logits.
#ifndef TF_CANDSAMP_CC_CUDA_EXACT_FULL_SOFTMAX_H_
#define TF_CANDSAMP_CC_CUDA_EXACT_FULL_SOFTMAX_H_

#include "cc/cuda/exact/scoring.h"
#include "cc/cuda/losses/sampled_backward.h"
#include "cc/cuda/losses/sampled_rows.h"

namespace candsamp {

template <typename T, typename W>
struct DeviceFullSoftmax {
  using A = Accumulator<W>;

  DeviceScoring<T, W> scoring;
  const int64_t* labels;  // [rows, num_true]
  int64_t num_true;
  A* loss;  // [rows]
  A* max;   // [rows], the largest logit; 0 where all are minus infinity
  A* sum;   // [rows], of exp(logit - max)
  PanelBytes panels;
};

template <typename T, typename W>
struct DeviceFullSoftmaxBackward {
  using A = Accumulator<W>;

  DeviceScoring<T, W> scoring;
  const int64_t* labels;
  int64_t num_true;
  const A *grad, *max, *sum;  // [rows]
  T* inputs_grad;             // [rows, depth]
  W* weights_grad;            // [num_classes, depth]
  W* biases_grad;             // [num_classes], or nullptr
  PanelBytes panels;
};

template <typename A>
struct FinishFullSoftmaxKernel {
  int64_t rows, segments, num_true;
  const SegmentSum<A>* sums;  // [segments, rows]
  const A* label_logits;      // [rows, num_true]
  A *loss, *max, *sum;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t row = GridLaneGroup(block); row < rows; row += GridLaneGroups(block)) {
      A largest = MinusInfinity<A>();
      for (int64_t s = block.lane(); s < segments; s += block.lanes()) {
        const A of_segment = sums[s * rows + row].max;
        largest = of_segment > largest ? of_segment : largest;
      }
      largest = block.LargestOfLanes(largest);
      const A reference = ReferenceOf(largest);
      double total = 0, mean = 0;
      for (int64_t s = block.lane(); s < segments; s += block.lanes()) {
        const SegmentSum<A> segment = sums[s * rows + row];
        total += static_cast<double>(segment.sum) *
                 exp(static_cast<double>(segment.max) - static_cast<double>(reference));
      }
      for (int64_t t = block.lane(); t < num_true; t += block.lanes()) {
        mean +=
            static_cast<double>(label_logits[row * num_true + t]) / static_cast<double>(num_true);
      }
      total = block.SumOfLanes(total);
      mean = block.SumOfLanes(mean);
      if (block.lane() != 0) continue;
      if (largest == MinusInfinity<A>() && total == 0) total = 1;
      max[row] = reference;
      sum[row] = static_cast<A>(total);
      loss[row] = static_cast<A>(log(total) - (mean - static_cast<double>(reference)));
    }
  }
};

// A batch without candidates of its own, for the kernels of the dense losses.
template <typename T, typename W>
SampledBatch BatchOfClasses(const DeviceScoring<T, W>& scoring, const int64_t* labels,
                            int64_t num_true) {
  SampledBatch batch = {};
  batch.kind = LossKind::kSoftmax;
  batch.options.logit = scoring.options;
  batch.rows = scoring.rows;
  batch.num_true = num_true;
  batch.num_sampled = batch.columns = batch.classes = scoring.num_classes;
  batch.label_classes = labels;
  return batch;
}

template <typename T, typename W, typename Launcher>
int FullSoftmaxOn(Launcher launcher, DeviceRuntime& runtime, MatrixProducts& products,
                  const DeviceFullSoftmax<T, W>& f) {
  using A = Accumulator<W>;
  const DeviceScoring<T, W>& scoring = f.scoring;
  const int64_t rows = scoring.rows, depth = scoring.depth();
  const int64_t segments = SegmentsOf(scoring.num_classes);
  const SampledBatch batch = BatchOfClasses(scoring, f.labels, f.num_true);
  const int64_t wide = PanelColumns(rows, scoring.num_classes, sizeof(A), f.panels.logits);
  const ClassFactors<T, W> classes(launcher, runtime, scoring, wide);
  const Panel<A> panel = AllocatePanel<A>(runtime, rows, wide);
  const SampledColumns<A> columns = ColumnsOfClasses(launcher, runtime, scoring);
  SegmentSum<A>* const sums = runtime.Allocate<SegmentSum<A>>(segments * rows);
  A* const label_logits = runtime.Allocate<A>(rows * f.num_true);
  A* const label_log_q = runtime.Allocate<A>(rows * f.num_true);
  A* const cap_slopes =
      scoring.options.softcap != 0 ? runtime.Allocate<A>(rows * f.num_true) : nullptr;
  if (runtime.error() != 0) return runtime.error();
  for (int64_t first = 0; first < scoring.num_classes; first += wide) {
    const int64_t count = Least(wide, scoring.num_classes - first);
    const W* const class_rows = classes.ClassRows(launcher, first, count);
    const Factor right = Transposed(classes.factors().Rows(launcher, class_rows, count));
    const int error = products.Multiply(
        runtime, {kFactorType<T>, rows, count, depth, classes.factors().Inputs(), right,
                  panel.values, panel.stride, 1 / scoring.options.temperature, false});
    if (error != 0) return error;
    WithLogitsOfKind<LossKind::kSoftmax>(batch, columns, [&](auto logits) {
      ReducePanel(launcher, logits, Panel<const A>{panel.values, panel.stride, first, count}, sums,
                  static_cast<SegmentStats<A>*>(nullptr), Panel<Operand<T>>{});
    });
  }
  launcher.Clear(label_log_q, rows * f.num_true * sizeof *label_log_q);
  WriteLabelLogits(launcher, batch, scoring.inputs, scoring.weights, nullptr, scoring.biases,
                   label_log_q, label_logits, cap_slopes);
  launcher.ForEachLaneGroup(rows, FinishFullSoftmaxKernel<A>{rows, segments, f.num_true, sums,
                                                             label_logits, f.loss, f.max, f.sum});
  return launcher.error();
}

// Makes the gradients of logits, from dot products: a source of PanelGradientsKernel.
template <typename A, bool kCapped>
struct FullGradients {
  using Logits = SegmentLogits<A, LossKind::kSoftmax, kCapped, true>;
  static constexpr int kLeastBlocks = BlocksOf<A>(kCapped ? 2 : 3);

  Logits logits;
  Panel<const A> dots;
  const A *grad, *max, *sum;  // [rows]

  template <typename Block>
  using State = typename Logits::template OfColumns<Block>;

  template <typename Block>
  CANDSAMP_DEVICE void Begin(const Block& block, int64_t first, State<Block>* of) const {
    logits.Load(block, first, of);
  }
  template <typename Block>
  CANDSAMP_DEVICE void Write(const Block& block, const State<Block>& of, int64_t row, int64_t first,
                             A* g) const {
    LoadSegment(block, dots, row, first, g);
    A slopes[kCapped ? kSegment / Block::kLeastLanes : 1];
    logits.Add(block, of, g, slopes);
    const A factor = grad[row] / sum[row], reference = max[row];
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); ++j) {
      // A masked class, or the place behind the last, has minus infinity here.
      g[j] = ExpNonPositive(g[j] - reference) * factor;
    }
    const A target = grad[row] / static_cast<A>(logits.batch.num_true);
    ForLabels(block, logits.batch, row, first, [&](int j, int64_t) { g[j] -= target; });
    CANDSAMP_UNROLL
    for (int j = 0; kCapped && j < ColumnsOfLane(block); ++j) g[j] *= slopes[j];
  }
};

template <typename T, typename W, typename Launcher>
int FullSoftmaxBackwardOn(Launcher launcher, DeviceRuntime& runtime, MatrixProducts& products,
                          const DeviceFullSoftmaxBackward<T, W>& b) {
  using A = Accumulator<W>;
  using P = Operand<T>;
  const DeviceScoring<T, W>& scoring = b.scoring;
  const LogitOptions& options = scoring.options;
  const int64_t rows = scoring.rows, depth = scoring.depth();
  const SampledBatch batch = BatchOfClasses(scoring, b.labels, b.num_true);
  const int64_t wide = PanelColumns(rows, scoring.num_classes, sizeof(A), b.panels.logits);
  const ClassFactors<T, W> classes(launcher, runtime, scoring, wide);
  const Panel<A> dots = AllocatePanel<A>(runtime, rows, wide);
  const Panel<P> gradients = AllocatePanel<P>(runtime, rows, wide);
  const SampledColumns<A> columns = ColumnsOfClasses(launcher, runtime, scoring);
  A* const inputs_grad = runtime.Allocate<A>(rows * depth);
  const bool in_place = kWritesProducts<T, W> && !options.normalize;
  A* const sums = in_place ? nullptr : runtime.Allocate<A>(wide * depth);
  const auto shares = SegmentShares::Of(rows, wide, FullGradients<A, false>::kLeastBlocks);
  const int64_t row_shares = shares.Blocks(rows, launcher.lane_groups());
  A* const column_sums =
      b.biases_grad == nullptr ? nullptr : runtime.Allocate<A>(row_shares * wide);
  if (runtime.error() != 0) return runtime.error();
  if (scoring.num_classes == 0) launcher.Clear(inputs_grad, rows * depth * sizeof *inputs_grad);
  for (int64_t first = 0; first < scoring.num_classes; first += wide) {
    const int64_t count = Least(wide, scoring.num_classes - first);
    const W* const class_rows = classes.ClassRows(launcher, first, count);
    const Factor factor = classes.factors().Rows(launcher, class_rows, count);
    int error = products.Multiply(
        runtime, {kFactorType<T>, rows, count, depth, classes.factors().Inputs(),
                  Transposed(factor), dots.values, dots.stride, 1 / options.temperature, false});
    if (error != 0) return error;
    const Panel<const A> panel = {dots.values, dots.stride, first, count};
    const Panel<P> of_panel = {gradients.values, gradients.stride, first, count};
    const auto write = [&](const auto& source) {
      WritePanelGradients(launcher, source, rows, shares, of_panel, column_sums, count);
    };
    const A cap = static_cast<A>(options.softcap);
    if (options.softcap != 0) {
      write(FullGradients<A, true>{{batch, columns, cap}, panel, b.grad, b.max, b.sum});
    } else {
      write(FullGradients<A, false>{{batch, columns, cap}, panel, b.grad, b.max, b.sum});
    }
    const Factor of_logits = {gradients.values, gradients.stride, false};
    error = products.Multiply(runtime, {kFactorType<T>, rows, depth, count, of_logits, factor,
                                        inputs_grad, depth, 1, first > 0});
    if (error != 0) return error;
    W* const out = b.weights_grad + first * depth;
    void* const product = in_place ? static_cast<void*>(out) : sums;
    error = products.Multiply(runtime, {kFactorType<T>, count, depth, rows, Transposed(of_logits),
                                        classes.factors().Inputs(), product, depth,
                                        1 / options.temperature, false, in_place && kIsNarrow<W>});
    if (error != 0) return error;
    if (!in_place) {
      GradientsOfRows(launcher, class_rows, sums, count, depth, options.normalize, A(1), out);
    }
    if (column_sums != nullptr) {
      launcher.ForEachBlock((count + 31) / 32, SumColumnsKernel<W>{column_sums, row_shares, count,
                                                                   b.biases_grad + first});
    }
  }
  GradientsOfRows(launcher, scoring.inputs, inputs_grad, rows, depth, options.normalize,
                  static_cast<A>(1 / options.temperature), b.inputs_grad);
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_EXACT_FULL_SOFTMAX_H_
