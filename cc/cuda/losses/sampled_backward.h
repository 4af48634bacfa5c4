// SPDX-License-Identifier: Apache-2.0
// The backward pass of the dense losses on a device: the twin of cc/lib/losses/sampled_backward.h.
//
//  1. Start the gradients of the inputs with what labels that are no candidates add.
//  2. For each panel of columns, write the gradients of its logits, from the kept slopes or from
//     products that are made again, those of labels that are candidates included. Multiply them
//     with the candidates' rows, which is added to the gradients of inputs, and their transpose
//     with the inputs, which are the gradients of the candidates' rows.
//  3. Sum the gradients of the rows of labels that are no candidates (rows/sum_groups.h).
//  4. Turn the gradients of what logits take into those of inputs and rows.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_BACKWARD_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_BACKWARD_H_

#include "cc/cuda/losses/sampled_panels.h"
#include "cc/cuda/rows/sum_groups.h"

namespace candsamp {

template <typename T, typename W>
struct DeviceSampledBackward {
  using A = Accumulator<W>;

  SampledBatch batch;  // with arrays in the device's memory
  int64_t depth;
  const A* grad;                // [rows]
  const T* inputs;              // [rows, depth]
  const W* class_rows;          // [classes, depth]
  const A* sample_offsets;      // [num_sampled], read if slopes are not kept
  const A* sample_biases;       // likewise
  const A* label_logit_grad;    // [rows, num_true]
  const A* scales;              // [SegmentsOf(columns), rows]
  const T* slopes;              // [rows, StrideOf(columns)]; nullptr: not kept

  T* inputs_grad;        // [rows, depth]
  W* class_rows_grad;    // [classes, depth]; may be class_rows
  W* class_biases_grad;  // [classes], or nullptr

  PanelBytes panels;
};

// Starts the gradients of inputs, as products take those, with what labels that are no candidates
// add.
template <typename W>
struct StartInputsGradKernel {
  using A = Accumulator<W>;

  SampledBatch batch;
  int64_t depth;
  const A* grad;
  const W* class_rows;
  const A* label_logit_grad;
  A* sums;  // [rows, depth]

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t row = GridLaneGroup(block); row < batch.rows; row += GridLaneGroups(block)) {
      A* const sum = sums + row * depth;
      for (int64_t d = block.lane(); d < depth; d += block.lanes()) sum[d] = A(0);
      for (int64_t label = row * batch.num_true; label < (row + 1) * batch.num_true; ++label) {
        const int64_t number = batch.label_classes[label];
        if (number < batch.columns) continue;
        const W* const class_row = class_rows + number * depth;
        A factor = grad[row] * label_logit_grad[label];
        if (batch.options.logit.normalize) {
          factor *= InverseNormOfLanes(block, class_row, depth);
        }
        for (int64_t d = block.lane(); d < depth; d += block.lanes()) {
          sum[d] = MulAdd(factor, static_cast<A>(Widen(class_row[d])), sum[d]);
        }
      }
    }
  }
};

// Adds up a panel's columns over the shares of rows, for the biases.
template <typename W>
struct SumColumnsKernel {
  const Accumulator<W>* sums;  // [shares, columns]
  int64_t shares, columns, first, count;
  W* out;  // [columns]

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < count; k += GridSize(block)) {
      double sum = 0;
      for (int64_t s = 0; s < shares; ++s) sum += sums[s * columns + first + k];
      Narrow(static_cast<Accumulator<W>>(sum), &out[first + k]);
    }
  }
};

// The inputs of the rows in which a label occurs, with the derivatives of their losses.
template <typename T, typename A>
struct LabelInputs {
  const T* inputs;
  int64_t depth, num_true;
  const A *grad, *label_logit_grad;

  CANDSAMP_DEVICE const T* At(int64_t label, A* weight) const {
    const int64_t row = label / num_true;
    *weight = grad[row] * label_logit_grad[label];
    return inputs + row * depth;
  }
};

// The derivatives alone, for biases.
template <typename A>
struct LabelGradients {
  int64_t num_true;
  const A *grad, *label_logit_grad;

  CANDSAMP_DEVICE const A* At(int64_t label, A* weight) const {
    *weight = grad[label / num_true];
    return label_logit_grad + label;
  }
};

