// SPDX-License-Identifier: Apache-2.0
// Checks of the ragged losses, and of the scores of candidates, on a device.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_RAGGED_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_RAGGED_CHECKS_H_

#include <string>
#include <vector>

#include "cc/cuda/losses/ragged_launchers.h"
#include "cc/lib/logits/unit_row_gradients.h"
#include "cc/lib/logits/unit_rows.h"
#include "cc/lib/losses/ragged_backward.h"
#include "cc/lib/losses/ragged_forward.h"
#include "tests/cuda/checks/closeness.h"
#include "tests/cuda/checks/random_cases.h"

namespace candsamp {

// A case in numbers that the narrowest type has exactly.
struct RaggedCase {
  LossKind kind;
  bool remove_accidental_hits, has_biases, has_log_q;
  LossOptions options;
  int64_t rows, depth, num_classes;
  std::vector<int64_t> labels, label_splits, candidates, candidate_splits;
  std::vector<float> label_log_q, candidate_log_q;
  std::vector<double> inputs, weights, biases, grad, logits_grad;

  RaggedBatch Batch() const {
    return {rows,
            {labels.data(), label_splits.data()},
            {candidates.data(), candidate_splits.data()},
            has_log_q ? label_log_q.data() : nullptr,
            has_log_q ? candidate_log_q.data() : nullptr};
  }
};

struct RaggedResults {
  std::vector<double> loss, log_sum_exp, label_logit_grad, candidate_logit_grad, inputs_grad,
      rows_grad, biases_grad, scores, score_slopes, scores_inputs_grad, scores_rows_grad;
  std::vector<int64_t> ids, score_ids;
};

// The CPU's results. With W = double they are the reference.
template <typename W>
RaggedResults RaggedOnCpu(const RaggedCase& c) {
  using A = Accumulator<W>;
  SerialRuntime runtime;
  const RaggedBatch batch = c.Batch();
  const std::vector<W> weights = NarrowAll<W>(c.weights), biases = NarrowAll<W>(c.biases);
  const std::vector<A> inputs = NarrowAll<A>(c.inputs), grad = NarrowAll<A>(c.grad);
  RowTable<W> table(c.depth), of_biases(1);
  table.AddShard(weights.data(), c.num_classes);
  if (c.has_biases) of_biases.AddShard(biases.data(), c.num_classes);
  std::vector<A> loss(c.rows), log_sum_exp(c.rows), label_grad(c.labels.size()),
      candidate_grad(c.candidates.size()), unscaled(inputs.size());
  std::vector<char> is_top(c.rows);
  RaggedLossForward(runtime, c.kind, batch, inputs.data(), table, of_biases,
                    c.remove_accidental_hits,
                    {loss.data(), label_grad.data(), candidate_grad.data(), unscaled.data(),
                     log_sum_exp.data(), reinterpret_cast<bool*>(is_top.data())},
                    c.options);
  RaggedResults results;
  results.loss = InDouble(loss);
  if (c.options.stats) results.log_sum_exp = InDouble(log_sum_exp);
  results.label_logit_grad = InDouble(label_grad);
  results.candidate_logit_grad = InDouble(candidate_grad);
  for (size_t k = 0; k < unscaled.size(); ++k) unscaled[k] *= grad[k / c.depth];
  results.inputs_grad = InDouble(unscaled);

  const ScaledInputs<A> scaled(runtime, c.options.logit, inputs.data(), c.rows, c.depth);
  const auto sum = [&](const A* of_labels, const A* of_candidates, const A* row_factor,
                       std::vector<double>* rows, std::vector<double>* sums_of_biases,
                       std::vector<int64_t>* ids) {
    const auto groups =
        GroupOccurrences<A>(runtime, batch, c.num_classes, of_labels, of_candidates, row_factor);
    ids->assign(groups.classes(), groups.classes() + groups.size());
    std::vector<W> of_rows(groups.size() * c.depth), biases_grad(groups.size());
    if (c.options.logit.normalize) {
      SumUnitClassRows<W>(
          runtime, groups, 0, groups.size(), scaled.values(), c.depth,
          [&](int64_t g) { return table.Row(groups.classes()[g]); }, of_rows.data());
    } else {
      SumClassRows(runtime, groups, 0, groups.size(), scaled.values(), c.depth, of_rows.data());
    }
    SumClassBiases(runtime, groups, 0, groups.size(), biases_grad.data());
    *rows = InDouble(of_rows);
    if (sums_of_biases != nullptr) *sums_of_biases = InDouble(biases_grad);
  };
  sum(label_grad.data(), candidate_grad.data(), grad.data(), &results.rows_grad,
      &results.biases_grad, &results.ids);

  const bool capped = c.options.logit.softcap != 0;
  std::vector<A> scores(c.candidates.size()), slopes(capped ? scores.size() : 0);
  RaggedLogits(runtime, batch, inputs.data(), table, of_biases, scores.data(), c.options.logit,
               capped ? slopes.data() : nullptr);
  results.scores = InDouble(scores);
  results.score_slopes = InDouble(slopes);
  std::vector<A> gradient = NarrowAll<A>(c.logits_grad), of_rows(gradient.size());
  for (size_t k = 0; k < gradient.size(); ++k) {
    if (capped) gradient[k] *= slopes[k];
    of_rows[k] = gradient[k];
    if (c.options.logit.normalize) {
      of_rows[k] *= InverseNorm(table.Row(c.candidates[k]), c.depth);
    }
  }
  std::vector<A> inputs_grad(inputs.size());
  SumCandidateRows(runtime, batch.candidates, c.rows, of_rows.data(), table, inputs_grad.data());
  for (int64_t i = 0; i < c.rows; ++i) scaled.GradientOfInput(i, &inputs_grad[i * c.depth]);
  results.scores_inputs_grad = InDouble(inputs_grad);
  sum(nullptr, gradient.data(), nullptr, &results.scores_rows_grad, nullptr, &results.score_ids);
  return results;
}

template <typename T, typename W, typename Backend>
std::string CheckRaggedOf(Backend& backend, const RaggedCase& c) {
  using A = Accumulator<W>;
  const RaggedResults reference = RaggedOnCpu<double>(c), of_cpu = RaggedOnCpu<W>(c);
  const auto filled = [&](size_t count, auto value) {
    return backend.Upload(std::vector<decltype(value)>(count, value));
  };
  const int64_t num_labels = static_cast<int64_t>(c.labels.size());
  const int64_t num_candidates = static_cast<int64_t>(c.candidates.size());
  const auto batch_of = [&](bool with_labels) {
    std::vector<int64_t> first_chunks = {0};
    for (int64_t i = 0; i < c.rows; ++i) {
      const int64_t labels = with_labels ? c.label_splits[i + 1] - c.label_splits[i] : 0;
      first_chunks.push_back(first_chunks.back() +
                             ChunksOf(labels + c.candidate_splits[i + 1] - c.candidate_splits[i]));
    }
    return DeviceRaggedBatch{c.rows,
                             with_labels ? num_labels : 0,
                             num_candidates,
                             with_labels ? backend.Upload(c.labels) : nullptr,
                             backend.Upload(c.candidates),
                             with_labels ? backend.Upload(c.label_splits) : nullptr,
                             backend.Upload(c.candidate_splits),
                             backend.Upload(first_chunks),
                             first_chunks.back()};
  };
  std::string problem;
  constexpr double kEps = std::max(kRounding<T>, kRounding<W>);
  const auto compare = [&](const char* what, const std::vector<double>& want,
                           const std::vector<double>& cpu, const auto* got) {
    problem += Closeness(what, want, cpu,
                         InDouble(backend.Download(got, static_cast<int64_t>(want.size()))), kEps);
  };
  DeviceRaggedForward<T, W> f = {};
  f.batch = batch_of(true);
  f.kind = c.kind;
  f.remove_accidental_hits = c.remove_accidental_hits;
  f.options = c.options;
  f.depth = c.depth;
  f.inputs = backend.Upload(NarrowAll<T>(c.inputs));
  f.weights = OneShard<W>(backend.Upload(NarrowAll<W>(c.weights)), c.num_classes, c.depth);
  f.biases = OneShard<W>(c.has_biases ? backend.Upload(NarrowAll<W>(c.biases)) : nullptr,
                         c.num_classes, 1);
  f.label_log_q = c.has_log_q ? backend.Upload(c.label_log_q) : nullptr;
  f.candidate_log_q = c.has_log_q ? backend.Upload(c.candidate_log_q) : nullptr;
  f.loss = filled(c.rows, A(-7));
  f.label_logit_grad = filled(num_labels, A(-7));
  f.candidate_logit_grad = filled(num_candidates, A(-7));
  f.unscaled_inputs_grad = filled(c.inputs.size(), A(-7));
  f.log_sum_exp = filled(c.options.stats ? c.rows : 0, A(-7));
  f.label_is_top = reinterpret_cast<bool*>(filled(c.options.stats ? c.rows : 0, char(7)));
  backend.RaggedForward(f);
  compare("loss", reference.loss, of_cpu.loss, f.loss);
  compare("log_sum_exp", reference.log_sum_exp, of_cpu.log_sum_exp, f.log_sum_exp);
  compare("label_logit_grad", reference.label_logit_grad, of_cpu.label_logit_grad,
          f.label_logit_grad);
  compare("candidate_logit_grad", reference.candidate_logit_grad, of_cpu.candidate_logit_grad,
          f.candidate_logit_grad);

  const A* const grad = backend.Upload(NarrowAll<A>(c.grad));
  T* const inputs_grad = filled(c.inputs.size(), T{});
  backend.ScaleByRow(f.unscaled_inputs_grad, grad, c.rows, c.depth, inputs_grad);
  compare("inputs_grad", reference.inputs_grad, of_cpu.inputs_grad, inputs_grad);

  // Sums of classes, given the gradients of their logits.
  const auto check_classes = [&](const DeviceRaggedGradient<T, A>& gradient,
                                 const std::vector<int64_t>& ids,
                                 const std::vector<double>& rows_grad,
                                 const std::vector<double>& rows_of_cpu, bool with_biases) {
    RaggedClassGradients<W> out = {};
    const int64_t most = static_cast<int64_t>(ids.size());
    int64_t* const class_ids = filled(most, int64_t{-7});
    out.rows = filled(most * c.depth, W{});
    out.biases = with_biases && c.has_biases ? filled(most, W{}) : nullptr;
    std::vector<W> kept(most * c.depth);
    const std::vector<W> weights = NarrowAll<W>(c.weights);
    for (int64_t k = 0; k < most; ++k) {
      std::copy_n(weights.begin() + ids[k] * c.depth, c.depth, kept.begin() + k * c.depth);
    }
    out.class_rows = backend.Upload(kept);
    const int64_t distinct = backend.SumRaggedClasses(gradient, c.num_classes, class_ids, &out);
    if (distinct != most) {
      problem +=
          "there are " + std::to_string(distinct) + " classes, on the CPU " + std::to_string(most);
      return;
    }
    problem += Difference(" classes", ids, backend.Download(class_ids, most));
    compare("rows_grad", rows_grad, rows_of_cpu, out.rows);
    if (out.biases != nullptr) {
      compare("biases_grad", reference.biases_grad, of_cpu.biases_grad, out.biases);
    }
  };
  check_classes({f.batch, c.options.logit, c.depth, f.inputs, f.label_logit_grad,
                 f.candidate_logit_grad, grad},
                reference.ids, reference.rows_grad, of_cpu.rows_grad, true);

  const bool capped = c.options.logit.softcap != 0;
  DeviceRaggedLogits<T, W> r = {};
  r.batch = batch_of(false);
  r.options = c.options.logit;
  r.depth = c.depth;
  r.inputs = f.inputs;
  r.weights = f.weights;
  r.biases = f.biases;
  r.logits = filled(num_candidates, T{});
  r.slopes = capped ? filled(num_candidates, A(-7)) : nullptr;
  backend.RaggedLogits(r);
  compare("scores", reference.scores, of_cpu.scores, r.logits);
  compare("score_slopes", reference.score_slopes, of_cpu.score_slopes, r.slopes);

  DeviceRaggedScoresBackward<T, W> b = {};
  b.batch = r.batch;
  b.options = c.options.logit;
  b.grad = backend.Upload(NarrowAll<T>(c.logits_grad));
  b.slopes = r.slopes;
  b.inputs = f.inputs;
  b.rows = f.weights;
  b.row_ids = r.batch.candidates;
  b.inputs_grad = filled(c.inputs.size(), T{});
  b.gradient = filled(num_candidates, A(-7));
  backend.RaggedScoresBackward(b);
  compare("scores_inputs_grad", reference.scores_inputs_grad, of_cpu.scores_inputs_grad,
          b.inputs_grad);
  check_classes({r.batch, c.options.logit, c.depth, f.inputs, nullptr, b.gradient, nullptr},
                reference.score_ids, reference.scores_rows_grad, of_cpu.scores_rows_grad, false);
  backend.Free();
  return problem;
}

template <typename Backend>
std::string CheckRagged(Backend& backend, const RaggedCase& c, int64_t types) {
  switch (types % 6) {
    case 0:
      return CheckRaggedOf<float, float>(backend, c);
    case 1:
      return CheckRaggedOf<Bfloat16, Bfloat16>(backend, c);
    case 2:
      return CheckRaggedOf<double, double>(backend, c);
    case 3:
      return CheckRaggedOf<Half, Half>(backend, c);
    case 4:
      return CheckRaggedOf<Bfloat16, float>(backend, c);
    default:
      return CheckRaggedOf<Half, float>(backend, c);
  }
}

// A random case of all options. Numbers are multiples of 1 / 16, which every type has.
inline RaggedCase RandomRaggedCase(RandomCases& cases, int64_t most_rows, int64_t most_candidates) {
  RaggedCase c = {};
  c.kind = cases.Coin() ? LossKind::kSoftmax : LossKind::kNce;
  c.remove_accidental_hits = cases.Coin();
  c.has_biases = cases.Below(4) != 0;
  c.has_log_q = cases.Coin();
  c.options.stats = cases.Coin();
  c.options.logit.temperature = cases.Coin() ? 1 : 0.5;
  c.options.logit.softcap = cases.Below(3) ? 0 : 2;
  c.options.logit.normalize = cases.Below(3) == 0;
  c.rows = cases.Size(most_rows);
  c.depth = cases.Coin() ? 8 * (1 + cases.Below(40)) : 1 + cases.Below(40);
  c.num_classes = cases.Size(most_candidates);
  c.label_splits = c.candidate_splits = {0};
  for (int64_t row = 0; row < c.rows; ++row) {
    const int64_t least = c.kind == LossKind::kSoftmax ? 1 : 0;
    const int64_t labels = cases.Below(3) ? 1 : least + cases.Below(6);
    for (int64_t k = 0; k < labels; ++k) c.labels.push_back(cases.Below(c.num_classes));
    const int64_t most = cases.Below(row == 0 ? 1 : 4) ? most_candidates / 20 : most_candidates;
    for (int64_t k = cases.Size(most + 1) - 1; k > 0; --k) {
      const bool hit = labels > 0 && cases.Below(9) == 0;
      c.candidates.push_back(hit ? c.labels.back() : cases.Below(c.num_classes));
    }
    c.label_splits.push_back(static_cast<int64_t>(c.labels.size()));
    c.candidate_splits.push_back(static_cast<int64_t>(c.candidates.size()));
  }
  const auto sixteenths = [&](size_t size, int64_t most) {
    std::vector<double> values(size);
    for (double& value : values) value = static_cast<double>(cases.Below(2 * most + 1) - most) / 16;
    return values;
  };
  c.inputs = sixteenths(c.rows * c.depth, 16);
  c.weights = sixteenths(c.num_classes * c.depth, 16);
  c.biases = sixteenths(c.num_classes, 16);
  if (cases.Below(4) == 0) {  // masked classes
    for (double& bias : c.biases) bias = cases.Below(3) ? bias : -INFINITY;
  }
  c.grad = sixteenths(c.rows, 32);
  c.logits_grad = sixteenths(c.candidates.size(), 32);
  for (size_t k = 0; k < c.labels.size(); ++k) c.label_log_q.push_back(cases.Below(9) / -4.f);
  for (size_t k = 0; k < c.candidates.size(); ++k) {
    c.candidate_log_q.push_back(cases.Below(9) / -4.f);
  }
  return c;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_RAGGED_CHECKS_H_
