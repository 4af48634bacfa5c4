// SPDX-License-Identifier: Apache-2.0
// The hot loops over class rows and over logits: a struct of functions for each instruction set.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_H_
#define TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_H_

#include <stdint.h>

#include "cc/lib/core/half.h"
#include "cc/lib/core/host_device.h"

namespace candsamp {

// dot fetches a row into the caches while it works on the row this many places before.
constexpr int64_t kRowsAhead = 16;

// Rows lie anywhere in the class table, so the loops take an array of pointers to them. W is the
// type of the stored values, A = Accumulator<W> the type of the arithmetic.
template <typename W>
struct RowLoops {
  using A = Accumulator<W>;

  // out[k] = <rows[k], x> for k < count. Meanwhile fetches the next rows, kRowsAhead further on, as
  // far as they are below `available`. REQUIRES: rows [0, available) are valid, count <= available.
  void (*dot)(const W* const* rows, int64_t count, int64_t available, const A* x, int64_t depth,
              A* out);

  // sum[d] += sum over k < count of coefficients[k] * rows[k][d].
  void (*add_weighted)(const W* const* rows, const A* coefficients, int64_t count, int64_t depth,
                       A* sum);

  // out[d] = sum over k < count of coefficients[k] * rows[k][d]. The rows have the type of the
  // arithmetic.
  void (*weighted_sum)(const A* const* rows, const A* coefficients, int64_t count, int64_t depth,
                       W* out);

  // The same with non-temporal stores, which bypass the caches, if `out` is aligned to vectors.
  // Other threads may read `out` after a NonTemporalFence.
  void (*non_temporal_weighted_sum)(const A* const* rows, const A* coefficients, int64_t count,
                                    int64_t depth, W* out);

  void (*widen)(const W* in, int64_t count, A* out);
  // out[k] = factor * in[k]. `out` may be `in`.
  void (*scale_and_narrow)(const A* in, A factor, int64_t count, W* out);
};

// Elementwise functions of logits. An output may be the input.
template <typename A>
struct LogitLoops {
  // out[k] = exp(z[k] - max). Returns their sum. REQUIRES: z[k] <= max, max > minus infinity.
  A (*exp_minus)(const A* z, int64_t count, A max, A* out);
  // out[k] = factor * exp(z[k] - max).
  void (*scaled_exp_minus)(const A* z, int64_t count, A max, A factor, A* out);
  // out[k] = sigmoid(z[k]). Returns the sum of softplus(z[k]).
  A (*sigmoid_softplus)(const A* z, int64_t count, A* out);
  // The largest z[k] that is no NaN, or minus infinity if there is none.
  A (*largest)(const A* z, int64_t count);
  // out[k] = factor * in[k] and sums[k] += out[k].
  void (*scale_and_add)(const A* in, A factor, int64_t count, A* out, A* sums);
};

// Fetches a row into the caches, as dot does. Of a long row it fetches the beginning, and the
// hardware prefetcher goes on from there.
template <typename W>
inline void FetchRow(const W* row, int64_t depth) {
  constexpr int64_t kMostBytes = 1024;
  const char* bytes = reinterpret_cast<const char*>(row);
  const int64_t size = depth * static_cast<int64_t>(sizeof(W));
  for (int64_t at = 0; at < size && at < kMostBytes; at += 64) __builtin_prefetch(bytes + at, 0, 2);
}

// Makes the non-temporal stores of this thread visible to others.
CANDSAMP_FORMULA void NonTemporalFence() { __builtin_ia32_sfence(); }

// W is float, double, Bfloat16 or Half. A is float or double.
template <typename W>
const RowLoops<W>& ChosenRowLoops();
template <typename A>
const LogitLoops<A>& ChosenLogitLoops();

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_H_