// Takes the sums of classes from number `first` on, times a factor.
template <typename A, typename Out>
struct OtherClassesSink {
  const int64_t* numbers;  // the groups' ids, sorted
  const int64_t* starts;
  int64_t first, end, depth;
  A factor;
  Out* out;  // [end - first, depth]

  template <int kSize>
  CANDSAMP_DEVICE void Write(int64_t group, int64_t d, const A* sums) const {
    const int64_t number = numbers[starts[group]];
    if (number < first || number >= end) return;
    CANDSAMP_UNROLL
    for (int v = 0; v < kSize; ++v) {
      Narrow(sums[v] * factor, &out[(number - first) * depth + d + v]);
    }
  }
};

template <typename T, typename W, typename Launcher>
class SampledBackwardOn {
 public:
  using A = Accumulator<W>;

  SampledBackwardOn(Launcher& launcher, DeviceRuntime& runtime, MatrixProducts& products,
                    const DeviceSampledBackward<T, W>& request)
      : launcher_(launcher), runtime_(runtime), products_(products), b_(request) {}

  int Run() {
    const int64_t depth = b_.depth, rows = batch_.rows;
    const int64_t wide = PanelColumns(rows, batch_.columns,
                                      recompute_ ? sizeof(A) + sizeof(T) : sizeof(T),
                                      recompute_ ? b_.panels.logits : b_.panels.gradients);
    const ProductFactors<T, W> factors(launcher_, runtime_, options_, b_.inputs, rows, depth, wide);
    A* const inputs_grad = kSameType && !options_are_set_
                               ? reinterpret_cast<A*>(b_.inputs_grad)
                               : runtime_.Allocate<A>(rows * depth);
    if (runtime_.error() != 0) return runtime_.error();
    // What other labels add is the gradient of unit rows times their factor alone.
    launcher_.ForEachLaneGroup(
        rows, StartInputsGradKernel<W>{batch_, depth, b_.grad, b_.class_rows, b_.label_logit_grad,
                                       inputs_grad});
    // Before the panels, which may overwrite the rows of labels.
    AddOtherLabels(factors);
    const int error = RunPanels(factors, wide, inputs_grad);
    if (error != 0) return error;
    if (inputs_grad != reinterpret_cast<A*>(b_.inputs_grad)) {
      launcher_.ForEachLaneGroup(
          rows, GradientsOfRowsKernel<T, A>{b_.inputs, inputs_grad, rows, depth, options_.normalize,
                                            temperature_factor_, b_.inputs_grad});
    }
    return launcher_.error();
  }

 private:
  static constexpr bool kSameType = std::is_same_v<T, Accumulator<W>>;
  static constexpr bool kRowsAreSums = std::is_same_v<W, Accumulator<W>>;

