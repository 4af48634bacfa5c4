// SPDX-License-Identifier: Apache-2.0
// Rows divided by their Euclidean norms, and their gradients: the twin of
// cc/lib/logits/unit_rows.h.
#ifndef TF_CANDSAMP_CC_CUDA_ROWS_UNIT_ROWS_H_
#define TF_CANDSAMP_CC_CUDA_ROWS_UNIT_ROWS_H_

#include <float.h>
#include <math.h>

#include "cc/cuda/core/team.h"
#include "cc/lib/core/half.h"

namespace candsamp {

// One divided by the norm of a row, to all lanes; 0 for a row of zeros, or for none. All lanes of a
// group call it.
template <typename W, typename Block>
CANDSAMP_DEVICE Accumulator<W> InverseNormOfLanes(Block& block, const W* row, int64_t depth) {
  using A = Accumulator<W>;
  constexpr A kLeast = sizeof(A) == 8 ? A(DBL_MIN) : A(FLT_MIN);
  constexpr A kMost = sizeof(A) == 8 ? A(DBL_MAX) : A(FLT_MAX);
  constexpr A kEpsilon = sizeof(A) == 8 ? A(DBL_EPSILON) : A(FLT_EPSILON);
  if (row == nullptr) return A(0);
  A squares = A(0);
  for (int64_t d = block.lane(); d < depth; d += block.lanes()) {
    const A x = Widen(row[d]);
    squares = MulAdd(x, x, squares);
  }
  squares = block.SumOfLanes(squares);
  // The squares neither overflow nor vanish in most rows.
  if (squares > kLeast / kEpsilon && squares < kMost) return A(1) / sqrt(squares);
  A largest = A(0);
  for (int64_t d = block.lane(); d < depth; d += block.lanes()) {
    const A value = fabs(Widen(row[d]));
    largest = value > largest ? value : largest;
  }
  largest = block.LargestOfLanes(largest);
  if (squares == squares && largest < kLeast) return A(0);
  double scaled = 0;
  for (int64_t d = block.lane(); d < depth; d += block.lanes()) {
    const double x = static_cast<double>(Widen(row[d])) / static_cast<double>(largest);
    scaled += x * x;
  }
  scaled = block.SumOfLanes(scaled);
  return static_cast<A>(1 / (sqrt(scaled) * static_cast<double>(largest)));
}

// Writes rows in another type, divided by their norms where `normalize` says so.
// REQUIRES, here and below: kSize divides the depth, and rows are aligned to so many values.
template <typename W, typename T, int kSize>
struct ScaleRowsKernel {
  const W* rows;
  int64_t count, depth;
  bool normalize;
  T* out;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    using A = Accumulator<W>;
    for (int64_t r = GridLaneGroup(block); r < count; r += GridLaneGroups(block)) {
      const W* const row = rows + r * depth;
      const A factor = normalize ? InverseNormOfLanes(block, row, depth) : A(1);
      for (int64_t d = block.lane() * kSize; d < depth; d += block.lanes() * kSize) {
        const auto in = Pack<W, kSize>::Load(row + d);
        Pack<T, kSize> scaled;
        CANDSAMP_UNROLL
        for (int v = 0; v < kSize; ++v) Narrow(Widen(in.values[v]) * factor, &scaled.values[v]);
        scaled.Store(out + r * depth + d);
      }
    }
  }
};

// Writes the gradients of rows, given those of `factor` times the rows or, where `normalize` says
// so, of `factor` times the rows divided by their norms.
template <typename W, typename A, typename Out, int kSize>
struct GradientsOfRowsKernel {
  const W* rows;
  const A* gradients;
  int64_t count, depth;
  bool normalize;
  A factor;
  Out* out;  // may be `rows` or `gradients`, where they have its type

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t r = GridLaneGroup(block); r < count; r += GridLaneGroups(block)) {
      const W* const row = rows + r * depth;
      const A* const gradient = gradients + r * depth;
      A inverse = A(1), along = A(0);
      if (normalize) {
        inverse = InverseNormOfLanes(block, row, depth);
        for (int64_t d = block.lane(); d < depth; d += block.lanes()) {
          along = MulAdd(static_cast<A>(Widen(row[d])), gradient[d], along);
        }
        // Factor by factor: the square of an inverse norm may overflow.
        along = block.SumOfLanes(along) * inverse * inverse;
      }
      for (int64_t d = block.lane() * kSize; d < depth; d += block.lanes() * kSize) {
        auto g = Pack<A, kSize>::Load(gradient + d);
        if (normalize) {
          const auto in = Pack<W, kSize>::Load(row + d);
          CANDSAMP_UNROLL
          for (int v = 0; v < kSize; ++v) {
            g.values[v] -= along * static_cast<A>(Widen(in.values[v]));
          }
        }
        Pack<Out, kSize> narrow;
        CANDSAMP_UNROLL
        for (int v = 0; v < kSize; ++v) Narrow(g.values[v] * (factor * inverse), &narrow.values[v]);
        narrow.Store(out + r * depth + d);
      }
    }
  }
};

template <typename W, typename T, typename Launcher>
void ScaleRows(Launcher& launcher, const W* rows, int64_t count, int64_t depth, bool normalize,
               T* out) {
  if (InPacks<4>(rows, depth) && InPacks<4>(out, depth)) {
    launcher.ForEachLaneGroup(count, ScaleRowsKernel<W, T, 4>{rows, count, depth, normalize, out});
  } else {
    launcher.ForEachLaneGroup(count, ScaleRowsKernel<W, T, 1>{rows, count, depth, normalize, out});
  }
}

template <typename W, typename A, typename Out, typename Launcher>
void GradientsOfRows(Launcher& launcher, const W* rows, const A* gradients, int64_t count,
                     int64_t depth, bool normalize, A factor, Out* out) {
  const bool packs =
      InPacks<4>(rows, depth) && InPacks<4>(gradients, depth) && InPacks<4>(out, depth);
  if (packs) {
    launcher.ForEachLaneGroup(count, GradientsOfRowsKernel<W, A, Out, 4>{
                                         rows, gradients, count, depth, normalize, factor, out});
  } else {
    launcher.ForEachLaneGroup(count, GradientsOfRowsKernel<W, A, Out, 1>{
                                         rows, gradients, count, depth, normalize, factor, out});
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_UNIT_ROWS_H_
