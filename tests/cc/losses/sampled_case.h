// SPDX-License-Identifier: Apache-2.0
// A random batch of the dense losses, its forward pass, and the definition of the losses and their
// gradients in extended precision.
#ifndef TF_CANDSAMP_TESTS_CC_LOSSES_SAMPLED_CASE_H_
#define TF_CANDSAMP_TESTS_CC_LOSSES_SAMPLED_CASE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/losses/sampled_batch.h"
#include "cc/lib/losses/sampled_forward.h"
#include "cc/lib/losses/sampled_logits.h"
#include "cc/lib/losses/tiling.h"
#include "cc/lib/matrix/matrix_loops.h"
#include "tests/cc/rows/test_table.h"
#include "tests/cc/testing/numbers.h"

namespace candsamp {

struct SampledShape {
  int64_t rows, num_true, columns, repeats, depth;
  int64_t others = 40;  // classes that are no candidates
};

inline std::string NameOf(const SampledShape& shape) {
  return std::to_string(shape.rows) + " rows, " + std::to_string(shape.num_true) + " labels, " +
         std::to_string(shape.columns) + " + " + std::to_string(shape.repeats) +
         " candidates, depth " + std::to_string(shape.depth);
}

struct SampledOptions {
  LossKind kind = LossKind::kSoftmax;
  bool remove_accidental_hits = true;
  bool with_biases = true;
  bool keep_slopes = true;
  LossOptions loss = {};  // SampledReference does not know them
};

inline std::string NameOf(const SampledOptions& options) {
  return std::string(options.kind == LossKind::kSoftmax ? "softmax" : "nce") +
         (options.remove_accidental_hits ? ", hits removed" : "") +
         (options.with_biases ? ", biases" : "") + (options.keep_slopes ? ", slopes kept" : "") +
         (options.loss.logit.normalize ? ", normalized" : "") +
         (options.loss.logit.softcap != 0 ? ", capped" : "") +
         (options.loss.corrected_log_q ? ", corrected" : "");
}

// What takes other paths than a loss without options.
inline std::vector<SampledOptions> OptionsOfLosses() {
  std::vector<SampledOptions> all;
  for (const bool slopes : {false, true}) {
    for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
      all.push_back({kind, true, true, slopes, {{0.25, 0, true}, 0.5, false, true}});
      all.push_back({kind, true, true, slopes, {{2, 3, false}, 1, false, true}});
    }
    all.push_back({LossKind::kSoftmax, true, true, slopes, {{0.5, 3, true}, 1, true, true}});
  }
  return all;
}

inline std::vector<SampledOptions> AllSampledOptions() {
  std::vector<SampledOptions> all;
  for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
    for (const bool remove : {false, true}) {
      for (const bool biases : {false, true}) {
        for (const bool slopes : {false, true}) all.push_back({kind, remove, biases, slopes});
      }
    }
  }
  return all;
}

template <typename W>
struct SampledCase {
  using A = Accumulator<W>;

  // Logits are about `spread` large. Every other label is a candidate, if there are any.
  SampledCase(const SampledShape& shape, double spread, uint32_t seed)
      : SampledCase(shape, spread, std::mt19937(seed)) {}

  SampledCase(const SampledShape& shape, double spread, std::mt19937 random)
      : rows(shape.rows),
        num_true(shape.num_true),
        depth(shape.depth),
        num_classes(shape.columns + shape.others),
        labels(rows * num_true),
        candidates(shape.columns + shape.repeats),
        label_log_q(labels.size()),
        sample_log_q(candidates.size()),
        inputs(rows * depth),
        weights(
            {num_classes / 3, 0, num_classes / 2, num_classes - num_classes / 3 - num_classes / 2},
            depth, spread / std::sqrt(std::max<double>(depth, 1)), random),
        biases({num_classes / 2, num_classes - num_classes / 2}, 1, spread / 2, random) {
    std::vector<int64_t> ids(num_classes);
    std::iota(ids.begin(), ids.end(), 0);
    std::shuffle(ids.begin(), ids.end(), random);
    for (int64_t k = 0; k < shape.columns; ++k) candidates[k] = ids[k];
    for (int64_t k = shape.columns; k < shape.columns + shape.repeats; ++k) {
      candidates[k] = ids[random() % shape.columns];
    }
    std::shuffle(candidates.begin(), candidates.end(), random);
    for (int64_t& id : labels) {
      const bool hit = !candidates.empty() && random() % 2 == 0;
      id = hit ? candidates[random() % candidates.size()]
               : static_cast<int64_t>(random() % num_classes);
    }
    std::normal_distribution<A> normal;
    for (A& x : inputs) x = normal(random);
    for (A& q : label_log_q) q = normal(random);
    for (A& q : sample_log_q) q = normal(random);
    Number();
  }

