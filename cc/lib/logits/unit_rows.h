// SPDX-License-Identifier: Apache-2.0
// Rows divided by their Euclidean norms, and inputs scaled as options of logits say.
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_UNIT_ROWS_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_UNIT_ROWS_H_

#include <cmath>
#include <cstdint>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/logits/logit_option_loops.h"
#include "cc/lib/logits/logit_options.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/widened_rows.h"

namespace candsamp {

// A smaller norm counts as this one, which is a constant for the gradient. It is that of
// tf.math.l2_normalize: the root of its epsilon.
constexpr double kSmallestNorm = 1e-6;

// What divides a row by its norm.
template <typename A>
struct UnitFactor {
  A inverse_norm;
  bool constant;
};

template <typename W>
UnitFactor<Accumulator<W>> UnitFactorOf(const W* row, int64_t depth) {
  using A = Accumulator<W>;
  const A norm = std::sqrt(ChosenUnitLoops<W>().squares(row, depth));
  const bool constant = norm < A(kSmallestNorm);
  return {A(1) / (constant ? A(kSmallestNorm) : norm), constant};
}

// Writes the gradient of a row from that of factor * row / |row|. `out` may be either of them.
template <typename W>
void WriteGradientOfRow(const W* row, const Accumulator<W>* gradient, Accumulator<W> factor,
                        int64_t depth, W* out) {
  using A = Accumulator<W>;
  const UnitFactor<A> unit = UnitFactorOf(row, depth);
  A along = 0;  // the gradient along the row, by which the norm takes no part
  if (!unit.constant) {
    ChosenRowLoops<W>().dot(&row, 1, 1, gradient, depth, &along);
    along *= unit.inverse_norm * unit.inverse_norm;
  }
  ChosenUnitLoops<W>().project(gradient, row, along, factor * unit.inverse_norm, depth, out);
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
        const A unit = options_.normalize ? UnitFactorOf(row, depth_).inverse_norm : A(1);
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
      ChosenUnitLoops<W>().scale(row, UnitFactorOf(row, depth_).inverse_norm, depth_,
                                 out + k * depth_);
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
