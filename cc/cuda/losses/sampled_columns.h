// SPDX-License-Identifier: Apache-2.0
// The columns of a dense loss: its distinct candidates. A candidate that was drawn several times is
// one column, as in cc/lib/losses/sampled_logits.h.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_COLUMNS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_COLUMNS_H_

#include "cc/cuda/classes/id_groups.h"
#include "cc/lib/logits/offsets.h"
#include "cc/lib/losses/sampled_batch.h"

namespace candsamp {

// All arrays have one value for each column.
template <typename A>
struct SampledColumns {
  int64_t count;
  const A* offsets;     // softmax: the log of the sum of the draws' exponentials; NCE: of the first
  const A* biases;      // with a softcap, else nullptr
  const int64_t* hits;  // ids by which accidental hits are found; nullptr: by column

  // Where candidates repeat, the draws of each column: draws.order[draws.starts[c] ...]. Else
  // column c is draw c, and has_repeats is false.
  bool has_repeats;
  IdGroups draws;
  const A* draw_offsets;  // [num_sampled]

  // A column that no draw has, which only a caller's mistake makes, has none here.
  CANDSAMP_METHOD int64_t Start(int64_t column) const {
    return column < draws.count() ? draws.starts[column] : draws.size;
  }
  CANDSAMP_METHOD int64_t Draws(int64_t column) const {
    return has_repeats ? Start(column + 1) - Start(column) : 1;
  }
  CANDSAMP_METHOD int64_t FirstDraw(int64_t column) const {
    return has_repeats ? draws.order[Least(Start(column), draws.size - 1)] : column;
  }
  // Of the k-th draw of a column, how far its logit is above that of the first.
  CANDSAMP_METHOD A Shift(int64_t column, int64_t k) const {
    const int64_t* const order = draws.order + Start(column);
    const A offset = draw_offsets[order[k]], first = draw_offsets[order[0]];
    return offset == first ? A(0) : offset - first;  // equal infinities have no difference
  }
  // How far a softmax column's logit is above that of its largest draw.
  CANDSAMP_METHOD A Gain(int64_t column) const {
    if (!has_repeats) return A(0);
    A largest = draw_offsets[FirstDraw(column)];
    for (int64_t k = Start(column) + 1; k < Start(column + 1); ++k) {
      const A offset = draw_offsets[draws.order[k]];
      largest = offset > largest ? offset : largest;
    }
    return offsets[column] - largest;
  }
};

// Puts what the draws of each column share in one place.
template <typename A>
struct JoinDrawsKernel {
  SampledColumns<A> columns;
  LossKind kind;
  const A* draw_biases;      // or nullptr
  const int64_t* draw_hits;  // or nullptr
  A* offsets;
  A* biases;
  int64_t* hits;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t c = GridRank(block); c < columns.count; c += GridSize(block)) {
      const int64_t first = columns.FirstDraw(c);
      A offset = columns.draw_offsets[first];
      for (int64_t k = 1; kind == LossKind::kSoftmax && k < columns.Draws(c); ++k) {
        const int64_t draw = columns.draws.order[columns.Start(c) + k];
        offset = LogAddExp(offset, columns.draw_offsets[draw]);
      }
      offsets[c] = offset;
      if (draw_biases != nullptr) biases[c] = draw_biases[first];
      if (draw_hits != nullptr) hits[c] = draw_hits[first];
    }
  }
};

// Whether a candidate was drawn several times.
inline bool HasRepeats(const SampledBatch& batch) { return batch.columns != batch.num_sampled; }

// `draw_offsets` and, with a softcap, `draw_biases` are those of the candidates. Does not wait.
template <typename A, typename Launcher>
SampledColumns<A> ColumnsOf(Launcher& launcher, DeviceRuntime& runtime, const SampledBatch& batch,
                            const A* draw_offsets, const A* draw_biases) {
  if (batch.options.logit.softcap == 0) draw_biases = nullptr;
  SampledColumns<A> columns = {batch.columns, draw_offsets, draw_biases, batch.sample_hits,
                               false,         {},           draw_offsets};
  if (!HasRepeats(batch)) return columns;
  columns.has_repeats = true;
  columns.draws = GroupIds(launcher, runtime, batch.sample_columns, batch.num_sampled, nullptr, 0,
                           batch.columns);
  A* const offsets = runtime.Allocate<A>(batch.columns);
  A* const biases = draw_biases == nullptr ? nullptr : runtime.Allocate<A>(batch.columns);
  int64_t* const hits =
      batch.sample_hits == nullptr ? nullptr : runtime.Allocate<int64_t>(batch.columns);
  if (runtime.error() != 0) return columns;
  columns.offsets = offsets;
  columns.biases = biases;
  columns.hits = hits;
  launcher.ForEach(batch.columns, JoinDrawsKernel<A>{columns, batch.kind, draw_biases,
                                                     batch.sample_hits, offsets, biases, hits});
  return columns;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_COLUMNS_H_
