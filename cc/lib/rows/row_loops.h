// The hot loops over rows of D values, one table of functions per instruction set.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_H_
#define TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_H_

#include <stdint.h>

#include "cc/lib/core/half.h"
#include "cc/lib/core/host_device.h"

namespace candsamp {

// How many rows ahead of its use a row is fetched.
constexpr int64_t kRowsAhead = 16;

// Rows are handed over as an array of pointers: they lie anywhere in the class table. W is the
// type of the stored values, A = Accumulator<W> the type of the arithmetic.
template <typename W>
struct RowLoops {
  using A = Accumulator<W>;

  // out[k] = <rows[k], x> for k < count. rows[0 .. available) are valid, count <= available:
  // meanwhile rows[kRowsAhead .. kRowsAhead + count) are fetched, as far as they are valid.
  void (*dot)(const W* const* rows, int64_t count, int64_t available, const A* x, int64_t depth,
              A* out);

  // sum[d] += sum over k < count of coefficients[k] * rows[k][d].
  void (*add_weighted)(const W* const* rows, const A* coefficients, int64_t count, int64_t depth,
                       A* sum);

  // out[d] = sum over k < count of coefficients[k] * rows[k][d], the rows in the arithmetic's type.
  void (*weighted_sum)(const A* const* rows, const A* coefficients, int64_t count, int64_t depth,
                       W* out);

  // The same, written past the caches where `out` is aligned to vectors. Other threads may read
  // `out` after a StreamFence.
  void (*stream_weighted_sum)(const A* const* rows, const A* coefficients, int64_t count,
                              int64_t depth, W* out);

  void (*widen)(const W* in, int64_t count, A* out);
  // out[k] = factor * in[k]; out may be in.
  void (*scale_and_narrow)(const A* in, A factor, int64_t count, W* out);
};

// Elementwise functions of logits. Outputs may be inputs.
template <typename A>
struct LogitLoops {
  // out[k] = exp(z[k] - max); returns their sum. No z[k] is above max; max is not minus infinity.
  A (*exp_minus)(const A* z, int64_t count, A max, A* out);
  // out[k] = factor * exp(z[k] - max).
  void (*scaled_exp_minus)(const A* z, int64_t count, A max, A factor, A* out);
  // out[k] = sigmoid(z[k]); returns the sum of softplus(z[k]).
  A (*sigmoid_softplus)(const A* z, int64_t count, A* out);
  // The largest z[k], NaN left out, or minus infinity.
  A (*largest)(const A* z, int64_t count);
  // out[k] = factor * in[k]; sums[k] += out[k].
  void (*scale_and_add)(const A* in, A factor, int64_t count, A* out, A* sums);
};

// Fetches a row for later use, as dot does. The hardware goes on where a long row is left.
template <typename W>
inline void FetchRow(const W* row, int64_t depth) {
  constexpr int64_t kMostBytes = 1024;
  const char* bytes = reinterpret_cast<const char*>(row);
  const int64_t size = depth * static_cast<int64_t>(sizeof(W));
  for (int64_t at = 0; at < size && at < kMostBytes; at += 64) __builtin_prefetch(bytes + at, 0, 2);
}

CANDSAMP_FORMULA void StreamFence() { __builtin_ia32_sfence(); }

// W: float, double, Bfloat16 or Half. A: float or double.
template <typename W>
const RowLoops<W>& ChosenRowLoops();
template <typename A>
const LogitLoops<A>& ChosenLogitLoops();

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_H_
