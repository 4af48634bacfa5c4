// The gradients of the losses with shared candidates against their definition, after the forward
// pass as it is.
#include "cc/lib/losses/sampled_backward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "tests/cc/losses/sampled_case.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

constexpr LossKind kKinds[] = {LossKind::kSoftmax, LossKind::kNce};

template <typename W>
std::vector<Accumulator<W>> RowGradients(const SampledCase<W>& c) {
  std::mt19937 random(99);
  std::normal_distribution<Accumulator<W>> normal;
  std::vector<Accumulator<W>> grad(c.rows);
  for (int64_t i = 0; i < c.rows; ++i) grad[i] = i % 5 == 3 ? 0 : normal(random);
  return grad;
}

enum class Rows { kApart, kInPlace };

template <typename W>
struct Gradients {
  using A = Accumulator<W>;

  Gradients(Runtime& runtime, const SampledCase<W>& c, const SampledOptions& options,
            const SampledForward<W>& forward, Rows where = Rows::kApart, bool with_biases = true)
      : inputs(c.inputs.size(), A(-12345)),
        class_rows(c.classes * c.depth),
        class_biases(with_biases ? c.classes : 0) {
    FillWithGarbage(class_rows);
    FillWithGarbage(class_biases);
    if (where == Rows::kInPlace) class_rows = forward.class_rows;
    const std::vector<A> grad = RowGradients(c);
    const W* kept_rows = where == Rows::kInPlace ? class_rows.data() : forward.class_rows.data();
    SampledLossBackward<W>(
        runtime, c.Logits(runtime, options), ChosenMatrixLoops<A>(),
        {grad.data(), c.inputs.data(), c.depth, kept_rows, forward.label_logit_grad.data(),
         forward.scales.data(), options.keep_slopes ? forward.slopes.data() : nullptr},
        {inputs.data(), class_rows.data(), with_biases ? class_biases.data() : nullptr});
  }

  bool SameBits(const Gradients& other) const {
    return candsamp::SameBits(inputs, other.inputs) &&
           candsamp::SameBits(class_rows, other.class_rows) &&
           candsamp::SameBits(class_biases, other.class_biases);
  }

  bool AllFinite() const {
    return candsamp::AllFinite(inputs) && candsamp::AllFinite(class_rows) &&
           candsamp::AllFinite(class_biases);
  }

  std::vector<A> inputs;
  std::vector<W> class_rows, class_biases;
};

template <typename W>
Gradients<W> GradientsOf(Runtime& runtime, const SampledCase<W>& c, const SampledOptions& options,
                         Rows where = Rows::kApart, bool with_biases = true) {
  return Gradients<W>(runtime, c, options, SampledForward<W>(runtime, c, options), where,
                      with_biases);
}

// Half a unit in the last place of what is stored, relative to the value.
template <typename W>
double Rounding() {
  return 0;
}
template <>
double Rounding<Half>() {
  return std::ldexp(1.0, -11);
}
template <>
double Rounding<Bfloat16>() {
  return std::ldexp(1.0, -8);
}

template <typename V>
void ExpectNear(const std::vector<V>& got, const std::vector<Bounded>& expected, const char* what) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t k = 0; k < got.size(); ++k) {
    const double tolerance = 2 * std::numeric_limits<Accumulator<V>>::epsilon() * expected[k].size +
                             Rounding<V>() * std::fabs(expected[k].value) + std::ldexp(1.0, -25);
    ASSERT_NEAR(Widen(got[k]), expected[k].value, tolerance) << what << ", " << k;
  }
}

template <typename W>
void ExpectNearReference(const Gradients<W>& gradients, const SampledCase<W>& c,
                         const SampledOptions& options) {
  const std::vector<Accumulator<W>> grad = RowGradients(c);
  const SampledReference<W> reference(c, options, &grad);
  ExpectNear(gradients.inputs, reference.inputs, "inputs");
  ExpectNear(gradients.class_rows, reference.class_rows, "class rows");
  ExpectNear(gradients.class_biases, reference.class_biases, "class biases");
}

template <typename W>
void ExpectIsTheDefinition(const SampledCase<W>& c, const SampledOptions& options) {
  SCOPED_TRACE(NameOf(options));
  TestRuntime runtime = TestRuntime::RandomCuts(1);
  ExpectNearReference(GradientsOf(runtime, c, options), c, options);
}

