// SPDX-License-Identifier: Apache-2.0
// The logits of a ragged batch on a device, and the op that returns them: the scores of candidates.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_LOGITS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_LOGITS_H_

#include "cc/cuda/losses/ragged_rows.h"
#include "cc/cuda/rows/gather_rows.h"
#include "cc/cuda/rows/row_table.h"
#include "cc/cuda/rows/unit_rows.h"
#include "cc/lib/logits/logit_options.h"
#include "cc/lib/logits/softcap.h"

namespace candsamp {

// The logits of a row's classes.
template <typename T, typename W>
struct RaggedLogitsOfRow {
  using A = Accumulator<W>;
  static constexpr int kPack = kPackOf<W>;

  LogitOptions options;
  int64_t depth;
  const T* inputs;
  DeviceRowTable<W> weights, biases;
  bool in_packs;

  struct Logit {
    A z;
    A slope;  // of the softcap
  };

  static constexpr int kTogether = 4;  // classes whose rows are on their way at a time

  // The dot products of an input with the rows of classes, to all lanes; 0 for no row.
  template <typename Block>
  CANDSAMP_DEVICE void Dots(Block& block, int64_t row, const int64_t* ids, A* dots) const {
    const W* rows[kTogether];
    CANDSAMP_UNROLL
    for (int j = 0; j < kTogether; ++j) {
      rows[j] = weights.Row(ids[j]);
      dots[j] = A(0);
    }
    if (in_packs) {
      LaneDots<kPack>(block, inputs + row * depth, rows, dots);
    } else {
      LaneDots<1>(block, inputs + row * depth, rows, dots);
    }
    CANDSAMP_UNROLL
    for (int j = 0; j < kTogether; ++j) dots[j] = block.SumOfLanes(dots[j]);
  }

  // `dot` is that of the scaled input and class row.
  CANDSAMP_DEVICE Logit Of(A dot, A bias, A log_q) const {
    if (options.softcap == 0) return {dot - log_q + bias, A(1)};
    Logit logit;
    const A cap = static_cast<A>(options.softcap);
    const A capped = Softcap(dot + BiasUnderSoftcap(bias), cap, &logit.slope);
    logit.z = IsMask(bias) ? bias : capped - log_q;
    return logit;
  }

  // The inverse norm of the input, or 1, over the temperature.
  template <typename Block>
  CANDSAMP_DEVICE A OfInput(Block& block, int64_t row) const {
    const A factor = static_cast<A>(1 / options.temperature);
    if (!options.normalize) return factor;
    return factor * static_cast<A>(InverseNormOfLanes(block, inputs + row * depth, depth));
  }

 private:
  template <int kSize, typename Block>
  CANDSAMP_DEVICE void LaneDots(const Block& block, const T* input, const W* const* rows,
                                A* dots) const {
    for (int64_t d = block.lane() * kSize; d < depth; d += block.lanes() * kSize) {
      const auto x = Pack<T, kSize>::Load(input + d);
      Pack<W, kSize> w[kTogether];
      CANDSAMP_UNROLL
      for (int j = 0; j < kTogether; ++j) {
        w[j] = rows[j] == nullptr ? Pack<W, kSize>{} : Pack<W, kSize>::Load(rows[j] + d);
      }
      CANDSAMP_UNROLL
      for (int v = 0; v < kSize; ++v) {
        const A of_input = static_cast<A>(Widen(x.values[v]));
        CANDSAMP_UNROLL
        for (int j = 0; j < kTogether; ++j) {
          dots[j] = MulAdd(of_input, static_cast<A>(Widen(w[j].values[v])), dots[j]);
        }
      }
    }
  }
};

template <typename T, typename W>
bool RaggedInPacks(const T* inputs, const DeviceRowTable<W>& weights) {
  return RowsInPacks(weights) && InPacks<kPackOf<W>>(inputs, weights.depth);
}

// Scores alone: logits[k] of each candidate, and with a softcap their slopes.
template <typename T, typename W>
struct DeviceRaggedLogits {
  using A = Accumulator<W>;

  DeviceRaggedBatch batch;  // without labels
  LogitOptions options;
  int64_t depth;
  const T* inputs;
  DeviceRowTable<W> weights, biases;
  T* logits;  // [num_candidates]
  A* slopes;  // with a softcap [num_candidates], else nullptr
};

template <typename T, typename W>
struct RaggedScoresKernel {
  using A = Accumulator<W>;

  DeviceRaggedLogits<T, W> r;
  RaggedLogitsOfRow<T, W> logits;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const DeviceRaggedBatch& batch = r.batch;
    for (int64_t k = GridLaneGroup(block); k < batch.num_candidates; k += GridLaneGroups(block)) {
      constexpr int kTogether = RaggedLogitsOfRow<T, W>::kTogether;
      const int64_t row = RowAt(batch.candidate_splits, batch.rows, k);
      int64_t ids[kTogether];
      A dots[kTogether];
      CANDSAMP_UNROLL
      for (int j = 0; j < kTogether; ++j) ids[j] = j == 0 ? batch.candidates[k] : -1;
      logits.Dots(block, row, ids, dots);
      A dot = dots[0] * logits.OfInput(block, row);
      if (r.options.normalize) dot *= InverseNormOfLanes(block, r.weights.Row(ids[0]), r.depth);
      const auto logit = logits.Of(dot, BiasOf(r.biases, ids[0]), A(0));
      if (block.lane() != 0) continue;
      Narrow(logit.z, &r.logits[k]);
      if (r.slopes != nullptr) r.slopes[k] = logit.slope;
    }
  }
};

template <typename T, typename W, typename Launcher>
int RaggedLogitsOn(Launcher launcher, const DeviceRaggedLogits<T, W>& r) {
  const RaggedLogitsOfRow<T, W> logits = {r.options, r.depth,  r.inputs,
                                          r.weights, r.biases, RaggedInPacks(r.inputs, r.weights)};
  launcher.ForEachLaneGroup(r.batch.num_candidates, RaggedScoresKernel<T, W>{r, logits});
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_LOGITS_H_
