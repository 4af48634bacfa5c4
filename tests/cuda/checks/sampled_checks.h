// SPDX-License-Identifier: Apache-2.0
// Checks of the dense losses on a device.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_SAMPLED_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_SAMPLED_CHECKS_H_

#include <string>
#include <type_traits>
#include <vector>

#include "cc/cuda/losses/sampled_launchers.h"
#include "cc/lib/classes/distinct_classes.h"
#include "cc/lib/losses/sampled_backward.h"
#include "cc/lib/losses/sampled_forward.h"
#include "cc/lib/matrix/matrix_loops.h"
#include "tests/cuda/checks/batch_checks.h"
#include "tests/cuda/checks/closeness.h"
#include "tests/cuda/checks/random_cases.h"

namespace candsamp {

// A case in numbers that the narrowest type has exactly.
struct SampledCase {
  SampledBatch batch;  // without arrays and counts of classes
  bool recompute, slopes_are_scratch, has_biases;
  int64_t depth, num_classes;
  std::vector<int64_t> labels, candidates, label_hits, sample_hits;
  std::vector<double> inputs, weights, biases, label_log_q, sample_log_q, grad;
  PanelBytes panels;
};

struct SampledResults {
  std::vector<double> loss, log_sum_exp, label_logit_grad, inputs_grad, rows_grad, biases_grad;
};

// The offsets of candidates and, under a softcap, their biases.
template <typename W>
struct SampleOffsets {
  using A = Accumulator<W>;
  std::vector<A> offsets, biases;

  explicit SampleOffsets(const SampledCase& c) : offsets(c.candidates.size()) {
    const bool capped = c.batch.options.logit.softcap != 0;
    biases.resize(capped ? offsets.size() : 0);
    for (size_t k = 0; k < offsets.size(); ++k) {
      W narrow = {};
      Narrow(static_cast<A>(c.has_biases ? c.biases[c.candidates[k]] : 0), &narrow);
      const A bias = Widen(narrow), log_q = static_cast<A>(c.sample_log_q[k]);
      offsets[k] = capped ? OffsetOverSoftcap(bias, log_q) : OffsetOf(bias, log_q);
      if (capped) biases[k] = BiasUnderSoftcap(bias);
    }
  }
};

struct NumberedClasses {
  std::vector<int64_t> ids, of_labels, of_candidates;
  int64_t columns;

  explicit NumberedClasses(const SampledCase& c) {
    SerialRuntime runtime;
    DistinctClasses distinct(runtime, static_cast<int64_t>(c.candidates.size() + c.labels.size()));
    for (const int64_t id : c.candidates) of_candidates.push_back(distinct.Insert(id));
    columns = distinct.size();
    for (const int64_t id : c.labels) of_labels.push_back(distinct.Insert(id));
    ids.assign(distinct.ids(), distinct.ids() + distinct.size());
  }