  // Numbers the classes. Call it again after a change of labels or candidates.
  void Number() {
    class_ids.clear();
    std::unordered_map<int64_t, int64_t> numbers;
    const auto number = [&](const std::vector<int64_t>& ids) {
      std::vector<int64_t> of;
      for (const int64_t id : ids) {
        const auto at = numbers.emplace(id, static_cast<int64_t>(class_ids.size()));
        if (at.second) class_ids.push_back(id);
        of.push_back(at.first->second);
      }
      return of;
    };
    sample_columns = number(candidates);
    columns = static_cast<int64_t>(class_ids.size());
    label_classes = number(labels);
    classes = static_cast<int64_t>(class_ids.size());
  }

  SampledBatch Batch(const SampledOptions& options) const {
    return {options.kind,
            options.remove_accidental_hits,
            rows,
            num_true,
            static_cast<int64_t>(candidates.size()),
            columns,
            classes,
            label_classes.data(),
            sample_columns.data(),
            nullptr,
            nullptr,
            options.loss};
  }

  std::vector<A> SampleOffsets(const SampledOptions& options) const {
    std::vector<A> offsets(candidates.size());
    for (size_t k = 0; k < offsets.size(); ++k) {
      offsets[k] =
          (options.with_biases ? Widen(*biases.Row(candidates[k])) : A(0)) - sample_log_q[k];
    }
    return offsets;
  }

  SampledLogits<A> Logits(Runtime& runtime, const SampledOptions& options) const {
    std::vector<A> offsets = SampleOffsets(options), under_softcap;
    if (options.loss.logit.softcap != 0) {
      for (size_t k = 0; k < offsets.size(); ++k) {
        const A bias = options.with_biases ? Widen(*biases.Row(candidates[k])) : A(0);
        under_softcap.push_back(BiasUnderSoftcap(bias));
        offsets[k] = OffsetOverSoftcap(bias, sample_log_q[k]);
      }
      return SampledLogits<A>(runtime, Batch(options), offsets.data(), under_softcap.data());
    }
    for (A& offset : offsets) offset = OffsetOf(offset, A(0));
    return SampledLogits<A>(runtime, Batch(options), offsets.data());
  }

  bool IsLabelOf(int64_t row, int64_t id) const {
    const auto begin = labels.begin() + row * num_true;
    return std::find(begin, begin + num_true, id) != begin + num_true;
  }

  int64_t rows, num_true, depth, num_classes;
  std::vector<int64_t> labels, candidates;
  std::vector<A> label_log_q, sample_log_q, inputs;
  TestTable<W> weights, biases;
  int64_t columns, classes;
  std::vector<int64_t> class_ids, label_classes, sample_columns;
};

// The outputs of the forward pass, in vectors of exactly their size.
template <typename W>
struct SampledForward {
  using A = Accumulator<W>;

  SampledForward(Runtime& runtime, const SampledCase<W>& c, const SampledOptions& options,
                 const MatrixLoops<A>& matrices = ChosenMatrixLoops<A>())
      : loss(c.rows, kUnwritten),
        label_logit_grad(c.labels.size(), kUnwritten),
        scales(ColumnBlocks(c.columns).count() * c.rows, kUnwritten),
        slopes(options.keep_slopes ? c.rows * c.columns : 0, kUnwritten),
        log_sum_exp(options.loss.stats ? c.rows : 0, kUnwritten),
        label_is_top(options.loss.stats ? c.rows : 0, 77),
        class_rows(c.classes * c.depth) {
    FillWithGarbage(class_rows);
    const RowTable<W> no_biases(1);
    SampledLossForward<W>(runtime, c.Logits(runtime, options), matrices, c.class_ids.data(),
                          c.label_log_q.data(), c.inputs.data(), c.weights.View(),
                          options.with_biases ? c.biases.View() : no_biases,
                          {loss.data(), class_rows.data(), label_logit_grad.data(), scales.data(),
                           options.keep_slopes ? slopes.data() : nullptr, log_sum_exp.data(),
                           reinterpret_cast<bool*>(label_is_top.data())});
  }

  bool SameBits(const SampledForward& other) const {
    return candsamp::SameBits(loss, other.loss) &&
           candsamp::SameBits(label_logit_grad, other.label_logit_grad) &&
           candsamp::SameBits(scales, other.scales) && candsamp::SameBits(slopes, other.slopes) &&
           candsamp::SameBits(class_rows, other.class_rows) &&
           candsamp::SameBits(log_sum_exp, other.log_sum_exp) && label_is_top == other.label_is_top;
  }

  static constexpr A kUnwritten = A(-12345);
  std::vector<A> loss, label_logit_grad, scales, slopes, log_sum_exp;
  std::vector<uint8_t> label_is_top;
  std::vector<W> class_rows;
};

using Exact = long double;

// A sum, and the sum of its terms' rounding errors, in epsilons.
struct Bounded {
  void Add(Exact term, Exact error) {
    value += term;
    size += error;
  }
  Exact value = 0, size = 0;
};

// The definition, term by term, in a higher precision than every type under test. Gradients are
// those of the sum of all losses, each times its `grad`, by number of class.
template <typename W>
class SampledReference {
 public:
  using A = Accumulator<W>;

