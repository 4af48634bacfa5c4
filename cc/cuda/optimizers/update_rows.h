// SPDX-License-Identifier: Apache-2.0
// Updates the rows of a table that have a gradient, in place: the twin of
// cc/lib/optimizers/update_rows.h. Rows are grouped, the gradients of each are summed in the order
// of their positions, and the formula is applied to the sum while that is in registers.
#ifndef TF_CANDSAMP_CC_CUDA_OPTIMIZERS_UPDATE_ROWS_H_
#define TF_CANDSAMP_CC_CUDA_OPTIMIZERS_UPDATE_ROWS_H_

#include "cc/cuda/rows/sum_groups.h"
#include "cc/lib/core/half.h"

namespace candsamp {

constexpr int kMostTableSlots = 3;

// A table of [num_rows, depth], the slots of its optimizer of the same shape, and gradients of some
// of its rows. Ids that are no rows are passed over, as TensorFlow's scatter on a GPU does.
template <typename W>
struct DeviceRowUpdate {
  using A = Accumulator<W>;

  W* values;
  A* slots[kMostTableSlots];
  int64_t num_rows, depth;
  const int64_t* ids;  // [count]
  int64_t count;
  const A* gradients;  // [count, depth]
};

// The gradients as what is summed.
template <typename A>
struct GradientRows {
  const A* gradients;
  int64_t depth;
  const int64_t* order;  // of the groups

  CANDSAMP_DEVICE A Weight(int64_t) const { return A(1); }
  CANDSAMP_DEVICE const A* Row(int64_t k) const { return gradients + order[k] * depth; }
};

// Applies the formula to a row's sum.
template <typename W, typename Formula>
struct UpdateSink {
  using A = Accumulator<W>;
  static constexpr int kSlots = Formula::kSlots;
  static constexpr bool kTakesWeights = false;

  Formula formula;
  DeviceRowUpdate<W> rows;
  const int64_t* ids;  // sorted
  const int64_t* starts;

  template <int kSize>
  CANDSAMP_DEVICE void Write(int64_t group, int64_t d, const A* sums) const {
    const int64_t id = ids[starts[group]];
    if (id >= rows.num_rows) return;
    const int64_t at = id * rows.depth + d;
    auto values = Pack<W, kSize>::Load(rows.values + at);
    Pack<A, kSize> slots[kSlots > 0 ? kSlots : 1];
    CANDSAMP_UNROLL
    for (int s = 0; s < kSlots; ++s) slots[s] = Pack<A, kSize>::Load(rows.slots[s] + at);
    CANDSAMP_UNROLL
    for (int v = 0; v < kSize; ++v) {
      A value = Widen(values.values[v]);
      A of_value[kSlots > 0 ? kSlots : 1];
      CANDSAMP_UNROLL
      for (int s = 0; s < kSlots; ++s) of_value[s] = slots[s].values[v];
      formula.Update(sums[v], &value, of_value);
      Narrow(value, &values.values[v]);
      CANDSAMP_UNROLL
      for (int s = 0; s < kSlots; ++s) slots[s].values[v] = of_value[s];
    }
    values.Store(rows.values + at);
    CANDSAMP_UNROLL
    for (int s = 0; s < kSlots; ++s) slots[s].Store(rows.slots[s] + at);
  }
};

// Does not wait.
template <typename W, typename Formula, typename Launcher>
int UpdateRowsOn(Launcher launcher, DeviceRuntime& runtime, const Formula& formula,
                 const DeviceRowUpdate<W>& rows) {
  using A = Accumulator<W>;
  if (rows.count == 0 || rows.depth == 0) return 0;
  const IdGroups groups =
      GroupIds(launcher, runtime, rows.ids, rows.count, nullptr, 0, rows.num_rows);
  if (runtime.error() != 0) return runtime.error();
  bool in_packs = InPacks<kPackOf<A>>(rows.gradients, rows.depth) &&
                  InPacks<kPackOf<A>>(rows.values, rows.depth);
  for (int s = 0; s < Formula::kSlots; ++s) {
    in_packs = in_packs && InPacks<kPackOf<A>>(rows.slots[s], rows.depth);
  }
  SumGroups<A>(launcher, runtime, groups, GradientRows<A>{rows.gradients, rows.depth, groups.order},
               rows.depth, in_packs,
               UpdateSink<W, Formula>{formula, rows, groups.ids, groups.starts});
  return launcher.error();
}

// Sums of the slices of each distinct row, in ascending order of rows.
template <typename T>
struct SumsSink {
  static constexpr bool kTakesWeights = false;

  int64_t depth;
  T* sums;  // [distinct rows, depth]

  template <int kSize>
  CANDSAMP_DEVICE void Write(int64_t group, int64_t d, const Accumulator<T>* of_group) const {
    CANDSAMP_UNROLL
    for (int v = 0; v < kSize; ++v) Narrow(of_group[v], &sums[group * depth + d + v]);
  }
};

// Slices of one type as what is summed.
template <typename T>
struct SliceRows {
  const T* slices;
  int64_t depth;
  const int64_t* order;  // of the groups

  CANDSAMP_DEVICE Accumulator<T> Weight(int64_t) const { return Accumulator<T>(1); }
  CANDSAMP_DEVICE const T* Row(int64_t k) const { return slices + order[k] * depth; }
};

// Writes the distinct ids, and the sums of their slices.
template <typename T, typename Launcher>
int SumRowsOn(Launcher launcher, DeviceRuntime& runtime, const IdGroups& groups, const T* slices,
              int64_t depth, int64_t* ids, T* sums) {
  WriteGroupIds(launcher, groups, ids);
  SumGroups<T>(launcher, runtime, groups, SliceRows<T>{slices, depth, groups.order}, depth,
               InPacks<kPackOf<T>>(slices, depth), SumsSink<T>{depth, sums});
  return runtime.error() != 0 ? runtime.error() : static_cast<int>(launcher.error());
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_OPTIMIZERS_UPDATE_ROWS_H_
