// SPDX-License-Identifier: Apache-2.0
// A random table and inputs, and the logits of all classes in double precision.
#ifndef TF_CANDSAMP_TESTS_CC_EXACT_EXACT_CASE_H_
#define TF_CANDSAMP_TESTS_CC_EXACT_EXACT_CASE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "cc/lib/exact/logit_panels.h"
#include "cc/lib/matrix/matrix_loops.h"
#include "tests/cc/rows/test_table.h"

namespace candsamp {

struct ExactShape {
  int64_t rows, classes, depth;
  int64_t num_true = 2;
};

template <typename W>
struct ExactCase {
  using A = Accumulator<W>;

  // The table lies in two shards, and has three rows more than there are classes.
  ExactCase(const ExactShape& of, const LogitOptions& logit_options, uint32_t seed,
            bool whole = false)
      : shape(of),
        options(logit_options),
        random(seed),
        weights(Shards(of, whole), of.depth, 1.0, random),
        biases(Shards(of, whole), 1, 1.0, random),
        inputs(of.rows * of.depth) {
    std::normal_distribution<double> normal(0, 1);
    for (A& x : inputs) x = static_cast<A>(normal(random));
    std::uniform_int_distribution<int64_t> id(0, of.classes - 1);
    labels.resize(of.rows * of.num_true);
    for (int64_t& label : labels) label = id(random);
    weights_view = weights.View();
    biases_view = biases.View();
  }

  static std::vector<int64_t> Shards(const ExactShape& of, bool whole) {
    if (whole) return {of.classes + 3};
    return {of.classes / 3, of.classes + 3 - of.classes / 3};
  }

  Scoring<W> Scored(const MatrixLoops<A>& matrices = ChosenMatrixLoops<A>()) const {
    return {weights_view, biases_view, shape.classes, inputs.data(), shape.rows, options, matrices};
  }

  std::vector<double> WideRow(int64_t id) const {
    std::vector<double> row(shape.depth);
    for (int64_t d = 0; d < shape.depth; ++d) row[d] = Widen(weights.Row(id)[d]);
    return row;
  }

  static double Norm(const std::vector<double>& row) {
    double sum = 0;
    for (const double x : row) sum += x * x;
    return std::sqrt(sum);
  }

  // Before the softcap.
  double Logit(int64_t i, int64_t id) const {
    const std::vector<double> row = WideRow(id);
    const std::vector<double> x(inputs.begin() + i * shape.depth,
                                inputs.begin() + (i + 1) * shape.depth);
    double sum = 0;
    for (int64_t d = 0; d < shape.depth; ++d) sum += row[d] * x[d];
    if (options.normalize && sum != 0) sum /= Norm(row) * Norm(x);
    return sum / options.temperature + Widen(*biases.Row(id));
  }

  ExactShape shape;
  LogitOptions options;
  std::mt19937 random;
  TestTable<W> weights, biases;
  RowTable<W> weights_view{0}, biases_view{1};
  std::vector<A> inputs;
  std::vector<int64_t> labels;  // [rows, num_true]
};

inline std::vector<LogitOptions> VariousOptions() { return {{1, 0, false}, {0.5, 2, true}}; }

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_EXACT_EXACT_CASE_H_
