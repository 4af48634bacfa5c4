// SPDX-License-Identifier: Apache-2.0
// The gradients of the dense losses against their definition, after the real forward pass.
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

#include "cc/lib/losses/tiling.h"
#include "tests/cc/losses/sampled_case.h"
#include "tests/cc/losses/sampled_cases.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

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
class SampledBackwardTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(SampledBackwardTest, Types);

TYPED_TEST(SampledBackwardTest, EqualTheDefinition) {
  ForOneToFourLabels<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledBackwardTest, EqualTheDefinitionForVariousShapes) {
  ForVariousShapes<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledBackwardTest, EqualTheDefinitionAtVariousDepths) {
  ForVariousDepths<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledBackwardTest, EqualTheDefinitionForLargeLogits) {
  ForLargeLogits<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledBackwardTest, EqualTheDefinitionForRepeatsOfEqualOffsets) {
  ForRepeatsOfEqualOffsets<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledBackwardTest, NceAllowsRowsWithoutLabels) {
  ForRowsWithoutLabels<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

// Without rows, all gradients of candidates are zero.
TYPED_TEST(SampledBackwardTest, NoRowsNoGradient) {
  ForNoRows<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledBackwardTest, BitsDoNotDependOnTheCutting) {
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

TYPED_TEST(SampledBackwardTest, BitsWithOptionsDoNotDependOnTheCuttingOrThePlaceOfRows) {
  const SampledCase<TypeParam> c({130, 1, 900, 200, 13}, 1.0, 8);
  for (const SampledOptions& options : OptionsOfLosses()) {
    TestRuntime whole = TestRuntime::Whole();
    const Gradients<TypeParam> expected = GradientsOf(whole, c, options);
    EXPECT_TRUE(expected.AllFinite());
    for (TestRuntime& runtime : TestRuntime::Various()) {
      for (const Rows where : {Rows::kApart, Rows::kInPlace}) {
        EXPECT_TRUE(GradientsOf(runtime, c, options, where).SameBits(expected))
            << runtime.name() << ", " << NameOf(options);
      }
    }
  }
}

TYPED_TEST(SampledBackwardTest, RowsMayTakeThePlaceOfThoseKept) {
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

TYPED_TEST(SampledBackwardTest, RecomputedSlopesGiveTheSameBits) {
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

TYPED_TEST(SampledBackwardTest, BiasesMayBeAbsent) {
  const SampledCase<TypeParam> c({70, 2, 200, 30, 9}, 1.0, 11);
  for (const LossKind kind : kKinds) {
    const SampledOptions options = {kind, true, false, true};
    TestRuntime runtime = TestRuntime::Whole();
    Gradients<TypeParam> expected = GradientsOf(runtime, c, options);
    expected.class_biases.clear();
    EXPECT_TRUE(GradientsOf(runtime, c, options, Rows::kApart, false).SameBits(expected));
  }
}

// Also if repeats of them, or a whole block, are masked.
TYPED_TEST(SampledBackwardTest, MaskedCandidatesHaveNoGradient) {
  const int64_t block = ColumnBlocks(200).block;
  ASSERT_LT(block, 150);
  for (const int64_t num_masked : {int64_t{1}, block, int64_t{150}}) {
    for (const int64_t repeats : {0, 100}) {
      SampledCase<TypeParam> c({5, 2, 200, repeats, 9}, 1.0, 12);
      for (int64_t n = 0; n < num_masked; ++n)
        Narrow(-kInfinity<TypeParam>, c.biases.Row(c.class_ids[n]));
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

TYPED_TEST(SampledBackwardTest, MaskedLabelsHaveFiniteGradients) {
  for (const int64_t at : {0, 150, 205}) {
    SampledCase<TypeParam> c({4, 1, 200, 100, 9}, 1.0, 13);
    for (int64_t& label : c.labels) label = c.class_ids[std::min(at, c.classes - 1)];
    c.Number();
    Narrow(-kInfinity<TypeParam>, c.biases.Row(c.labels[0]));
    for (const SampledOptions& options : AllSampledOptions()) {
      TestRuntime runtime = TestRuntime::Whole();
      EXPECT_TRUE(GradientsOf(runtime, c, options).AllFinite()) << at << ", " << NameOf(options);
    }
  }
}

// The losses of such rows are infinite.
TYPED_TEST(SampledBackwardTest, RowsWhoseClassesAreAllMaskedHaveFiniteGradients) {
  for (const int64_t columns : {0, 200}) {
    SampledCase<TypeParam> c({70, 1, columns, columns / 2, 9}, 1.0, 17);
    for (int64_t id = 0; id < c.num_classes; ++id) Narrow(-kInfinity<TypeParam>, c.biases.Row(id));
    for (const SampledOptions& options : AllSampledOptions()) {
      if (!options.with_biases) continue;
      TestRuntime runtime = TestRuntime::Whole();
      EXPECT_TRUE(GradientsOf(runtime, c, options).AllFinite()) << NameOf(options);
    }
  }
}

TYPED_TEST(SampledBackwardTest, DroppedBlocksBesideVeryNegativeLogits) {
  ForDroppedBlocks<TypeParam>(-3000, ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledBackwardTest, InputsOfARowDependOnNoOtherRow) {
  for (const auto bad : {kInfinity<TypeParam>, kNan<TypeParam>}) {
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

TYPED_TEST(SampledBackwardTest, ThrowsWhenThereIsNoMemory) {
  const SampledCase<TypeParam> c({70, 1, 200, 20, 9}, 1.0, 16);
  std::vector<SampledOptions> all = AllSampledOptions();
  for (const SampledOptions& options : OptionsOfLosses()) all.push_back(options);
  for (const SampledOptions& options : all) {
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
