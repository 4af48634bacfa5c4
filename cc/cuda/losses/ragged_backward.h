// SPDX-License-Identifier: Apache-2.0
// The backward pass of the ragged losses and of the scores of candidates on a device: from the
// gradients of logits to sparse gradients of the class table. The twin of
// cc/lib/losses/ragged_backward.h.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_BACKWARD_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_BACKWARD_H_

#include "cc/cuda/losses/ragged_rows.h"
#include "cc/cuda/rows/row_table.h"
#include "cc/cuda/rows/sum_groups.h"
#include "cc/cuda/rows/unit_rows.h"
#include "cc/lib/logits/logit_options.h"

namespace candsamp {

// The gradients of a batch's logits, one for each label and candidate. Of the op of scores there
// are no labels: label_gradient is nullptr then.
template <typename T, typename A>
struct DeviceRaggedGradient {
  DeviceRaggedBatch batch;
  LogitOptions options;
  int64_t depth;
  const T* inputs;              // [rows, depth]
  const A* label_gradient;      // [num_labels], or nullptr
  const A* candidate_gradient;  // [num_candidates]
  const A* row_factor;          // [rows] a factor of the gradients of a row, or nullptr

  CANDSAMP_METHOD int64_t num_labels() const {
    return label_gradient == nullptr ? 0 : batch.num_labels;
  }
  CANDSAMP_METHOD A Gradient(int64_t position, int64_t row) const {
    const A gradient = position < num_labels() ? label_gradient[position]
                                               : candidate_gradient[position - num_labels()];
    return row_factor == nullptr ? gradient : row_factor[row] * gradient;
  }
};

// The inputs of the rows in which classes occur, with the gradients of their logits.
template <typename Source, typename A>
struct RaggedOccurrences {
  const int64_t* rows;   // of each sorted occurrence
  const A* weights;      // likewise
  const Source* inputs;  // as logits take them, but for the temperature
  int64_t depth;

  CANDSAMP_DEVICE A Weight(int64_t k) const { return weights[k]; }
  CANDSAMP_DEVICE const Source* Row(int64_t k) const { return inputs + rows[k] * depth; }
};

// Writes the rows and the weights of sorted occurrences, so that what sums them reads both in
// order.
template <typename T, typename A>
struct SortOccurrencesKernel {
  DeviceRaggedGradient<T, A> gradient;
  IdGroups groups;
  int64_t* rows;
  A* weights;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const DeviceRaggedBatch& batch = gradient.batch;
    const int64_t labels = gradient.num_labels();
    for (int64_t k = GridRank(block); k < groups.size; k += GridSize(block)) {
      const int64_t position = groups.order[k];
      const int64_t row = position < labels
                              ? RowAt(batch.label_splits, batch.rows, position)
                              : RowAt(batch.candidate_splits, batch.rows, position - labels);
      rows[k] = row;
      weights[k] = gradient.Gradient(position, row);
    }
  }
};

// Takes the sum of each group, in their order: the gradients of class rows and of their biases.
template <typename A, typename Out, typename W>
struct ClassGradientsSink {
  static constexpr bool kTakesWeights = true;

  int64_t depth;
  A factor;   // of rows
  Out* rows;  // [groups, depth]
  W* biases;  // [groups], or nullptr

  template <int kSize>
  CANDSAMP_DEVICE void Write(int64_t group, int64_t d, const A* sums) const {
    CANDSAMP_UNROLL
    for (int v = 0; v < kSize; ++v) Narrow(sums[v] * factor, &rows[group * depth + d + v]);
  }
  CANDSAMP_DEVICE void WriteWeight(int64_t group, A sum) const {
    if (biases != nullptr) Narrow(sum, &biases[group]);
  }
};

// The classes of a batch.
template <typename A>
struct RaggedClasses {
  IdGroups groups;  // of labels, where there are gradients of them, then candidates
  int64_t* rows;    // of each sorted occurrence
  A* weights;       // likewise
};

