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
//
// Many of these launches are too small for a large device. So 1, 3 and the end of 4 run beside the
// panels, on the launcher's side.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_BACKWARD_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_BACKWARD_H_

#include "cc/cuda/losses/panel_gradients.h"
#include "cc/cuda/losses/sampled_panels.h"
#include "cc/cuda/rows/sum_groups.h"

namespace candsamp {

template <typename T, typename W>
struct DeviceSampledBackward {
  using A = Accumulator<W>;

  SampledBatch batch;  // with arrays in the device's memory
  int64_t depth;
  const A* grad;              // [rows]
  const T* inputs;            // [rows, depth]
  const W* class_rows;        // [classes, depth]
  const A* sample_offsets;    // [num_sampled], read if slopes are not kept
  const A* sample_biases;     // likewise
  const A* label_logit_grad;  // [rows, num_true]
  const A* scales;            // [SegmentsOf(columns), rows]
  const Operand<T>* slopes;   // [rows, StrideOf(columns)]; nullptr: not kept
  bool slopes_are_scratch;    // whether they may be overwritten, which saves memory and time

  T* inputs_grad;        // [rows, depth]
  W* class_rows_grad;    // [classes, depth]; may be class_rows
  W* class_biases_grad;  // [classes], or nullptr

  PanelBytes panels;
};

// Starts the gradients of inputs, as products take those, with what labels that are no candidates
// add. REQUIRES: kSize divides the depth, and rows are aligned to so many values.
template <typename W, int kSize>
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
      // Of many columns, so many at a time.
      for (int64_t d = block.lane() * kSize; d < depth; d += block.lanes() * kSize) {
        Pack<A, kSize> sum = {};
        sum.Store(sums + row * depth + d);
      }
      for (int64_t label = row * batch.num_true; label < (row + 1) * batch.num_true; ++label) {
        const int64_t number = batch.label_classes[label];
        if (number < batch.columns || number >= batch.classes) continue;
        const W* const class_row = class_rows + number * depth;
        A factor = grad[row] * label_logit_grad[label];
        if (batch.options.logit.normalize) {
          factor *= InverseNormOfLanes(block, class_row, depth);
        }
        for (int64_t d = block.lane() * kSize; d < depth; d += block.lanes() * kSize) {
          const auto values = Pack<W, kSize>::Load(class_row + d);
          auto sum = Pack<A, kSize>::Load(sums + row * depth + d);
          CANDSAMP_UNROLL
          for (int v = 0; v < kSize; ++v) {
            sum.values[v] = MulAdd(factor, static_cast<A>(Widen(values.values[v])), sum.values[v]);
          }
          sum.Store(sums + row * depth + d);
        }
      }
    }
  }
};

// From slopes to gradients of logits.
template <typename A>
struct LogitFactors {
  SampledBatch batch;
  const A* grad;              // [rows]
  const A* scales;            // [segments of all columns, rows]
  const A* label_logit_grad;  // [rows, num_true]

  template <typename Block>
  CANDSAMP_DEVICE void Apply(const Block& block, int64_t row, int64_t first, A* g) const {
    const A factor = grad[row] * scales[first / kSegment * batch.rows + row];
    CANDSAMP_UNROLL
    for (int j = 0; j < ColumnsOfLane(block); ++j) g[j] *= factor;
    ForLabels(block, batch, row, first,
              [&](int j, int64_t label) { g[j] += grad[row] * label_logit_grad[label]; });
  }
};

// Sources of PanelGradientsKernel: slopes that were kept, and those that are made again of dot
// products.
template <typename A, typename P>
struct KeptSlopes {
  static constexpr int kLeastBlocks = BlocksOf<A>(4);

  LogitFactors<A> factors;
  Panel<const P> slopes;  // of all columns

  template <typename Block>
  struct State {};

  template <typename Block>
  CANDSAMP_DEVICE void Begin(const Block&, int64_t, State<Block>*) const {}
  template <typename Block>
  CANDSAMP_DEVICE void Write(const Block& block, const State<Block>&, int64_t row, int64_t first,
                             A* g) const {
    LoadSegment(block, slopes, row, first, g);
    factors.Apply(block, row, first, g);
  }
};

template <typename Logits, typename A>
struct RecomputedSlopes {
  static constexpr int kLeastBlocks = BlocksOf<A>(2);

  LogitFactors<A> factors;
  Logits logits;
  Panel<const A> dots;

