// SPDX-License-Identifier: Apache-2.0
// The ragged losses against a plain loop in extended precision, and against themselves when the
// work is cut differently.
#include "cc/lib/losses/ragged_forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/cc/losses/ragged_case.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

using Exact = long double;

template <typename A>
struct Result {
  template <typename W>
  explicit Result(const RaggedCase<W>& c)
      : loss(c.rows, kUnwritten),
        label_logit_grad(c.labels.size(), kUnwritten),
        candidate_logit_grad(c.candidates.size(), kUnwritten),
        unscaled_inputs_grad(c.inputs.size(), kUnwritten),
        log_sum_exp(c.rows, kUnwritten),
        label_is_top(c.rows, 77) {}

  bool SameBits(const Result& other) const {
    return candsamp::SameBits(loss, other.loss) &&
           candsamp::SameBits(label_logit_grad, other.label_logit_grad) &&
           candsamp::SameBits(candidate_logit_grad, other.candidate_logit_grad) &&
           candsamp::SameBits(unscaled_inputs_grad, other.unscaled_inputs_grad) &&
           candsamp::SameBits(log_sum_exp, other.log_sum_exp) && label_is_top == other.label_is_top;
  }

  static constexpr A kUnwritten = A(-12345);
  std::vector<A> loss, label_logit_grad, candidate_logit_grad, unscaled_inputs_grad, log_sum_exp;
  std::vector<uint8_t> label_is_top;
};

struct Options {
  LossKind kind = LossKind::kSoftmax;
  bool remove_accidental_hits = true;
  bool with_log_q = true;
  bool with_biases = true;
  LossOptions loss = {};  // Reference does not know them
};

template <typename W>
Result<Accumulator<W>> LossesOf(Runtime& runtime, const RaggedCase<W>& c, const Options& options) {
  using A = Accumulator<W>;
  Result<A> result(c);
  const RowTable<W> biases = options.with_biases ? c.biases.View() : RowTable<W>(1);
  RaggedLossForward(
      runtime, options.kind, c.Batch(options.with_log_q), c.inputs.data(), c.weights.View(), biases,
      options.remove_accidental_hits,
      RaggedLossOutput<A>{result.loss.data(), result.label_logit_grad.data(),
                          result.candidate_logit_grad.data(), result.unscaled_inputs_grad.data(),
                          result.log_sum_exp.data(),
                          reinterpret_cast<bool*>(result.label_is_top.data())},
      options.loss);
  return result;
}

// The definition, row by row, in a higher precision than every type under test.
template <typename W>
class Reference {
 public:
  Reference(const RaggedCase<W>& c, const Options& options)
      : loss(c.rows),
        label_logit_grad(c.labels.size()),
        candidate_logit_grad(c.candidates.size()),
        unscaled_inputs_grad(c.inputs.size()),
        loss_size(c.rows),
        unscaled_inputs_grad_size(c.inputs.size()),
        largest_logit(c.rows),
        c_(c),
        options_(options) {
    for (int64_t i = 0; i < c.rows; ++i) RunRow(i);
  }

  std::vector<Exact> loss, label_logit_grad, candidate_logit_grad, unscaled_inputs_grad;
  // The sums of the magnitudes of the terms, to which rounding errors are relative.
  std::vector<Exact> loss_size, unscaled_inputs_grad_size;
  std::vector<Exact> largest_logit;

 private:
  struct Class {
    int64_t id;
    Exact logit;
    Exact* gradient;
  };

  Exact Logit(int64_t row, int64_t id, float log_q) const {
    return c_.Dot(row, id) + (options_.with_biases ? Widen(*c_.biases.Row(id)) : Exact(0)) -
           (options_.with_log_q ? static_cast<Exact>(log_q) : Exact(0));
  }