template <typename W>
class SampledGradientsTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(SampledGradientsTest, Types);

TYPED_TEST(SampledGradientsTest, EqualTheDefinition) {
  for (const int64_t num_true : {1, 2, 3, 4}) {
    const SampledCase<TypeParam> c({70, num_true, 100, 30, 19}, 1.0, num_true);
    SCOPED_TRACE(num_true);
    for (const SampledOptions& options : AllSampledOptions()) ExpectIsTheDefinition(c, options);
  }
}

// Around the sizes of blocks and panels.
TYPED_TEST(SampledGradientsTest, EqualTheDefinitionForVariousShapes) {
  for (const SampledShape& shape : std::vector<SampledShape>{{1, 1, 0, 0, 5},
                                                             {65, 2, 0, 0, 7},
                                                             {1, 1, 1, 0, 1},
                                                             {1, 1, 1, 9, 8, 0},
                                                             {3, 2, 1, 300, 3, 0},
                                                             {63, 1, 95, 0, 5},
                                                             {64, 1, 96, 1, 16},
                                                             {65, 2, 97, 200, 9},
                                                             {129, 3, 191, 0, 3},
                                                             {2, 4, 192, 3, 64},
                                                             {5, 1, 193, 0, 100},
                                                             {1, 1, 767, 0, 3},
                                                             {65, 1, 768, 0, 2},
                                                             {3, 2, 769, 50, 17},
                                                             {2, 1, 1537, 9, 4},
                                                             {2, 130, 300, 20, 6},
                                                             {3, 1, 900, 3, 260},
                                                             {513, 1, 200, 3, 4}}) {
    SCOPED_TRACE(NameOf(shape));
    const SampledCase<TypeParam> c(shape, 1.0, 2);
    for (const LossKind kind : kKinds) {
      ExpectIsTheDefinition(c, {kind, true, true, true});
      ExpectIsTheDefinition(c, {kind, false, true, false});
    }
  }
}

TYPED_TEST(SampledGradientsTest, EqualTheDefinitionAtVariousDepths) {
  for (const int64_t depth : {0, 1, 2, 15, 16, 33, 257}) {
    SCOPED_TRACE(depth);
    const SampledCase<TypeParam> c({5, 2, 100, 7, depth}, 1.0, 3);
    for (const LossKind kind : kKinds) {
      ExpectIsTheDefinition(c, {kind, true, true, true});
      ExpectIsTheDefinition(c, {kind, true, true, false});
    }
  }
}

TYPED_TEST(SampledGradientsTest, EqualTheDefinitionForLargeLogits) {
  const SampledCase<TypeParam> c({66, 2, 200, 50, 19}, 60.0, 4);
  for (const SampledOptions& options : AllSampledOptions()) ExpectIsTheDefinition(c, options);
}

TYPED_TEST(SampledGradientsTest, EqualTheDefinitionForRepeatsOfEqualOffsets) {
  SampledCase<TypeParam> c({5, 2, 100, 200, 9}, 1.0, 5);
  for (size_t k = 0; k < c.candidates.size(); ++k) {
    c.sample_log_q[k] = static_cast<Accumulator<TypeParam>>(c.candidates[k] % 7);
  }
  for (const SampledOptions& options : AllSampledOptions()) ExpectIsTheDefinition(c, options);
}

TYPED_TEST(SampledGradientsTest, NceAllowsRowsWithoutLabels) {
  for (const int64_t columns : {0, 1, 100}) {
    const SampledCase<TypeParam> c({5, 0, columns, columns, 9}, 1.0, 6);
    ExpectIsTheDefinition(c, {LossKind::kNce, true, true, true});
  }
}

// Without rows, all gradients of candidates are zero.
TYPED_TEST(SampledGradientsTest, NoRowsNoGradient) {
  for (const SampledShape& shape :
       {SampledShape{0, 1, 0, 0, 3}, SampledShape{0, 2, 100, 5, 3}, SampledShape{0, 1, 1, 0, 0}}) {
    const SampledCase<TypeParam> c(shape, 1.0, 7);
    for (const SampledOptions& options : AllSampledOptions()) ExpectIsTheDefinition(c, options);
  }
}

