// SPDX-License-Identifier: Apache-2.0
// Rows divided by their Euclidean norms, and inputs scaled as options of logits say.
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_UNIT_ROWS_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_UNIT_ROWS_H_

#include <cmath>
#include <cstdint>
#include <limits>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/logits/logit_option_loops.h"
#include "cc/lib/logits/logit_options.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/widened_rows.h"

namespace candsamp {

// One divided by the Euclidean norm of a row; 0 for a row of zeros, which so stays one, and whose
// gradient is 0. Norms may be near the limits of the type.
template <typename W>
Accumulator<W> InverseNorm(const W* row, int64_t depth) {
  using A = Accumulator<W>;
  constexpr A kLeast = std::numeric_limits<A>::min();
  const A sum = ChosenUnitLoops<W>().squares(row, depth);
  // The squares neither overflow nor vanish in most rows.
  if (sum > kLeast / std::numeric_limits<A>::epsilon() && sum < std::numeric_limits<A>::max()) {
    return A(1) / std::sqrt(sum);
  }
  A largest = 0;
  for (int64_t d = 0; d < depth; ++d) {
    const A value = std::abs(Widen(row[d]));
    if (!(value <= largest)) largest = value;
  }
  // Some threads make 0 of subnormal numbers.
  if (largest < kLeast) return A(0);
  double scaled = 0;
  for (int64_t d = 0; d < depth; ++d) {
    const double x = static_cast<double>(Widen(row[d])) / static_cast<double>(largest);
    scaled += x * x;
  }
  return static_cast<A>(1 / (std::sqrt(scaled) * static_cast<double>(largest)));
}

// Writes the gradient of a row from that of factor * row / |row|. `out` may be either of them.
template <typename W>
void WriteGradientOfRow(const W* row, const Accumulator<W>* gradient, Accumulator<W> factor,
                        int64_t depth, W* out) {
  using A = Accumulator<W>;
  const A inverse_norm = InverseNorm(row, depth);
  A along;
  ChosenRowLoops<W>().dot(&row, 1, 1, gradient, depth, &along);
  // Factor by factor: the square of an inverse norm may overflow.
  ChosenUnitLoops<W>().project(gradient, row, along * inverse_norm * inverse_norm,
                               factor * inverse_norm, depth, out);
}

// The inputs of logits: divided by the temperature and, where that is asked for, by their norms.
template <typename A>
class ScaledInputs {
 public:
  ScaledInputs(Runtime& runtime, const LogitOptions& options, const A* inputs, int64_t rows,
               int64_t depth)
      : options_(options),
        inputs_(inputs),
        values_(inputs),
        depth_(depth),
        factor_(static_cast<A>(1 / options.temperature)) {
    if (are_inputs()) return;
    A* values = runtime.Allocate<A>(rows * depth);
    values_ = values;
    runtime.ParallelFor(rows, depth, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const A* row = inputs_ + i * depth_;
        const A unit = options_.normalize ? InverseNorm(row, depth_) : A(1);
        ChosenUnitLoops<A>().scale(row, unit * factor_, depth_, values + i * depth_);
      }
    });
  }

  // Whether they are the inputs themselves.
  bool are_inputs() const { return !options_.normalize && options_.temperature == 1; }

  const A* values() const { return values_; }  // [rows, depth]

  // Turns the gradient of a row of them into that of the row of inputs.
  void GradientOfInput(int64_t row, A* gradient) const {
    if (are_inputs()) return;
    const A* input = inputs_ + row * depth_;
    if (options_.normalize) {
      WriteGradientOfRow(input, gradient, factor_, depth_, gradient);
    } else {
      ChosenUnitLoops<A>().scale(gradient, factor_, depth_, gradient);
    }
  }

 private:
  const LogitOptions options_;
  const A* inputs_;
  const A* values_;
  const int64_t depth_;
  const A factor_;
};

// Class rows as logits take them, in the type of the arithmetic: see WidenedRows.
template <typename W>
class ScoredRows {
 public:
  using A = Accumulator<W>;

  ScoredRows(Runtime& runtime, const LogitOptions& options, int64_t rows, int64_t depth)
      : depth_(depth),
        widened_(runtime, options.normalize ? 0 : rows, depth),
        unit_(options.normalize ? runtime.Allocate<A>(rows * depth) : nullptr) {}

  const A* Get(const W* rows, int64_t count, int64_t slot) const {
    if (unit_ == nullptr) return widened_.Widen(rows, count, slot);
    A* out = unit_ + slot * depth_;
    for (int64_t k = 0; k < count; ++k) {
      const W* row = rows + k * depth_;
      ChosenUnitLoops<W>().scale(row, InverseNorm(row, depth_), depth_, out + k * depth_);
    }
    return out;
  }

 private:
  int64_t depth_;
  WidenedRows<W> widened_;
  A* unit_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOGITS_UNIT_ROWS_H_