  void RunRow(int64_t row) {
    std::vector<Class> classes;
    const auto label_begin = c_.labels.begin() + c_.label_splits[row];
    const auto label_end = c_.labels.begin() + c_.label_splits[row + 1];
    const int64_t num_labels = label_end - label_begin;
    for (int64_t k = c_.label_splits[row]; k < c_.label_splits[row + 1]; ++k) {
      classes.push_back(
          {c_.labels[k], Logit(row, c_.labels[k], c_.label_log_q[k]), &label_logit_grad[k]});
    }
    for (int64_t k = c_.candidate_splits[row]; k < c_.candidate_splits[row + 1]; ++k) {
      const int64_t id = c_.candidates[k];
      if (options_.remove_accidental_hits && std::find(label_begin, label_end, id) != label_end) {
        continue;
      }
      classes.push_back({id, Logit(row, id, c_.candidate_log_q[k]), &candidate_logit_grad[k]});
    }
    Exact max = -std::numeric_limits<Exact>::infinity();
    for (const Class& k : classes) max = std::max(max, k.logit);
    Exact sum = 0;
    for (const Class& k : classes) sum += std::exp(k.logit - max);
    Exact total = options_.kind == LossKind::kSoftmax ? max + std::log(sum) : 0;
    for (const Class& k : classes) {
      if (options_.kind == LossKind::kSoftmax) {
        *k.gradient = std::exp(k.logit - max) / sum;
      } else {
        total += std::max(k.logit, Exact(0)) + std::log1p(std::exp(-std::fabs(k.logit)));
        *k.gradient = 1 / (1 + std::exp(-k.logit));
      }
      AddToInputsGrad(row, k.id, *k.gradient);
      if (std::isfinite(k.logit)) {
        largest_logit[row] = std::max(largest_logit[row], std::fabs(k.logit));
      }
    }
    loss[row] = total;
    loss_size[row] = std::fabs(total) + largest_logit[row];
    for (int64_t k = 0; k < num_labels; ++k) {
      loss[row] -= classes[k].logit / static_cast<Exact>(num_labels);
      *classes[k].gradient -= 1 / static_cast<Exact>(num_labels);
      AddToInputsGrad(row, classes[k].id, -1 / static_cast<Exact>(num_labels));
    }
  }

  void AddToInputsGrad(int64_t row, int64_t id, Exact gradient) {
    for (int64_t d = 0; d < c_.depth; ++d) {
      const Exact term = gradient * Widen(c_.weights.Row(id)[d]);
      unscaled_inputs_grad[row * c_.depth + d] += term;
      unscaled_inputs_grad_size[row * c_.depth + d] += std::fabs(term);
    }
  }

  const RaggedCase<W>& c_;
  const Options options_;
};

// An absolute error of a logit is a relative error of its exponential. A few roundings add to it.
template <typename W>
void ExpectNearReference(const Result<Accumulator<W>>& result, const RaggedCase<W>& c,
                         const Options& options) {
  using A = Accumulator<W>;
  const Reference<W> reference(c, options);
  const double tiny = std::numeric_limits<A>::min();
  for (int64_t i = 0; i < c.rows; ++i) {
    const double tolerance =
        4 * std::numeric_limits<A>::epsilon() * (4 + reference.largest_logit[i]);
    ASSERT_NEAR(result.loss[i], reference.loss[i], tolerance * reference.loss_size[i])
        << "row " << i;
    for (int64_t k = c.label_splits[i]; k < c.label_splits[i + 1]; ++k) {
      ASSERT_NEAR(result.label_logit_grad[k], reference.label_logit_grad[k], tolerance)
          << "row " << i << ", label " << k;
    }
    for (int64_t k = c.candidate_splits[i]; k < c.candidate_splits[i + 1]; ++k) {
      // exp(-87) and less may be 0 in float.
      ASSERT_NEAR(result.candidate_logit_grad[k], reference.candidate_logit_grad[k],
                  tolerance * std::fabs(reference.candidate_logit_grad[k]) + 2 * tiny)
          << "row " << i << ", candidate " << k;
    }
    for (int64_t d = i * c.depth; d < (i + 1) * c.depth; ++d) {
      ASSERT_NEAR(result.unscaled_inputs_grad[d], reference.unscaled_inputs_grad[d],
                  tolerance * reference.unscaled_inputs_grad_size[d] + 100 * tiny)
          << "row " << i << ", column " << d - i * c.depth;
    }
  }
}