TYPED_TEST(SampledGradientsTest, BitsDoNotDependOnTheCutting) {
  const SampledCase<TypeParam> c({130, 2, 900, 200, 13}, 3.0, 8);
  for (const LossKind kind : kKinds) {
    for (const bool keep_slopes : {false, true}) {
      const SampledOptions options = {kind, true, true, keep_slopes};
      TestRuntime whole = TestRuntime::Whole();
      const Gradients<TypeParam> expected = GradientsOf(whole, c, options);
      for (TestRuntime& runtime : TestRuntime::Various()) {
        EXPECT_TRUE(GradientsOf(runtime, c, options).SameBits(expected))
            << runtime.name() << ", " << NameOf(options);
      }
    }
  }
}

TYPED_TEST(SampledGradientsTest, RowsMayTakeThePlaceOfThoseKept) {
  for (const SampledShape& shape : {SampledShape{70, 2, 100, 30, 19}, SampledShape{3, 1, 900, 9, 5},
                                    SampledShape{3, 2, 0, 0, 5}}) {
    const SampledCase<TypeParam> c(shape, 1.0, 9);
    for (const SampledOptions& options : AllSampledOptions()) {
      TestRuntime runtime = TestRuntime::Threads(2);
      EXPECT_TRUE(GradientsOf(runtime, c, options, Rows::kInPlace)
                      .SameBits(GradientsOf(runtime, c, options, Rows::kApart)))
          << NameOf(shape) << ", " << NameOf(options);
    }
  }
}

TYPED_TEST(SampledGradientsTest, RecomputedSlopesGiveTheSameBits) {
  for (const int64_t depth : {1, 19, 300}) {
    const SampledCase<TypeParam> c({70, 2, 900, 30, depth}, 1.0, 10);
    for (const LossKind kind : kKinds) {
      TestRuntime runtime = TestRuntime::Whole();
      EXPECT_TRUE(GradientsOf(runtime, c, {kind, true, true, true})
                      .SameBits(GradientsOf(runtime, c, {kind, true, true, false})))
          << depth;
    }
  }
}

TYPED_TEST(SampledGradientsTest, BiasesMayBeAbsent) {
  const SampledCase<TypeParam> c({70, 2, 200, 30, 9}, 1.0, 11);
  for (const LossKind kind : kKinds) {
    const SampledOptions options = {kind, true, false, true};
    TestRuntime runtime = TestRuntime::Whole();
    Gradients<TypeParam> expected = GradientsOf(runtime, c, options);
    expected.class_biases.clear();
    EXPECT_TRUE(GradientsOf(runtime, c, options, Rows::kApart, false).SameBits(expected));
  }
}

// What is dropped everywhere, or masked, or repeats of it.
TYPED_TEST(SampledGradientsTest, MaskedCandidatesHaveNoGradient) {
  const auto infinity = std::numeric_limits<Accumulator<TypeParam>>::infinity();
  for (const int64_t num_masked : {1, 96, 150}) {
    for (const int64_t repeats : {0, 100}) {
      SampledCase<TypeParam> c({5, 2, 200, repeats, 9}, 1.0, 12);
      for (int64_t n = 0; n < num_masked; ++n) Narrow(-infinity, c.biases.Row(c.class_ids[n]));
      for (size_t k = 0; k < c.labels.size(); ++k) {
        if (c.label_classes[k] < num_masked) c.labels[k] = c.class_ids[num_masked + k];
      }
      c.Number();
      SCOPED_TRACE(std::to_string(num_masked) + " masked, " + std::to_string(repeats) + " repeats");
      for (const SampledOptions& options : AllSampledOptions()) {
        if (!options.with_biases) continue;
        ExpectIsTheDefinition(c, options);
        TestRuntime runtime = TestRuntime::Whole();
        const Gradients<TypeParam> gradients = GradientsOf(runtime, c, options);
        for (int64_t n = 0; n < num_masked; ++n) {
          ASSERT_EQ(Widen(gradients.class_biases[n]), 0) << n;
          for (int64_t d = 0; d < c.depth; ++d) {
            ASSERT_EQ(Widen(gradients.class_rows[n * c.depth + d]), 0) << n;
          }
        }
      }
    }
  }
}