  int RunPanels(const ProductFactors<T, W>& factors, int64_t wide, A* inputs_grad) {
    const int64_t depth = b_.depth, rows = batch_.rows;
    SampledColumns<A> columns = {};
    columns.count = batch_.columns;
    if (recompute_) {
      columns = ColumnsOf(launcher_, runtime_, batch_, b_.sample_offsets, b_.sample_biases);
    }
    const Panel<A> dots =
        recompute_ ? AllocatePanel<A>(runtime_, rows, wide) : Panel<A>{nullptr, 0, 0, 0};
    const Panel<T> gradients = AllocatePanel<T>(runtime_, rows, wide);
    const bool sums_in_place = kRowsAreSums && !options_.normalize;
    A* const sums = sums_in_place ? nullptr : runtime_.Allocate<A>(wide * depth);
    // The last panel, the shortest, has the shortest shares.
    const int64_t last = batch_.columns - (batch_.columns - 1) / wide * wide;
    const int64_t most_shares = SegmentShares::Of(rows, last).of_rows;
    A* const column_sums = b_.class_biases_grad == nullptr || batch_.columns == 0
                               ? nullptr
                               : runtime_.Allocate<A>(most_shares * batch_.columns);
    if (runtime_.error() != 0) return runtime_.error();

    for (int64_t first = 0; first < batch_.columns; first += wide) {
      const int64_t count = Least(wide, batch_.columns - first);
      const Factor class_rows = factors.Rows(launcher_, b_.class_rows + first * depth, count);
      if (recompute_) {
        const int error = products_.Multiply(
            runtime_, {kFactorType<T>, rows, count, depth, factors.Inputs(), Transposed(class_rows),
                       dots.values, dots.stride, 1 / options_.temperature, false});
        if (error != 0) return error;
      }
      const SegmentShares shares = SegmentShares::Of(rows, count);
      WithSegmentLogits(batch_, columns, [&](auto logits) {
        const Panel<const T> slopes = {b_.slopes, StrideOf(batch_.columns), 0, batch_.columns};
        launcher_.ForEachLaneGroup(
            shares.count(),
            PanelGradients<T>(logits, slopes, {dots.values, dots.stride, first, count}, shares,
                              b_.grad, b_.scales, b_.label_logit_grad,
                              {gradients.values, gradients.stride, first, count}, column_sums));
      });
      const Factor of_logits = {gradients.values, gradients.stride, false};
      int error = products_.Multiply(
          runtime_, {kFactorType<T>, rows, depth, count, of_logits, class_rows, inputs_grad, depth,
                     1, true});
      if (error != 0) return error;
      W* const out = b_.class_rows_grad + first * depth;
      A* const product = sums_in_place ? reinterpret_cast<A*>(out) : sums;
      error = products_.Multiply(
          runtime_, {kFactorType<T>, count, depth, rows, Transposed(of_logits), factors.Inputs(),
                     product, depth, 1 / options_.temperature, false});
      if (error != 0) return error;
      if (!sums_in_place) {
        launcher_.ForEachLaneGroup(
            count, GradientsOfRowsKernel<W, A>{b_.class_rows + first * depth, sums, count, depth,
                                               options_.normalize, A(1), out});
      }
      if (column_sums != nullptr) {
        launcher_.ForEach(count,
                          SumColumnsKernel<W>{column_sums, shares.of_rows, batch_.columns, first,
                                              count, b_.class_biases_grad});
      }
    }
    return launcher_.error();
  }

  // The gradients of rows and biases of labels that are no candidates.
  void AddOtherLabels(const ProductFactors<T, W>& factors) {
    const int64_t others = batch_.classes - batch_.columns, depth = b_.depth;
    if (others == 0) return;
    const IdGroups groups = GroupIds(launcher_, runtime_, batch_.label_classes, batch_.num_labels(),
                                     nullptr, 0, batch_.classes);
    if (runtime_.error() != 0) return;
    const LabelInputs<T, A> entries = {factors.inputs(), depth, batch_.num_true, b_.grad,
                                       b_.label_logit_grad};
    const bool in_packs = InPacks<kPackOf<T>>(factors.inputs(), depth);
    W* const out = b_.class_rows_grad + batch_.columns * depth;
    const auto sum_into = [&](auto* to) {
      using Out = std::remove_pointer_t<decltype(to)>;
      SumGroups<T>(launcher_, runtime_, groups, entries, depth, in_packs,
                   OtherClassesSink<A, Out>{groups.ids, groups.starts, batch_.columns,
                                            batch_.classes, depth, temperature_factor_, to});
    };
    if (options_.normalize) {
      A* const sums = runtime_.Allocate<A>(others * depth);
      if (runtime_.error() != 0) return;
      sum_into(sums);
      launcher_.ForEachLaneGroup(
          others, GradientsOfRowsKernel<W, A>{b_.class_rows + batch_.columns * depth, sums, others,
                                              depth, true, A(1), out});
    } else {
      sum_into(out);
    }
    if (b_.class_biases_grad == nullptr) return;
    SumGroups<A>(launcher_, runtime_, groups,
                 LabelGradients<A>{batch_.num_true, b_.grad, b_.label_logit_grad}, 1, false,
                 OtherClassesSink<A, W>{groups.ids, groups.starts, batch_.columns, batch_.classes,
                                        1, A(1), b_.class_biases_grad + batch_.columns});
  }

  Launcher& launcher_;
  DeviceRuntime& runtime_;
  MatrixProducts& products_;
  const DeviceSampledBackward<T, W>& b_;
  const SampledBatch& batch_ = b_.batch;
  const LogitOptions& options_ = batch_.options.logit;
  const bool options_are_set_ = options_.normalize || options_.temperature != 1;
  const A temperature_factor_ = static_cast<A>(1 / options_.temperature);
  const bool recompute_ = b_.slopes == nullptr;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_BACKWARD_H_