std::vector<Options> AllOptions() {
  std::vector<Options> all;
  for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
    for (const bool remove : {false, true}) {
      for (const bool log_q : {false, true}) {
        for (const bool biases : {false, true}) all.push_back({kind, remove, log_q, biases});
      }
    }
  }
  return all;
}

std::string NameOf(const Options& options) {
  return std::string(options.kind == LossKind::kSoftmax ? "softmax" : "nce") +
         (options.remove_accidental_hits ? ", hits removed" : "") +
         (options.with_log_q ? ", log q" : "") + (options.with_biases ? ", biases" : "");
}

// Around the sizes of tiles and segments, with few and many labels, and without candidates.
const std::vector<RowSize>& MixedSizes() {
  static const std::vector<RowSize>& sizes = *new std::vector<RowSize>{
      {1, 0},    {1, 1},     {2, 13},  {1, 15},  {1, 16},  {8, 40},  {9, 40},
      {12, 100}, {1, 510},   {1, 511}, {1, 512}, {3, 700}, {520, 3}, {600, 600},
      {1, 5200}, {20, 1500}, {3, 0},   {1, 7},   {512, 0}, {513, 0}};
  return sizes;
}

template <typename W>
class RaggedForwardTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(RaggedForwardTest, Types);

TYPED_TEST(RaggedForwardTest, EqualTheDefinition) {
  const RaggedCase<TypeParam> c(MixedSizes(), 300, 19, 1.0, 1);
  for (const Options& options : AllOptions()) {
    SCOPED_TRACE(NameOf(options));
    TestRuntime runtime = TestRuntime::RandomCuts(1);
    ExpectNearReference(LossesOf(runtime, c, options), c, options);
  }
}

// Several short rows are worked on together.
TYPED_TEST(RaggedForwardTest, EqualTheDefinitionForManyShortRows) {
  for (const int64_t most : {1, 4, 60, 300}) {
    std::mt19937 random(most);
    std::vector<RowSize> sizes;
    for (int k = 0; k < 200; ++k) {
      sizes.push_back(
          {1 + static_cast<int64_t>(random() % 2), static_cast<int64_t>(random() % (most + 1))});
    }
    const RaggedCase<TypeParam> c(sizes, 300, 9, 1.0, 11);
    for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
      const Options options = {kind, true, true, true};
      SCOPED_TRACE(NameOf(options) + ", at most " + std::to_string(most));
      TestRuntime whole = TestRuntime::Whole();
      const auto expected = LossesOf(whole, c, options);
      ExpectNearReference(expected, c, options);
      for (TestRuntime& runtime : TestRuntime::Various()) {
        EXPECT_TRUE(LossesOf(runtime, c, options).SameBits(expected)) << runtime.name();
      }
    }
  }
}

TYPED_TEST(RaggedForwardTest, EqualTheDefinitionAtVariousDepths) {
  for (const int64_t depth : {1, 16, 64, 100, 257}) {
    const RaggedCase<TypeParam> c({{1, 20}, {2, 600}, {10, 5}}, 50, depth, 1.0, depth);
    for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
      SCOPED_TRACE(depth);
      TestRuntime runtime = TestRuntime::Whole();
      const Options options = {kind, true, true, true};
      ExpectNearReference(LossesOf(runtime, c, options), c, options);
    }
  }
}

// Logits hundreds apart: the largest so far changes often, and most exponentials vanish.
TYPED_TEST(RaggedForwardTest, EqualTheDefinitionForLargeLogits) {
  const RaggedCase<TypeParam> c(MixedSizes(), 300, 19, 60.0, 2);
  for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
    const Options options = {kind, true, true, true};
    SCOPED_TRACE(NameOf(options));
    TestRuntime runtime = TestRuntime::Whole();
    ExpectNearReference(LossesOf(runtime, c, options), c, options);
  }
}

TYPED_TEST(RaggedForwardTest, NceAllowsRowsWithoutLabelsAndWithoutAnything) {
  const RaggedCase<TypeParam> c({{0, 0}, {0, 5}, {0, 1200}, {1, 3}, {0, 0}}, 40, 10, 1.0, 3);
  const Options options = {LossKind::kNce, true, true, true};
  TestRuntime runtime = TestRuntime::RandomCuts(2);
  const auto result = LossesOf(runtime, c, options);
  ExpectNearReference(result, c, options);
  EXPECT_EQ(result.loss[0], 0);
  for (int64_t d = 0; d < c.depth; ++d) EXPECT_EQ(result.unscaled_inputs_grad[d], 0);
}