// Groups the classes of a batch, and waits for how many distinct ones there are. Ids that are no
// class are one, num_classes.
template <typename T, typename A, typename Launcher>
int GroupRaggedClassesOn(Launcher launcher, DeviceRuntime& runtime,
                         const DeviceRaggedGradient<T, A>& gradient, int64_t num_classes,
                         RaggedClasses<A>* classes, int64_t* distinct) {
  const DeviceRaggedBatch& batch = gradient.batch;
  IdGroups& groups = classes->groups;
  groups = GroupIds(launcher, runtime, batch.labels, gradient.num_labels(), batch.candidates,
                    batch.num_candidates, num_classes);
  classes->rows = runtime.Allocate<int64_t>(groups.size);
  classes->weights = runtime.Allocate<A>(groups.size);
  if (runtime.error() != 0) return runtime.error();
  launcher.NumbersToHostAndWait(distinct, groups.before + groups.size, sizeof *distinct, [&] {
    launcher.ForEach(groups.size, SortOccurrencesKernel<T, A>{gradient, groups, classes->rows,
                                                              classes->weights});
  });
  return launcher.error();
}

template <typename W>
struct RaggedClassGradients {
  int64_t distinct;     // classes, in ascending order
  W* rows;              // [distinct, depth]
  W* biases;            // [distinct], or nullptr
  const W* class_rows;  // [distinct, depth], read if rows are divided by their norms
};

template <typename T, typename W, typename Launcher>
int SumRaggedClassesOn(Launcher launcher, DeviceRuntime& runtime,
                       const DeviceRaggedGradient<T, Accumulator<W>>& gradient,
                       const RaggedClasses<Accumulator<W>>& classes,
                       const RaggedClassGradients<W>& out) {
  using A = Accumulator<W>;
  const DeviceRaggedBatch& batch = gradient.batch;
  const int64_t depth = gradient.depth;
  const A factor = static_cast<A>(1 / gradient.options.temperature);
  const auto sum = [&](auto* inputs, auto* rows) {
    using Source = std::remove_const_t<std::remove_pointer_t<decltype(inputs)>>;
    using Out = std::remove_pointer_t<decltype(rows)>;
    SumGroups<Source>(launcher, runtime, classes.groups,
                      RaggedOccurrences<Source, A>{classes.rows, classes.weights, inputs, depth},
                      depth, InPacks<kPackOf<Source>>(inputs, depth),
                      ClassGradientsSink<A, Out, W>{depth, factor, rows, out.biases});
  };
  if (gradient.options.normalize) {
    A* const unit = runtime.Allocate<A>(batch.rows * depth);
    A* const sums = runtime.Allocate<A>(out.distinct * depth);
    if (runtime.error() != 0) return runtime.error();
    ScaleRows(launcher, gradient.inputs, batch.rows, depth, true, unit);
    sum(unit, sums);
    GradientsOfRows(launcher, out.class_rows, sums, out.distinct, depth, true, A(1), out.rows);
  } else {
    sum(gradient.inputs, out.rows);
  }
  return runtime.error() != 0 ? runtime.error() : static_cast<int>(launcher.error());
}

// inputs_grad[i] = row_factor[i] * unscaled[i].
template <typename T, typename A>
struct ScaleByRowKernel {
  const A* unscaled;
  const A* row_factor;
  int64_t rows, depth;
  T* out;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t row = GridLaneGroup(block); row < rows; row += GridLaneGroups(block)) {
      for (int64_t d = block.lane(); d < depth; d += block.lanes()) {
        Narrow(row_factor[row] * unscaled[row * depth + d], &out[row * depth + d]);
      }
    }
  }
};

// The gradient of the op of scores.
template <typename T, typename W>
struct DeviceRaggedScoresBackward {
  using A = Accumulator<W>;

  DeviceRaggedBatch batch;  // without labels
  LogitOptions options;
  const T* grad;           // [num_candidates]
  const A* slopes;         // with a softcap [num_candidates], else nullptr
  const T* inputs;         // [rows, depth]
  DeviceRowTable<W> rows;  // those that the forward op kept, or all
  const int64_t* row_ids;  // [num_candidates], of `rows`
  T* inputs_grad;          // [rows, depth]
  A* gradient;             // [num_candidates], written: the gradients of what the softcap caps
};