  template <typename Block>
  using State = typename Logits::template OfColumns<Block>;

  template <typename Block>
  CANDSAMP_DEVICE void Begin(const Block& block, int64_t first, State<Block>* of) const {
    logits.Load(block, first, of);
  }
  template <typename Block>
  CANDSAMP_DEVICE void Write(Block& block, const State<Block>& of, int64_t row, int64_t first,
                             A* g) const {
    LoadSegment(block, dots, row, first, g);
    logits.Reduce(block, row, first, of, g, nullptr);
    factors.Apply(block, row, first, g);
  }
};

// Adds up columns over the blocks that shared their rows, for the biases. A block has as many
// columns as lanes; its lane groups share the sums.
template <typename W>
struct SumColumnsKernel {
  using A = Accumulator<W>;

  const A* sums;  // [shares, columns]
  int64_t shares, columns;
  W* out;  // [columns]

  static constexpr int kSharedWords = kMostLaneGroups * 32 * 2;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    double* const of_groups = reinterpret_cast<double*>(block.words());
    const int64_t items = (columns + block.lanes() - 1) / block.lanes();
    for (int64_t item = block.block(); item < items; item += block.blocks()) {
      const int64_t column = item * block.lanes() + block.lane();
      double sum = 0;
      if (column < columns) {
        for (int64_t s = block.lane_group(); s < shares; s += block.lane_groups()) {
          sum += sums[s * columns + column];
        }
      }
      of_groups[block.thread()] = sum;
      block.Sync();
      if (block.lane_group() == 0 && column < columns) {
        for (int g = 1; g < block.lane_groups(); ++g) {
          sum += of_groups[g * block.lanes() + block.lane()];
        }
        Narrow(static_cast<A>(sum), &out[column]);
      }
      block.Sync();
    }
  }
};

// The inputs of the rows in which a label occurs, with the derivatives of their losses.
template <typename T, typename A>
struct LabelInputs {
  const T* inputs;
  int64_t depth, num_true;
  const A *grad, *label_logit_grad;
  const int64_t* order;  // of the groups

  CANDSAMP_DEVICE A Weight(int64_t k) const {
    return grad[order[k] / num_true] * label_logit_grad[order[k]];
  }
  CANDSAMP_DEVICE const T* Row(int64_t k) const { return inputs + order[k] / num_true * depth; }
};

// Takes the sums of classes from number `first` on: the gradients of rows and biases of labels that
// are no candidates.
template <typename A, typename Out, typename W>
struct OtherClassesSink {
  static constexpr bool kTakesWeights = true;

  const int64_t* numbers;  // the groups' ids, sorted
  const int64_t* starts;
  int64_t first, end, depth;
  A factor;   // of rows
  Out* rows;  // [end - first, depth]
  W* biases;  // [end - first], or nullptr

  template <int kSize>
  CANDSAMP_DEVICE void Write(int64_t group, int64_t d, const A* sums) const {
    const int64_t number = numbers[starts[group]];
    if (number < first || number >= end) return;
    CANDSAMP_UNROLL
    for (int v = 0; v < kSize; ++v) {
      Narrow(sums[v] * factor, &rows[(number - first) * depth + d + v]);
    }
  }
  CANDSAMP_DEVICE void WriteWeight(int64_t group, A sum) const {
    const int64_t number = numbers[starts[group]];
    if (biases == nullptr || number < first || number >= end) return;
    Narrow(sum, &biases[number - first]);
  }
};

template <typename T, typename W, typename Launcher>
class SampledBackwardOn {
 public:
  using A = Accumulator<W>;
  using P = Operand<T>;

  SampledBackwardOn(Launcher& launcher, DeviceRuntime& runtime, MatrixProducts& products,
                    const DeviceSampledBackward<T, W>& request)
      : launcher_(launcher), runtime_(runtime), products_(products), b_(request) {}

