// SPDX-License-Identifier: Apache-2.0
// How the dense losses cut the matrix of logits into panels of columns, and the factors of a
// panel's products.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_PANELS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_PANELS_H_

#include <type_traits>

#include "cc/cuda/losses/sampled_segments.h"
#include "cc/cuda/matrix/products.h"
#include "cc/cuda/rows/unit_rows.h"

namespace candsamp {

// The bytes of a panel. Logits should be in the L2 cache when they are reduced. Gradients of logits
// take part in two products, which longer panels make faster.
struct PanelBytes {
  int64_t logits = int64_t{64} << 20;
  int64_t gradients = int64_t{128} << 20;
};

// The columns of a panel: as many whole segments as have `bytes`, at least one.
inline int64_t PanelColumns(int64_t rows, int64_t columns, int64_t bytes_of_value, int64_t bytes) {
  const int64_t segments = Most(1, bytes / (Most(1, rows) * kSegment * bytes_of_value));
  return Least(segments, Most(1, SegmentsOf(columns))) * kSegment;
}

// A row of a panel, or of slopes, takes so many values.
inline int64_t StrideOf(int64_t columns) { return (columns + 7) / 8 * 8; }

// Whether SegmentStats are asked for.
inline bool NeedsStats(const LossOptions& options) {
  return options.stats || options.corrected_log_q;
}

// The scratch of a panel of [rows, columns].
template <typename Z>
Panel<Z> AllocatePanel(DeviceRuntime& runtime, int64_t rows, int64_t columns) {
  const int64_t stride = StrideOf(columns);
  return {runtime.Allocate<Z>(rows * stride), stride, 0, columns};
}

// Inputs and class rows as products take them: in the type of Operand<T> and, with `normalize`,
// divided by their norms.
template <typename T, typename W>
class ProductFactors {
 public:
  using P = Operand<T>;

  template <typename Launcher>
  ProductFactors(Launcher& launcher, DeviceRuntime& runtime, const LogitOptions& options,
                 const T* inputs, int64_t rows, int64_t depth, int64_t panel_columns)
      : depth_(depth), normalize_(options.normalize) {
    if constexpr (std::is_same_v<T, P>) inputs_ = inputs;
    if (normalize_ || !std::is_same_v<T, P>) {
      P* const scaled = runtime.Allocate<P>(rows * depth);
      inputs_ = scaled;
      if (runtime.error() != 0) return;
      ScaleRows(launcher, inputs, rows, depth, normalize_, scaled);
    }
    if (!in_place()) panel_rows_ = runtime.Allocate<P>(panel_columns * depth);
  }

  Factor Inputs() const { return {inputs_, depth_, false}; }
  const P* inputs() const { return inputs_; }

  // The factor of some class rows. It is valid until the next call.
  template <typename Launcher>
  Factor Rows(Launcher& launcher, const W* rows, int64_t count) const {
    if (in_place()) return {rows, depth_, false};
    ScaleRows(launcher, rows, count, depth_, normalize_, panel_rows_);
    return {panel_rows_, depth_, false};
  }

 private:
  bool in_place() const { return std::is_same_v<P, W> && !normalize_; }

  int64_t depth_;
  bool normalize_;
  const P* inputs_ = nullptr;
  P* panel_rows_ = nullptr;
};

inline Factor Transposed(Factor factor) {
  factor.transposed = !factor.transposed;
  return factor;
}

// Calls use(logits) with the SegmentLogits of a kind, a batch's options, and columns.
template <LossKind kKind, typename A, typename Use>
void WithLogitsOfKind(const SampledBatch& batch, const SampledColumns<A>& columns, Use use) {
  const A cap = static_cast<A>(batch.options.logit.softcap);
  if (cap != A(0)) return use(SegmentLogits<A, kKind, true, false>{batch, columns, cap});
  if (columns.has_repeats || NeedsStats(batch.options)) {
    return use(SegmentLogits<A, kKind, false, false>{batch, columns, cap});
  }
  use(SegmentLogits<A, kKind, false, true>{batch, columns, cap});
}
template <typename A, typename Use>
void WithSegmentLogits(const SampledBatch& batch, const SampledColumns<A>& columns, Use use) {
  if (batch.kind == LossKind::kSoftmax) {
    WithLogitsOfKind<LossKind::kSoftmax>(batch, columns, use);
  } else {
    WithLogitsOfKind<LossKind::kNce>(batch, columns, use);
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_PANELS_H_