  SampledBatch Describe(const SampledCase& c) const {
    SampledBatch batch = c.batch;
    batch.columns = columns;
    batch.classes = static_cast<int64_t>(ids.size());
    batch.num_sampled = static_cast<int64_t>(c.candidates.size());
    return batch;
  }
};

template <typename T, typename A>
const MatrixLoops<A>& MatrixLoopsOf() {
  if constexpr (std::is_same_v<T, Bfloat16>) {
    return ChosenBfloat16MatrixLoops();
  } else {
    return ChosenMatrixLoops<A>();
  }
}

// The CPU's results. With T = W = double they are the reference: what is rounded to the types of
// the case before comes in `c`.
template <typename T, typename W>
SampledResults SampledOnCpu(const SampledCase& c, const NumberedClasses& numbers) {
  using A = Accumulator<W>;
  SerialRuntime runtime;
  SampledBatch batch = numbers.Describe(c);
  batch.label_classes = numbers.of_labels.data();
  batch.sample_columns = numbers.of_candidates.data();
  if (!c.label_hits.empty() || !c.sample_hits.empty()) {
    batch.label_hits = c.label_hits.data();
    batch.sample_hits = c.sample_hits.data();
  }
  const SampleOffsets<W> offsets(c);
  const std::vector<W> weights = NarrowAll<W>(c.weights), biases = NarrowAll<W>(c.biases);
  const std::vector<A> inputs = NarrowAll<A>(c.inputs), log_q = NarrowAll<A>(c.label_log_q);
  const std::vector<A> grad = NarrowAll<A>(c.grad);
  RowTable<W> table(c.depth), of_biases(1);
  table.AddShard(weights.data(), c.num_classes);
  if (c.has_biases) of_biases.AddShard(biases.data(), c.num_classes);
  const SampledLogits<A> logits(runtime, batch, offsets.offsets.data(), offsets.biases.data());
  const int64_t rows = batch.rows;
  std::vector<A> loss(rows), label_grad(batch.num_labels()), log_sum_exp(rows);
  std::vector<A> scales(logits.columns().count() * rows), slopes(rows * batch.columns);
  std::vector<W> class_rows(batch.classes * c.depth), row_grads(class_rows.size());
  std::vector<char> is_top(rows);
  SampledLossForward<W>(
      runtime, logits, MatrixLoopsOf<T, A>(), numbers.ids.data(), log_q.data(), inputs.data(),
      table, of_biases,
      {loss.data(), class_rows.data(), label_grad.data(), scales.data(), slopes.data(),
       log_sum_exp.data(), reinterpret_cast<bool*>(is_top.data())});
  std::vector<A> inputs_grad(inputs.size());
  std::vector<W> bias_grads(c.has_biases ? batch.classes : 0);
  SampledLossBackward<W>(
      runtime, logits, MatrixLoopsOf<T, A>(),
      {grad.data(), inputs.data(), c.depth, class_rows.data(), label_grad.data(), scales.data(),
       slopes.data()},
      {inputs_grad.data(), row_grads.data(), c.has_biases ? bias_grads.data() : nullptr});
  if (!batch.options.stats) log_sum_exp.clear();
  return {InDouble(loss),        InDouble(log_sum_exp), InDouble(label_grad),
          InDouble(inputs_grad), InDouble(row_grads),   InDouble(bias_grads)};
}

template <typename T, typename W, typename Backend>
std::string CheckSampledLossOf(Backend& backend, const SampledCase& c) {
  using A = Accumulator<W>;
  const NumberedClasses numbers(c);
  const SampledResults reference = SampledOnCpu<double, double>(c, numbers);
  const SampledResults of_cpu = SampledOnCpu<T, W>(c, numbers);

  SampledBatch batch = numbers.Describe(c);
  const int64_t rows = batch.rows, num_labels = batch.num_labels();
  int64_t* const label_classes = backend.Upload(std::vector<int64_t>(num_labels, -7));
  int64_t* const sample_columns = backend.Upload(std::vector<int64_t>(batch.num_sampled, -7));
  int64_t* const class_ids =
      backend.Upload(std::vector<int64_t>(batch.num_sampled + num_labels, -7));
  batch.label_classes = label_classes;
  batch.sample_columns = sample_columns;
  if (!c.label_hits.empty() || !c.sample_hits.empty()) {
    batch.label_hits = backend.Upload(c.label_hits);
    batch.sample_hits = backend.Upload(c.sample_hits);
  }
  const SampleOffsets<W> offsets(c);
  const auto filled = [&](int64_t count, auto value) {
    return backend.Upload(std::vector<decltype(value)>(count, value));
  };
  DeviceSampledForward<T, W> f = {};
  f.batch = batch;
  f.ids = {backend.Upload(c.candidates), batch.num_sampled, backend.Upload(c.labels), num_labels,
           c.num_classes};
  f.numbers = {sample_columns, label_classes, class_ids};
  f.depth = c.depth;
  f.inputs = backend.Upload(NarrowAll<T>(c.inputs));
  f.weights = OneShard<W>(backend.Upload(NarrowAll<W>(c.weights)), c.num_classes, c.depth);
  f.biases = OneShard<W>(c.has_biases ? backend.Upload(NarrowAll<W>(c.biases)) : nullptr,
                         c.num_classes, 1);
  f.label_log_q = backend.Upload(NarrowAll<A>(c.label_log_q));
  f.sample_offsets = backend.Upload(offsets.offsets);
  f.sample_biases = backend.Upload(offsets.biases);
  f.loss = filled(rows, A(-7));
  f.class_rows = filled((batch.num_sampled + num_labels) * c.depth, W{});
  f.label_logit_grad = filled(num_labels, A(-7));
  f.label_cap_slopes = batch.options.logit.softcap == 0 ? nullptr : filled(num_labels, A(-7));
  f.scales = filled(SegmentsOf(batch.columns) * rows, A(-7));
  f.slopes = c.recompute ? nullptr : filled(rows * StrideOf(batch.columns), Operand<T>{});
  f.log_sum_exp = filled(batch.options.stats ? rows : 0, A(-7));
  f.label_is_top = reinterpret_cast<bool*>(filled(batch.options.stats ? rows : 0, char(7)));
  f.panels = c.panels;
  int64_t counts[2] = {-1, -1};
  backend.SampledClasses(f, counts);
  std::string problem =
      Difference("counts", std::vector<int64_t>{batch.columns, batch.classes},
                 std::vector<int64_t>(counts, counts + 2)) +
      Difference(" class_ids", numbers.ids, backend.Download(class_ids, batch.classes)) +
      Difference(" label_classes", numbers.of_labels, backend.Download(label_classes, num_labels)) +
      Difference(" sample_columns", numbers.of_candidates,
                 backend.Download(sample_columns, batch.num_sampled));
  if (!problem.empty()) {
    backend.Free();
    return problem;
  }
  backend.SampledForward(f);

  DeviceSampledBackward<T, W> b = {};
  b.batch = batch;
  b.depth = c.depth;
  b.grad = backend.Upload(NarrowAll<A>(c.grad));
  b.inputs = f.inputs;
  b.class_rows = f.class_rows;
  b.sample_offsets = f.sample_offsets;
  b.sample_biases = f.sample_biases;
  b.label_logit_grad = f.label_logit_grad;
  b.scales = f.scales;
  b.slopes = f.slopes;
  b.slopes_are_scratch = c.slopes_are_scratch;
  b.inputs_grad = filled(rows * c.depth, T{});
  b.class_rows_grad = f.class_rows;  // in place
  b.class_biases_grad = c.has_biases ? filled(batch.classes, W{}) : nullptr;
  b.panels = c.panels;
  backend.SampledBackward(b);

  constexpr double kEps = std::max(kRounding<T>, kRounding<W>);
  const auto compare = [&](const char* what, const std::vector<double>& want,
                           const std::vector<double>& cpu, const auto* got) {
    problem += Closeness(what, want, cpu,
                         InDouble(backend.Download(got, static_cast<int64_t>(want.size()))), kEps);
  };
  compare("loss", reference.loss, of_cpu.loss, f.loss);
  compare("log_sum_exp", reference.log_sum_exp, of_cpu.log_sum_exp, f.log_sum_exp);
  compare("label_logit_grad", reference.label_logit_grad, of_cpu.label_logit_grad,
          f.label_logit_grad);
  compare("inputs_grad", reference.inputs_grad, of_cpu.inputs_grad, b.inputs_grad);
  compare("rows_grad", reference.rows_grad, of_cpu.rows_grad, b.class_rows_grad);
  compare("biases_grad", reference.biases_grad, of_cpu.biases_grad, b.class_biases_grad);
  backend.Free();
  return problem;
}

// A random case of all options. Numbers are multiples of 1 / 16, which every type has.
inline SampledCase RandomSampledCase(RandomCases& cases, int64_t most_rows,
                                     int64_t most_candidates) {
  SampledCase c = {};
  SampledBatch& batch = c.batch;
  batch.kind = cases.Coin() ? LossKind::kSoftmax : LossKind::kNce;
  batch.remove_accidental_hits = cases.Coin();
  batch.rows = cases.Size(most_rows);
  batch.num_true = cases.Below(3) ? 1 : 1 + cases.Below(5);
  LossOptions& options = batch.options;
  options.stats = cases.Coin();
  options.logit.temperature = cases.Coin() ? 1 : 0.5;
  options.logit.softcap = cases.Below(3) ? 0 : 2;
  options.logit.normalize = cases.Below(3) == 0;
  if (batch.kind == LossKind::kNce) options.positive_weight = cases.Coin() ? 1 : 3;
  if (batch.kind == LossKind::kSoftmax && cases.Below(4) == 0) {
    options.corrected_log_q = batch.remove_accidental_hits = true;
    batch.num_true = 1;
  }
  c.recompute = cases.Coin();
  c.slopes_are_scratch = cases.Coin();
  c.has_biases = cases.Below(4) != 0;
  c.depth = cases.Coin() ? 8 * (1 + cases.Below(8)) : 1 + cases.Below(40);
  c.panels = {cases.Size(1 << 16), cases.Size(1 << 16)};  // mostly of one segment
  // None, any, or so many that they fill several panels.
  const int64_t sizes[] = {0, cases.Size(most_candidates),
                           most_candidates - cases.Below(most_candidates / 3 + 1)};
  const int64_t count = sizes[cases.Below(10) == 0 ? 0 : 1 + (cases.Below(3) == 0)];
  // Without repeats, or with many.
  const bool distinct = cases.Coin();
  c.num_classes = distinct ? 2 * count + cases.Size(200) : cases.Size(most_candidates);
  for (int64_t k = 0; k < count; ++k) {
    c.candidates.push_back(distinct ? (2 * k + 1) % c.num_classes : cases.Below(c.num_classes));
  }
  for (int64_t k = 0; k < batch.rows * batch.num_true; ++k) {
    const bool hit = count > 0 && cases.Coin();
    c.labels.push_back(hit ? c.candidates[cases.Below(count)] : cases.Below(c.num_classes));
  }
  if (cases.Below(4) == 0) {  // hits by ids, of which each class has one
    for (const int64_t id : c.labels) c.label_hits.push_back(id % 5);
    for (const int64_t id : c.candidates) c.sample_hits.push_back(id % 7);
  }
  const auto sixteenths = [&](int64_t size, int64_t most) {
    std::vector<double> values(size);
    for (double& value : values) value = static_cast<double>(cases.Below(2 * most + 1) - most) / 16;
    return values;
  };
  c.inputs = sixteenths(batch.rows * c.depth, 16);
  c.weights = sixteenths(c.num_classes * c.depth, 16);
  c.biases = sixteenths(c.num_classes, 16);
  if (cases.Below(4) == 0) {  // masked classes
    for (double& bias : c.biases) bias = cases.Below(3) ? bias : -INFINITY;
  }
  c.grad = sixteenths(batch.rows, 32);
  // Expected counts of labels are at most the number of draws, as corrected_log_q needs.
  for (size_t k = 0; k < c.labels.size(); ++k) {
    c.label_log_q.push_back(std::log((1 + cases.Below(count + 1)) / (count + 2.0)));
  }
  for (int64_t k = 0; k < count; ++k) {
    // Draws of one class may have counts of their own.
    c.sample_log_q.push_back(-static_cast<double>(c.candidates[k] % 3 + cases.Below(2)) / 4);
  }
  return c;
}

template <typename Backend>
std::string CheckSampledLoss(Backend& backend, const SampledCase& c, int64_t types) {
  switch (types % 6) {
    case 0:
      return CheckSampledLossOf<float, float>(backend, c);
    case 1:
      return CheckSampledLossOf<Bfloat16, Bfloat16>(backend, c);
    case 2:
      return CheckSampledLossOf<double, double>(backend, c);
    case 3:
      return CheckSampledLossOf<Half, Half>(backend, c);
    case 4:
      return CheckSampledLossOf<Bfloat16, float>(backend, c);
    default:
      return CheckSampledLossOf<Half, float>(backend, c);
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_SAMPLED_CHECKS_H_