TYPED_TEST(RaggedForwardTest, NoRowsNoLoss) {
  const RaggedCase<TypeParam> c({}, 4, 3, 1.0, 1);
  TestRuntime runtime = TestRuntime::Whole();
  LossesOf(runtime, c, {});
}

TYPED_TEST(RaggedForwardTest, BitsDoNotDependOnTheCutting) {
  const RaggedCase<TypeParam> c(MixedSizes(), 300, 33, 3.0, 4);
  for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
    const Options options = {kind, true, true, true};
    SCOPED_TRACE(NameOf(options));
    TestRuntime whole = TestRuntime::Whole();
    const auto expected = LossesOf(whole, c, options);
    for (TestRuntime& runtime : TestRuntime::Various()) {
      EXPECT_TRUE(LossesOf(runtime, c, options).SameBits(expected)) << runtime.name();
    }
  }
}

TYPED_TEST(RaggedForwardTest, BitsWithOptionsDoNotDependOnTheCutting) {
  const RaggedCase<TypeParam> c(MixedSizes(), 300, 33, 3.0, 4);
  for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
    for (const LogitOptions& logit :
         {LogitOptions{0.25, 0, true}, LogitOptions{2, 3, false}, LogitOptions{0.5, 3, true}}) {
      const Options options = {kind, true, true, true, {logit, 1, false, true}};
      TestRuntime whole = TestRuntime::Whole();
      const auto expected = LossesOf(whole, c, options);
      for (TestRuntime& runtime : TestRuntime::Various()) {
        EXPECT_TRUE(LossesOf(runtime, c, options).SameBits(expected)) << runtime.name();
      }
    }
  }
}

TYPED_TEST(RaggedForwardTest, RowsDoNotDependOnOneAnother) {
  RaggedCase<TypeParam> c({{1, 30}, {1, 900}, {2, 30}, {1, 900}}, 2000, 20, 1.0, 5);
  TestRuntime runtime = TestRuntime::Whole();
  const auto before = LossesOf(runtime, c, {});
  std::fill_n(c.inputs.begin() + c.depth, c.depth,
              std::numeric_limits<Accumulator<TypeParam>>::quiet_NaN());
  const auto after = LossesOf(runtime, c, {});
  for (const int64_t row : {0, 2, 3}) {
    EXPECT_EQ(after.loss[row], before.loss[row]);
    for (int64_t d = row * c.depth; d < (row + 1) * c.depth; ++d) {
      EXPECT_EQ(after.unscaled_inputs_grad[d], before.unscaled_inputs_grad[d]);
    }
    for (int64_t k = c.candidate_splits[row]; k < c.candidate_splits[row + 1]; ++k) {
      EXPECT_EQ(after.candidate_logit_grad[k], before.candidate_logit_grad[k]);
    }
  }
  EXPECT_TRUE(std::isnan(after.loss[1]));
}

// Rows of one segment and of many, with few labels, which are scanned, and many, which are sorted.
TYPED_TEST(RaggedForwardTest, DroppedCandidatesHaveSlopeZeroAndNoEffect) {
  using A = Accumulator<TypeParam>;
  for (const int64_t num_labels : {1, 8, 9, 600}) {
    for (const int64_t num_candidates : {30, 3000}) {
      RaggedCase<TypeParam> c({{1, 4}, {num_labels, num_candidates}, {1, 4}}, 100000, 8, 1.0, 6);
      c.candidates[c.candidate_splits[1] + 20] = c.labels[c.label_splits[1] + num_labels / 2];
      for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
        SCOPED_TRACE(std::to_string(num_labels) + " labels, " + std::to_string(num_candidates));
        const Options options = {kind, true, true, true};
        TestRuntime runtime = TestRuntime::Whole();
        const Result<A> result = LossesOf(runtime, c, options);
        // Nothing reads their log q.
        RaggedCase<TypeParam> other = c;
        int64_t dropped = 0;
        for (int64_t k = c.candidate_splits[1]; k < c.candidate_splits[2]; ++k) {
          const auto labels = c.labels.begin() + c.label_splits[1];
          if (std::find(labels, labels + num_labels, c.candidates[k]) == labels + num_labels) {
            continue;
          }
          ++dropped;
          ASSERT_EQ(result.candidate_logit_grad[k], A(0)) << k;
          other.candidate_log_q[k] = std::numeric_limits<float>::quiet_NaN();
        }
        ASSERT_GT(dropped, 0);
        EXPECT_TRUE(LossesOf(runtime, other, options).SameBits(result));
      }
    }
  }
}

