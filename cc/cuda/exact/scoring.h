// SPDX-License-Identifier: Apache-2.0
// Logits of all classes on a device: the twin of cc/lib/exact/logit_panels.h.
#ifndef TF_CANDSAMP_CC_CUDA_EXACT_SCORING_H_
#define TF_CANDSAMP_CC_CUDA_EXACT_SCORING_H_

#include "cc/cuda/losses/sampled_panels.h"
#include "cc/cuda/rows/gather_rows.h"
#include "cc/cuda/rows/row_table.h"

namespace candsamp {

template <typename T, typename W>
struct DeviceScoring {
  int64_t rows, num_classes;
  const T* inputs;                    // [rows, depth]
  DeviceRowTable<W> weights, biases;  // with a row for each class
  LogitOptions options;

  int64_t depth() const { return weights.depth; }
};

struct NumberRowsKernel {
  int64_t first, count;
  int64_t* ids;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < count; k += GridSize(block)) ids[k] = first + k;
  }
};

// The rows of consecutive classes as products take them.
template <typename T, typename W>
class ClassFactors {
 public:
  template <typename Launcher>
  ClassFactors(Launcher& launcher, DeviceRuntime& runtime, const DeviceScoring<T, W>& scoring,
               int64_t most)
      : scoring_(scoring),
        factors_(launcher, runtime, scoring.options, scoring.inputs, scoring.rows, scoring.depth(),
                 most) {
    if (in_place()) return;
    ids_ = runtime.Allocate<int64_t>(most);
    rows_ = runtime.Allocate<W>(most * scoring.depth());
  }

  const ProductFactors<T, W>& factors() const { return factors_; }

  // The rows of classes themselves, valid until the next call.
  template <typename Launcher>
  const W* ClassRows(Launcher& launcher, int64_t first, int64_t count) const {
    if (in_place()) return scoring_.weights.whole + first * scoring_.depth();
    launcher.ForEach(count, NumberRowsKernel{first, count, ids_});
    GatherRows(launcher, scoring_.weights, ids_, count, rows_);
    return rows_;
  }

 private:
  bool in_place() const { return scoring_.weights.num_shards == 1; }

  const DeviceScoring<T, W>& scoring_;
  ProductFactors<T, W> factors_;
  int64_t* ids_ = nullptr;
  W* rows_ = nullptr;
};

// Of each class what is added to its dot products: the bias or, with a softcap, 0; minus infinity
// masks it. With a softcap the biases go under it.
template <typename W>
struct ClassOffsetsKernel {
  using A = Accumulator<W>;

  DeviceRowTable<W> biases;
  int64_t num_classes;
  A* offsets;
  A* under_softcap;  // or nullptr

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t c = GridRank(block); c < num_classes; c += GridSize(block)) {
      const A bias = BiasOf(biases, c);
      if (under_softcap == nullptr) {
        offsets[c] = bias;
      } else {
        offsets[c] = IsMask(bias) ? bias : A(0);
        under_softcap[c] = BiasUnderSoftcap(bias);
      }
    }
  }
};

// Classes as the columns of a dense loss, each once.
template <typename T, typename W, typename Launcher>
SampledColumns<Accumulator<W>> ColumnsOfClasses(Launcher& launcher, DeviceRuntime& runtime,
                                                const DeviceScoring<T, W>& scoring) {
  using A = Accumulator<W>;
  const bool capped = scoring.options.softcap != 0;
  A* const offsets = runtime.Allocate<A>(scoring.num_classes);
  A* const biases = capped ? runtime.Allocate<A>(scoring.num_classes) : nullptr;
  if (runtime.error() == 0) {
    launcher.ForEach(scoring.num_classes,
                     ClassOffsetsKernel<W>{scoring.biases, scoring.num_classes, offsets, biases});
  }
  return {scoring.num_classes, offsets, biases, nullptr, false, {}, offsets};
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_EXACT_SCORING_H_