  int Run() {
    const int64_t depth = b_.depth, rows = batch_.rows;
    const int64_t wide = PanelWidth();
    const ProductFactors<T, W> factors(launcher_, runtime_, options_, b_.inputs, rows, depth, wide);
    A* const inputs_grad = kSameType && !options_are_set_ ? reinterpret_cast<A*>(b_.inputs_grad)
                                                          : runtime_.Allocate<A>(rows * depth);
    if (runtime_.error() != 0) return runtime_.error();
    Side side(launcher_);
    side.Fork();
    is_started_ = batch_.classes > batch_.columns || batch_.columns == 0;
    if (is_started_) StartInputsGrad(side.launcher(), inputs_grad);
    side.Mark();
    // They may overwrite the rows of labels, which the start has read.
    AddOtherLabels(side.launcher(), factors);
    if (batch_.columns == 0) FinishInputsGrad(side.launcher(), inputs_grad);
    const int error = RunPanels(factors, wide, inputs_grad, side);
    side.Join();
    return error != 0 ? error : static_cast<int>(launcher_.error());
  }

 private:
  using Side = typename Launcher::Side;
  static constexpr bool kSameType = std::is_same_v<T, Accumulator<W>>;
  static constexpr int64_t kSumBytes = int64_t{32} << 20;

  int64_t PanelWidth() const {
    if (in_place_) return Most(1, SegmentsOf(batch_.columns)) * kSegment;
    if (recompute_) {
      return PanelColumns(batch_.rows, batch_.columns, sizeof(A), b_.panels.logits);
    }
    return PanelColumns(batch_.rows, batch_.columns, sizeof(P), b_.panels.gradients);
  }

  void StartInputsGrad(Launcher& launcher, A* inputs_grad) {
    constexpr int kSize = 4;
    const auto start = [&](auto kernel) { launcher.ForEachLaneGroup(batch_.rows, kernel); };
    if (InPacks<kSize>(b_.class_rows, b_.depth) && InPacks<kSize>(inputs_grad, b_.depth)) {
      start(StartInputsGradKernel<W, kSize>{batch_, b_.depth, b_.grad, b_.class_rows,
                                            b_.label_logit_grad, inputs_grad});
    } else {
      start(StartInputsGradKernel<W, 1>{batch_, b_.depth, b_.grad, b_.class_rows,
                                        b_.label_logit_grad, inputs_grad});
    }
  }

  void FinishInputsGrad(Launcher& launcher, const A* inputs_grad) {
    if (inputs_grad == reinterpret_cast<const A*>(b_.inputs_grad)) return;
    GradientsOfRows(launcher, b_.inputs, inputs_grad, batch_.rows, b_.depth, options_.normalize,
                    temperature_factor_, b_.inputs_grad);
  }