  SampledReference(const SampledCase<W>& c, const SampledOptions& options,
                   const std::vector<A>* grad = nullptr)
      : loss(c.rows),
        label_logit_grad(c.labels.size()),
        slopes(c.rows * c.columns),
        inputs(grad ? c.inputs.size() : 0),
        class_rows(grad ? c.classes * c.depth : 0),
        class_biases(c.classes),
        c_(c),
        options_(options),
        offsets_(c.SampleOffsets(options)) {
    for (int64_t i = 0; i < c.rows; ++i) RunRow(i, grad ? &(*grad)[i] : nullptr);
  }

  // slopes: [rows, columns], the derivatives of a row's loss by a candidate's logits, times no
  // factor.
  std::vector<Bounded> loss, label_logit_grad, slopes, inputs, class_rows, class_biases;

 private:
  struct Term {
    int64_t number;
    Exact logit;
  };

  Bounded Dot(int64_t row, int64_t number) const {
    Bounded dot;
    const W* class_row = c_.weights.Row(c_.class_ids[number]);
    for (int64_t d = 0; d < c_.depth; ++d) {
      const Exact term = static_cast<Exact>(c_.inputs[row * c_.depth + d]) * Widen(class_row[d]);
      dot.Add(term, std::fabs(term));
    }
    return dot;
  }

  void RunRow(int64_t row, const A* grad) {
    std::vector<Bounded> row_dots(c_.classes);
    for (int64_t j = 0; j < c_.columns; ++j) row_dots[j] = Dot(row, j);
    std::vector<Term> terms;
    Exact logit_error = 0;  // the largest of any logit, in epsilons
    const auto add = [&](int64_t number, Exact offset) {
      const Exact logit = row_dots[number].value + offset;
      terms.push_back({number, logit});
      if (!std::isinf(logit)) {
        logit_error = std::max(logit_error, (1 + std::sqrt(c_.depth) / 4) * row_dots[number].size +
                                                2 * std::fabs(offset));
      }
    };
    for (int64_t k = row * c_.num_true; k < (row + 1) * c_.num_true; ++k) {
      const int64_t number = c_.label_classes[k];
      row_dots[number] = Dot(row, number);
      const Exact bias =
          options_.with_biases ? Widen(*c_.biases.Row(c_.class_ids[number])) : Exact(0);
      add(number, bias - static_cast<Exact>(c_.label_log_q[k]));
    }
    for (size_t k = 0; k < c_.candidates.size(); ++k) {
      if (options_.remove_accidental_hits && c_.IsLabelOf(row, c_.candidates[k])) continue;
      add(c_.sample_columns[k], static_cast<Exact>(offsets_[k]));
    }
    Exact max = -std::numeric_limits<Exact>::infinity(), sum = 0, total = 0, all_slopes = 0;
    for (const Term& term : terms) max = std::max(max, term.logit);
    for (const Term& term : terms) sum += std::exp(term.logit - max);
    std::vector<Exact> slope;
    for (const Term& term : terms) {
      if (options_.kind == LossKind::kSoftmax) {
        slope.push_back(std::exp(term.logit - max) / sum);
      } else {
        slope.push_back(1 / (1 + std::exp(-term.logit)));
        total += std::max(term.logit, Exact(0)) + std::log1p(std::exp(-std::fabs(term.logit)));
      }
      all_slopes += slope.back();
    }
    if (options_.kind == LossKind::kSoftmax) total = max + std::log(sum);
    loss[row].Add(total, 8 + 4 * std::fabs(total) + (1 + all_slopes) * logit_error);
    const Exact target = 1 / static_cast<Exact>(c_.num_true);
    for (size_t k = 0; k < terms.size(); ++k) {
      Exact error = slope[k] * (8 + 2 * logit_error), gradient = slope[k];
      if (static_cast<int64_t>(k) < c_.num_true) {
        loss[row].Add(-target * terms[k].logit, target * std::fabs(terms[k].logit));
        gradient -= target;
        error += 4 * target;
        label_logit_grad[row * c_.num_true + k].Add(gradient, error);
      } else {
        slopes[row * c_.columns + terms[k].number].Add(gradient, error);
      }
      if (grad) AddGradients(row, terms[k].number, gradient * *grad, error * std::fabs(*grad));
    }
  }

  void AddGradients(int64_t row, int64_t number, Exact gradient, Exact error) {
    error += 4 * std::fabs(gradient);
    class_biases[number].Add(gradient, error);
    const W* class_row = c_.weights.Row(c_.class_ids[number]);
    for (int64_t d = 0; d < c_.depth; ++d) {
      const Exact x = c_.inputs[row * c_.depth + d], w = Widen(class_row[d]);
      inputs[row * c_.depth + d].Add(gradient * w, error * std::fabs(w));
      class_rows[number * c_.depth + d].Add(gradient * x, error * std::fabs(x));
    }
  }

  const SampledCase<W>& c_;
  const SampledOptions options_;
  const std::vector<A> offsets_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_LOSSES_SAMPLED_CASE_H_