// Wherever the NaN stands, before the largest logit or after it.
TYPED_TEST(RaggedForwardTest, OneNanLogitMakesTheLossNan) {
  for (const int64_t num_candidates : {30, 3000}) {
    for (const int64_t at : {int64_t{0}, int64_t{17}, num_candidates - 1}) {
      RaggedCase<TypeParam> c({{1, num_candidates}, {1, 5}}, 100000, 8, 1.0, 6);
      c.candidates[at] = (c.labels[0] + 1) % c.num_classes;
      c.candidate_log_q[at] = std::numeric_limits<float>::quiet_NaN();
      for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
        TestRuntime runtime = TestRuntime::Whole();
        const auto result = LossesOf(runtime, c, {kind, true, true, true});
        EXPECT_TRUE(std::isnan(result.loss[0])) << at << " of " << num_candidates;
        EXPECT_TRUE(std::isnan(result.candidate_logit_grad[at])) << at << " of " << num_candidates;
        EXPECT_TRUE(std::isnan(result.unscaled_inputs_grad[0])) << at << " of " << num_candidates;
        EXPECT_FALSE(std::isnan(result.loss[1]));
      }
    }
  }
}

// A candidate that the sampler draws with infinite expectation: its logit is minus infinity.
TYPED_TEST(RaggedForwardTest, LogitsOfMinusInfinityWeighNothing) {
  for (const int64_t num_candidates : {0, 20, 1300}) {
    // The first candidates, the last ones, or a whole segment and more.
    RaggedCase<TypeParam> c({{1, num_candidates + 1200}}, 100000, 8, 1.0, 7);
    std::fill_n(c.candidate_log_q.begin() + num_candidates, 1200,
                std::numeric_limits<float>::infinity());
    for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
      const Options options = {kind, true, true, true};
      SCOPED_TRACE(NameOf(options));
      TestRuntime runtime = TestRuntime::Whole();
      const auto result = LossesOf(runtime, c, options);
      ExpectNearReference(result, c, options);
      for (int64_t k = num_candidates; k < num_candidates + 1200; ++k) {
        ASSERT_EQ(result.candidate_logit_grad[k], 0) << k;
      }
    }
  }
}

// The labels of the second row and all classes of the third are masked. Only their losses are
// infinite.
TYPED_TEST(RaggedForwardTest, GradientsOfMaskedRowsAreFinite) {
  using A = Accumulator<TypeParam>;
  const A infinity = std::numeric_limits<A>::infinity();
  for (const int64_t num_candidates : {0, 20, 1300}) {
    RaggedCase<TypeParam> c({{2, num_candidates}, {2, num_candidates}, {2, num_candidates}}, 4000,
                            8, 1.0, 7);
    c.labels = {0, 1, 2, 3, 4, 5};
    for (size_t k = 0; k < c.candidates.size(); ++k) c.candidates[k] = 6 + k;
    for (int64_t id = 2; id < 6; ++id) Narrow(-infinity, c.biases.Row(id));
    for (int64_t k = 2 * num_candidates; k < 3 * num_candidates; ++k) {
      Narrow(-infinity, c.biases.Row(c.candidates[k]));
    }
    for (const LossKind kind : {LossKind::kSoftmax, LossKind::kNce}) {
      const Options options = {kind, true, true, true};
      SCOPED_TRACE(NameOf(options));
      TestRuntime runtime = TestRuntime::Whole();
      const auto result = LossesOf(runtime, c, options);
      EXPECT_TRUE(std::isfinite(result.loss[0]));
      EXPECT_EQ(result.loss[1], infinity);
      EXPECT_EQ(result.loss[2], infinity);
      for (const auto* part :
           {&result.label_logit_grad, &result.candidate_logit_grad, &result.unscaled_inputs_grad}) {
        for (const A value : *part) ASSERT_TRUE(std::isfinite(value));
      }
      EXPECT_EQ(result.label_logit_grad[4], A(-0.5));
      for (int64_t k = 2 * num_candidates; k < 3 * num_candidates; ++k) {
        ASSERT_EQ(result.candidate_logit_grad[k], 0) << k;
      }
    }
  }
}