TYPED_TEST(SampledGradientsTest, MaskedLabelsHaveFiniteGradients) {
  const auto infinity = std::numeric_limits<Accumulator<TypeParam>>::infinity();
  for (const int64_t at : {0, 150, 205}) {
    SampledCase<TypeParam> c({4, 1, 200, 100, 9}, 1.0, 13);
    for (int64_t& label : c.labels) label = c.class_ids[std::min(at, c.classes - 1)];
    c.Number();
    Narrow(-infinity, c.biases.Row(c.labels[0]));
    for (const SampledOptions& options : AllSampledOptions()) {
      TestRuntime runtime = TestRuntime::Whole();
      EXPECT_TRUE(GradientsOf(runtime, c, options).AllFinite()) << at << ", " << NameOf(options);
    }
  }
}

// Their loss is infinite.
TYPED_TEST(SampledGradientsTest, RowsWhoseClassesAreAllMaskedHaveFiniteGradients) {
  const auto infinity = std::numeric_limits<Accumulator<TypeParam>>::infinity();
  for (const int64_t columns : {0, 200}) {
    SampledCase<TypeParam> c({70, 1, columns, columns / 2, 9}, 1.0, 17);
    for (int64_t id = 0; id < c.num_classes; ++id) Narrow(-infinity, c.biases.Row(id));
    for (const SampledOptions& options : AllSampledOptions()) {
      if (!options.with_biases) continue;
      TestRuntime runtime = TestRuntime::Whole();
      EXPECT_TRUE(GradientsOf(runtime, c, options).AllFinite()) << NameOf(options);
    }
  }
}

TYPED_TEST(SampledGradientsTest, DroppedBlocksBesideVeryNegativeLogits) {
  using A = Accumulator<TypeParam>;
  for (const int64_t columns : {96, 97, 200}) {
    SampledCase<TypeParam> c({2, 96, columns, 20, 9}, 1.0, 14);
    for (int64_t k = 0; k < 192; ++k) {
      c.labels[k] = c.class_ids[k % 96];
      c.label_log_q[k] += A(3000);
    }
    for (A& q : c.sample_log_q) q += A(3000);
    c.Number();
    for (const LossKind kind : kKinds) ExpectIsTheDefinition(c, {kind, true, true, true});
  }
}

TYPED_TEST(SampledGradientsTest, InputsOfARowDependOnNoOtherRow) {
  const auto infinity = std::numeric_limits<Accumulator<TypeParam>>::infinity();
  for (const auto bad : {infinity, infinity - infinity}) {
    for (const SampledOptions& options : AllSampledOptions()) {
      SampledCase<TypeParam> c({70, 2, 200, 20, 9}, 1.0, 15);
      TestRuntime runtime = TestRuntime::Whole();
      const Gradients<TypeParam> before = GradientsOf(runtime, c, options);
      for (const int64_t row : {0, 5, 64}) c.inputs[row * c.depth + row % c.depth] = bad;
      const Gradients<TypeParam> after = GradientsOf(runtime, c, options);
      for (int64_t i = 0; i < c.rows; ++i) {
        if (i == 0 || i == 5 || i == 64) continue;
        for (int64_t d = i * c.depth; d < (i + 1) * c.depth; ++d) {
          ASSERT_EQ(after.inputs[d], before.inputs[d]) << i << ", " << NameOf(options);
        }
      }
      // The slopes of NCE at infinite logits are 0 and 1.
      EXPECT_TRUE(std::isnan(after.inputs[0]) || (!std::isnan(bad) && options.kind == kKinds[1]))
          << NameOf(options);
    }
  }
}

TYPED_TEST(SampledGradientsTest, ThrowsWhenThereIsNoMemory) {
  const SampledCase<TypeParam> c({70, 2, 200, 20, 9}, 1.0, 16);
  for (const SampledOptions& options : AllSampledOptions()) {
    TestRuntime unlimited = TestRuntime::Whole();
    const SampledForward<TypeParam> forward(unlimited, c, options);
    const int64_t before = unlimited.allocations();
    Gradients<TypeParam>(unlimited, c, options, forward);
    const int64_t allocations = unlimited.allocations() - before;
    ASSERT_GT(allocations, 0);
    for (int64_t limit = 0; limit < allocations; ++limit) {
      TestRuntime runtime = TestRuntime::Whole();
      runtime.LimitAllocations(limit);
      EXPECT_THROW(Gradients<TypeParam>(runtime, c, options, forward), std::bad_alloc);
    }
  }
}

}  // namespace
}  // namespace candsamp