  int RunPanels(const ProductFactors<T, W>& factors, int64_t wide, A* inputs_grad, Side& side) {
    const int64_t depth = b_.depth, rows = batch_.rows;
    SampledColumns<A> columns = {};
    columns.count = batch_.columns;
    if (recompute_) {
      columns = ColumnsOf(launcher_, runtime_, batch_, b_.sample_offsets, b_.sample_biases);
    }
    const Panel<A> dots =
        recompute_ ? AllocatePanel<A>(runtime_, rows, wide) : Panel<A>{nullptr, 0, 0, 0};
    const Panel<P> gradients =
        in_place_ ? Panel<P>{const_cast<P*>(b_.slopes), StrideOf(batch_.columns), 0, wide}
                  : AllocatePanel<P>(runtime_, rows, wide);
    const SegmentShares shares = SegmentShares::Of(rows, wide, BlocksOf<A>(recompute_ ? 2 : 4));
    const int64_t row_shares = shares.Blocks(rows, launcher_.lane_groups());
    A* const column_sums = b_.class_biases_grad == nullptr
                               ? nullptr
                               : runtime_.Allocate<A>(row_shares * batch_.columns);
    A* const sums = ProductsAreRows() ? nullptr : runtime_.Allocate<A>(SummedRows() * depth);
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
      const Panel<P> panel = {gradients.values, gradients.stride, first, count};
      WriteGradients(columns, {dots.values, dots.stride, first, count}, shares, panel,
                     column_sums == nullptr ? nullptr : column_sums + first);
      if (first == 0) side.JoinMark();
      const Factor of_logits = {panel.values, panel.stride, false};
      int error =
          products_.Multiply(runtime_, {kFactorType<T>, rows, depth, count, of_logits, class_rows,
                                        inputs_grad, depth, 1, is_started_ || first > 0});
      if (error != 0) return error;
      if (first + count == batch_.columns) {
        side.Fork();
        FinishInputsGrad(side.launcher(), inputs_grad);
        if (column_sums != nullptr) {
          side.launcher().ForEachBlock(
              (batch_.columns + 31) / 32,
              SumColumnsKernel<W>{column_sums, row_shares, batch_.columns, b_.class_biases_grad});
        }
      }
      error = SumRows(factors, panel, sums);
      if (error != 0) return error;
    }
    return 0;
  }

  void WriteGradients(const SampledColumns<A>& columns, const Panel<const A>& dots,
                      const SegmentShares& shares, const Panel<P>& panel, A* column_sums) {
    const auto write = [&](const auto& source) {
      WritePanelGradients(launcher_, source, batch_.rows, shares, panel, column_sums,
                          batch_.columns);
    };
    const LogitFactors<A> factors = {batch_, b_.grad, b_.scales, b_.label_logit_grad};
    if (recompute_) {
      WithSegmentLogits(batch_, columns, [&](auto logits) {
        write(RecomputedSlopes<decltype(logits), A>{factors, logits, dots});
      });
    } else {
      write(KeptSlopes<A, P>{factors, {b_.slopes, StrideOf(batch_.columns), 0, batch_.columns}});
    }
  }

  // Whether products may be written where the gradients of rows go.
  bool ProductsAreRows() const { return kWritesProducts<T, W> && !options_.normalize; }
  // Else, of how many rows at a time: so that their sums stay in the L2 cache.
  int64_t SummedRows() const {
    const int64_t bytes = Most(1, b_.depth) * static_cast<int64_t>(sizeof(A));
    return Least(Most(1, batch_.columns), Most(kSegment, kSumBytes / bytes));
  }

  // The gradients of the rows of a panel's candidates.
  int SumRows(const ProductFactors<T, W>& factors, const Panel<P>& panel, A* sums) {
    const int64_t depth = b_.depth;
    const bool in_place = ProductsAreRows();
    const int64_t at_a_time = in_place ? panel.count : SummedRows();
    for (int64_t begin = 0; begin < panel.count; begin += at_a_time) {
      const int64_t count = Least(at_a_time, panel.count - begin);
      const int64_t at = (panel.first + begin) * depth;
      W* const out = b_.class_rows_grad + at;
      const Factor of_logits = {panel.values + begin, panel.stride, true};
      void* const product = in_place ? static_cast<void*>(out) : sums;
      const int error = products_.Multiply(
          runtime_, {kFactorType<T>, count, depth, batch_.rows, of_logits, factors.Inputs(),
                     product, depth, 1 / options_.temperature, false, in_place && kIsNarrow<W>});
      if (error != 0) return error;
      if (in_place) continue;
      GradientsOfRows(launcher_, b_.class_rows + at, sums, count, depth, options_.normalize, A(1),
                      out);
    }
    return 0;
  }

  // The gradients of rows and biases of labels that are no candidates.
  void AddOtherLabels(Launcher& launcher, const ProductFactors<T, W>& factors) {
    const int64_t others = batch_.classes - batch_.columns, depth = b_.depth;
    if (others == 0) return;
    const IdGroups groups = GroupIds(launcher, runtime_, batch_.label_classes, batch_.num_labels(),
                                     nullptr, 0, batch_.classes);
    if (runtime_.error() != 0) return;
    const LabelInputs<P, A> entries = {factors.inputs(),    depth,       batch_.num_true, b_.grad,
                                       b_.label_logit_grad, groups.order};
    const bool in_packs = InPacks<kPackOf<P>>(factors.inputs(), depth);
    W* const rows = b_.class_rows_grad + batch_.columns * depth;
    W* const biases =
        b_.class_biases_grad == nullptr ? nullptr : b_.class_biases_grad + batch_.columns;
    const auto sum_into = [&](auto* to) {
      using Out = std::remove_pointer_t<decltype(to)>;
      SumGroups<P>(
          launcher, runtime_, groups, entries, depth, in_packs,
          OtherClassesSink<A, Out, W>{groups.ids, groups.starts, batch_.columns, batch_.classes,
                                      depth, temperature_factor_, to, biases});
    };
    if (options_.normalize) {
      A* const sums = runtime_.Allocate<A>(others * depth);
      if (runtime_.error() != 0) return;
      sum_into(sums);
      GradientsOfRows(launcher, b_.class_rows + batch_.columns * depth, sums, others, depth, true,
                      A(1), rows);
    } else {
      sum_into(rows);
    }
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
  const bool in_place_ = !recompute_ && b_.slopes_are_scratch;
  bool is_started_ = false;  // whether the gradients of inputs hold what products are added to
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_BACKWARD_H_