TYPED_TEST(RaggedForwardTest, RepeatedCandidatesCountEachTime) {
  RaggedCase<TypeParam> c({{1, 8}}, 20, 8, 1.0, 8);
  c.labels = {3};
  c.candidates = {5, 5, 5, 3, 3, 7, 5, 7};
  for (const Options& options : AllOptions()) {
    SCOPED_TRACE(NameOf(options));
    TestRuntime runtime = TestRuntime::Whole();
    ExpectNearReference(LossesOf(runtime, c, options), c, options);
  }
}

TYPED_TEST(RaggedForwardTest, ShortRowsNeedNoScratch) {
  const RaggedCase<TypeParam> c({{1, 511}, {8, 100}, {1, 0}}, 100, 16, 1.0, 9);
  TestRuntime runtime = TestRuntime::Whole();
  LossesOf(runtime, c, {});
  EXPECT_EQ(runtime.allocated_bytes(), 0u);
}

TYPED_TEST(RaggedForwardTest, ThrowsWhenThereIsNoMemory) {
  const RaggedCase<TypeParam> c({{9, 2000}}, 100, 16, 1.0, 9);
  const Options with_options = {LossKind::kNce, true, true, true, {{0.5, 3, true}, 1, false, true}};
  for (const Options& options : {Options{}, with_options}) {
    TestRuntime unlimited = TestRuntime::Whole();
    LossesOf(unlimited, c, options);
    ASSERT_GT(unlimited.allocations(), 0);
    for (int64_t limit = 0; limit < unlimited.allocations(); ++limit) {
      TestRuntime runtime = TestRuntime::Whole();
      runtime.LimitAllocations(limit);
      EXPECT_THROW(LossesOf(runtime, c, options), std::bad_alloc);
    }
  }
}

template <typename W>
std::vector<Accumulator<W>> Logits(Runtime& runtime, const RaggedCase<W>& c,
                                   const RowTable<W>& biases) {
  std::vector<Accumulator<W>> logits(c.candidates.size(), -12345);
  RaggedLogits(runtime, c.Batch(), c.inputs.data(), c.weights.View(), biases, logits.data());
  return logits;
}

TYPED_TEST(RaggedForwardTest, LogitsEqualTheDefinition) {
  using A = Accumulator<TypeParam>;
  const RaggedCase<TypeParam> c(MixedSizes(), 300, 19, 1.0, 10);
  for (const bool with_biases : {false, true}) {
    const RowTable<TypeParam> biases = with_biases ? c.biases.View() : RowTable<TypeParam>(1);
    TestRuntime whole = TestRuntime::Whole();
    const std::vector<A> logits = Logits(whole, c, biases);
    for (int64_t i = 0; i < c.rows; ++i) {
      for (int64_t k = c.candidate_splits[i]; k < c.candidate_splits[i + 1]; ++k) {
        const int64_t id = c.candidates[k];
        const Exact expected = c.Dot(i, id) + (with_biases ? Widen(*c.biases.Row(id)) : Exact(0));
        ASSERT_NEAR(logits[k], expected, 64 * std::numeric_limits<A>::epsilon()) << i << ", " << k;
      }
    }
    for (TestRuntime& runtime : TestRuntime::Various()) {
      EXPECT_TRUE(SameBits(Logits(runtime, c, biases), logits)) << runtime.name();
    }
  }
}

}  // namespace
}  // namespace candsamp
