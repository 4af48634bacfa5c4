// SPDX-License-Identifier: Apache-2.0
// Checks of the ops that score all classes on a device.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_EXACT_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_EXACT_CHECKS_H_

#include <string>
#include <vector>

#include "cc/cuda/exact/launchers.h"
#include "cc/lib/exact/excluded_classes.h"
#include "cc/lib/exact/full_softmax.h"
#include "cc/lib/exact/label_ranks.h"
#include "cc/lib/exact/top_classes.h"
#include "tests/cuda/checks/sampled_checks.h"

namespace candsamp {

// A case in numbers of which products are exact in every type, so that ranks are too.
struct ExactCase {
  LogitOptions options;
  int64_t rows, depth, num_classes, num_true, k;
  bool has_biases, has_excluded;
  std::vector<int64_t> labels, excluded, excluded_splits;
  std::vector<double> inputs, weights, biases, grad;
  int64_t panel_bytes;
};

struct ExactResults {
  std::vector<double> loss, inputs_grad, weights_grad, biases_grad, values;
  std::vector<int64_t> ranks, indices;
};

// `normalize` is for the softmax alone.
template <typename T, typename W>
ExactResults ExactOnCpu(const ExactCase& c) {
  using A = Accumulator<W>;
  SerialRuntime runtime;
  const std::vector<W> weights = NarrowAll<W>(c.weights), biases = NarrowAll<W>(c.biases);
  const std::vector<A> inputs = NarrowAll<A>(c.inputs), grad = NarrowAll<A>(c.grad);
  RowTable<W> table(c.depth), of_biases(1);
  table.AddShard(weights.data(), c.num_classes);
  if (c.has_biases) of_biases.AddShard(biases.data(), c.num_classes);
  Scoring<W> scoring = {table,  of_biases, c.num_classes,        inputs.data(),
                        c.rows, c.options, MatrixLoopsOf<T, A>()};
  const FullSoftmaxLabels labels = {c.labels.data(), c.num_true};
  std::vector<A> loss(c.rows), max(c.rows), sum(c.rows), inputs_grad(inputs.size());
  FullSoftmaxForward<W>(runtime, scoring, labels, {loss.data(), max.data(), sum.data()});
  std::vector<W> weights_grad(weights.size()), biases_grad(c.has_biases ? biases.size() : 0);
  FullSoftmaxGradients<W> gradients = {inputs_grad.data(),
                                       GradientTable<W>(Partition::kConsecutive),
                                       GradientTable<W>(Partition::kConsecutive)};
  gradients.weights.AddShard(weights_grad.data(), c.num_classes);
  if (c.has_biases) gradients.biases.AddShard(biases_grad.data(), c.num_classes);
  FullSoftmaxBackward<W>(runtime, scoring, labels, {grad.data(), max.data(), sum.data()},
                         gradients);
  ExactResults results = {InDouble(loss),
                          InDouble(inputs_grad),
                          InDouble(weights_grad),
                          InDouble(biases_grad),
                          {},
                          {},
                          {}};
  LogitOptions plain = c.options;
  plain.normalize = false;
  Scoring<W> ranked = {table,  of_biases, c.num_classes,        inputs.data(),
                       c.rows, plain,     MatrixLoopsOf<T, A>()};
  ExcludedClasses excluded;
  if (c.has_excluded) {
    excluded = ExcludedClasses(runtime, {c.excluded.data(), c.excluded_splits.data()}, c.rows);
  }
  results.ranks.resize(c.labels.size());
  LabelRanks<W>(runtime, ranked, excluded, c.labels.data(), c.num_true, results.ranks.data());
  std::vector<A> values(c.rows * c.k);
  results.indices.resize(values.size());
  TopClasses<W>(runtime, ranked, excluded, c.k, values.data(), results.indices.data());
  results.values = InDouble(values);
  return results;
}

template <typename T, typename W, typename Backend>
std::string CheckExactOf(Backend& backend, const ExactCase& c) {
  using A = Accumulator<W>;
  const ExactResults reference = ExactOnCpu<double, double>(c), of_cpu = ExactOnCpu<T, W>(c);
  const auto filled = [&](int64_t count, auto value) {
    return backend.Upload(std::vector<decltype(value)>(count, value));
  };
  DeviceFullSoftmax<T, W> f = {};
  f.scoring = {c.rows,
               c.num_classes,
               backend.Upload(NarrowAll<T>(c.inputs)),
               OneShard<W>(backend.Upload(NarrowAll<W>(c.weights)), c.num_classes, c.depth),
               OneShard<W>(c.has_biases ? backend.Upload(NarrowAll<W>(c.biases)) : nullptr,
                           c.num_classes, 1),
               c.options};
  f.labels = backend.Upload(c.labels);
  f.num_true = c.num_true;
  f.loss = filled(c.rows, A(-7));
  f.max = filled(c.rows, A(-7));
  f.sum = filled(c.rows, A(-7));
  f.panels = {c.panel_bytes, c.panel_bytes};
  backend.FullSoftmax(f);
  DeviceFullSoftmaxBackward<T, W> b = {};
  b.scoring = f.scoring;
  b.labels = f.labels;
  b.num_true = c.num_true;
  b.grad = backend.Upload(NarrowAll<A>(c.grad));
  b.max = f.max;
  b.sum = f.sum;
  b.inputs_grad = filled(c.rows * c.depth, T{});
  b.weights_grad = filled(c.num_classes * c.depth, W{});
  b.biases_grad = c.has_biases ? filled(c.num_classes, W{}) : nullptr;
  b.panels = f.panels;
  backend.FullSoftmaxBackward(b);

  std::string problem;
  constexpr double kEps = std::max(kRounding<T>, kRounding<W>);
  const auto compare = [&](const char* what, const std::vector<double>& want,
                           const std::vector<double>& cpu, const auto* got) {
    problem += Closeness(what, want, cpu,
                         InDouble(backend.Download(got, static_cast<int64_t>(want.size()))), kEps);
  };
  compare("loss", reference.loss, of_cpu.loss, f.loss);
  compare("inputs_grad", reference.inputs_grad, of_cpu.inputs_grad, b.inputs_grad);
  compare("weights_grad", reference.weights_grad, of_cpu.weights_grad, b.weights_grad);
  compare("biases_grad", reference.biases_grad, of_cpu.biases_grad, b.biases_grad);

  DeviceRanking<T, W> r = {};
  r.scoring = f.scoring;
  r.scoring.options.normalize = false;
  if (c.has_excluded) {
    r.excluded = {backend.Upload(c.excluded), backend.Upload(c.excluded_splits),
                  c.excluded_splits.data()};
  }
  r.labels = f.labels;
  r.num_true = c.num_true;
  r.ranks = filled(c.rows * c.num_true, int64_t{-7});
  r.logit_bytes = c.panel_bytes;
  backend.LabelRanks(r);
  problem += Difference("ranks", of_cpu.ranks, backend.Download(r.ranks, c.rows * c.num_true));
  DeviceTopClasses<T, W> t = {};
  t.scoring = r.scoring;
  t.excluded = r.excluded;
  t.k = c.k;
  t.values = filled(c.rows * c.k, A(-7));
  t.indices = filled(c.rows * c.k, int64_t{-7});
  t.logit_bytes = c.panel_bytes;
  backend.TopClasses(t);
  problem += Difference("indices", of_cpu.indices, backend.Download(t.indices, c.rows * c.k));
  compare("values", reference.values, of_cpu.values, t.values);
  backend.Free();
  return problem;
}

template <typename Backend>
std::string CheckExact(Backend& backend, const ExactCase& c, int64_t types) {
  switch (types % 6) {
    case 0:
      return CheckExactOf<float, float>(backend, c);
    case 1:
      return CheckExactOf<Bfloat16, Bfloat16>(backend, c);
    case 2:
      return CheckExactOf<double, double>(backend, c);
    case 3:
      return CheckExactOf<Half, Half>(backend, c);
    case 4:
      return CheckExactOf<Bfloat16, float>(backend, c);
    default:
      return CheckExactOf<Half, float>(backend, c);
  }
}

inline ExactCase RandomExactCase(RandomCases& cases, int64_t most_rows, int64_t most_classes) {
  ExactCase c = {};
  c.options.temperature = cases.Coin() ? 1 : 0.5;
  c.options.softcap = cases.Below(3) ? 0 : 2;
  c.options.normalize = cases.Below(3) == 0;
  c.rows = cases.Size(most_rows);
  c.depth = cases.Coin() ? 8 * (1 + cases.Below(4)) : 1 + cases.Below(30);
  c.num_classes = cases.Size(most_classes);
  c.num_true = cases.Below(3) ? 1 : 1 + cases.Below(4);
  c.has_biases = cases.Coin();
  c.has_excluded = cases.Coin();
  c.panel_bytes = 1 + cases.Below(1 << 16);
  int64_t most_excluded = 0;
  c.excluded_splits = {0};
  for (int64_t row = 0; row < c.rows; ++row) {
    for (int64_t t = 0; t < c.num_true; ++t) c.labels.push_back(cases.Below(c.num_classes));
    const int64_t count = cases.Below(std::min<int64_t>(c.num_classes, 9));
    for (int64_t k = 0; k < count; ++k) {
      c.excluded.push_back(cases.Coin() ? c.labels.back() : cases.Below(c.num_classes));
    }
    most_excluded = std::max(most_excluded, count);
    c.excluded_splits.push_back(static_cast<int64_t>(c.excluded.size()));
  }
  c.k = cases.Below(c.num_classes + 1 - (c.has_excluded ? most_excluded : 0));
  const auto eighths = [&](int64_t size, int64_t most) {
    std::vector<double> values(size);
    for (double& value : values) value = static_cast<double>(cases.Below(2 * most + 1) - most) / 8;
    return values;
  };
  c.inputs = eighths(c.rows * c.depth, 8);
  c.weights = eighths(c.num_classes * c.depth, 8);
  c.biases = eighths(c.num_classes, 8);
  if (const int64_t kind = cases.Below(6); kind < 2) {  // masked classes, or broken ones
    for (double& bias : c.biases) bias = cases.Below(3) ? bias : kind == 0 ? -INFINITY : NAN;
  }
  c.grad = eighths(c.rows, 16);
  return c;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_EXACT_CHECKS_H_