template <typename T, typename W>
struct ScoreGradientsKernel {
  DeviceRaggedScoresBackward<T, W> b;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    using A = Accumulator<W>;
    for (int64_t k = GridRank(block); k < b.batch.num_candidates; k += GridSize(block)) {
      const A gradient = static_cast<A>(Widen(b.grad[k]));
      b.gradient[k] = b.slopes == nullptr ? gradient : gradient * b.slopes[k];
    }
  }
};

// The inverse norms of the rows of candidates, to each candidate.
template <typename T, typename W>
struct CandidateNormsKernel {
  DeviceRaggedScoresBackward<T, W> b;
  Accumulator<W>* inverse_norms;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridLaneGroup(block); k < b.batch.num_candidates; k += GridLaneGroups(block)) {
      const Accumulator<W> inverse =
          InverseNormOfLanes(block, b.rows.Row(b.row_ids[k]), b.rows.depth);
      if (block.lane() == 0) inverse_norms[k] = inverse;
    }
  }
};

// The class rows of candidates, with the gradients of their logits.
template <typename W>
struct CandidateRows {
  using A = Accumulator<W>;

  DeviceRowTable<W> table;
  const int64_t* row_ids;
  const A* gradient;
  const A* inverse_norms;  // or nullptr
  const int64_t* order;    // of the groups

  CANDSAMP_DEVICE A Weight(int64_t k) const {
    const int64_t at = order[k];
    return inverse_norms == nullptr ? gradient[at] : gradient[at] * inverse_norms[at];
  }
  CANDSAMP_DEVICE const W* Row(int64_t k) const { return table.Row(row_ids[order[k]]); }
};

// Takes the sums of groups that are numbered by their ids.
template <typename A>
struct SumsOfRows {
  static constexpr bool kTakesWeights = false;

  const int64_t* ids;
  const int64_t* starts;
  int64_t depth;
  A* out;

  template <int kSize>
  CANDSAMP_DEVICE void Write(int64_t group, int64_t d, const A* sums) const {
    CANDSAMP_UNROLL
    for (int v = 0; v < kSize; ++v) out[ids[starts[group]] * depth + d + v] = sums[v];
  }
};

// Writes the gradients of inputs, and of what softcaps cap.
template <typename T, typename W, typename Launcher>
int RaggedScoresBackwardOn(Launcher launcher, DeviceRuntime& runtime,
                           const DeviceRaggedScoresBackward<T, W>& b) {
  using A = Accumulator<W>;
  const DeviceRaggedBatch& batch = b.batch;
  const int64_t depth = b.rows.depth;
  int64_t* const rows = runtime.Allocate<int64_t>(batch.num_candidates);
  A* const sums = runtime.Allocate<A>(batch.rows * depth);
  A* const norms = b.options.normalize ? runtime.Allocate<A>(batch.num_candidates) : nullptr;
  if (runtime.error() != 0) return runtime.error();
  launcher.ForEach(batch.num_candidates, ScoreGradientsKernel<T, W>{b});
  if (norms != nullptr) {
    launcher.ForEachLaneGroup(batch.num_candidates, CandidateNormsKernel<T, W>{b, norms});
  }
  launcher.ForEach(batch.num_candidates, RowsOfCandidatesKernel{batch, rows});
  const IdGroups groups =
      GroupIds(launcher, runtime, rows, batch.num_candidates, nullptr, 0, batch.rows);
  if (runtime.error() != 0) return runtime.error();
  launcher.Clear(sums, batch.rows * depth * sizeof *sums);
  SumGroups<W>(launcher, runtime, groups,
               CandidateRows<W>{b.rows, b.row_ids, b.gradient, norms, groups.order}, depth,
               RowsInPacks(b.rows), SumsOfRows<A>{groups.ids, groups.starts, depth, sums});
  GradientsOfRows(launcher, b.inputs, sums, batch.rows, depth, b.options.normalize,
                  static_cast<A>(1 / b.options.temperature), b.inputs_grad);
  return runtime.error() != 0 ? runtime.error() : static_cast<int>(launcher.error());
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_BACKWARD_H_
