// SPDX-License-Identifier: Apache-2.0
// The dense losses against their definition, and against themselves when the work is cut
// differently.
#include "cc/lib/losses/sampled_forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

#include "cc/lib/core/instruction_set.h"
#include "cc/lib/losses/tiling.h"
#include "cc/lib/matrix/matrix_loops_isa.h"
#include "tests/cc/losses/sampled_case.h"
#include "tests/cc/losses/sampled_cases.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

template <typename W>
void ExpectNearReference(const SampledForward<W>& forward, const SampledCase<W>& c,
                         const SampledOptions& options) {
  const SampledReference<W> reference(c, options);
  const double epsilon = 2 * std::numeric_limits<Accumulator<W>>::epsilon();
  for (int64_t i = 0; i < c.rows; ++i) {
    ASSERT_NEAR(forward.loss[i], reference.loss[i].value, epsilon * reference.loss[i].size)
        << "row " << i;
    for (int64_t k = i * c.num_true; k < (i + 1) * c.num_true; ++k) {
      ASSERT_NEAR(forward.label_logit_grad[k], reference.label_logit_grad[k].value,
                  epsilon * reference.label_logit_grad[k].size)
          << "row " << i << ", label " << k;
    }
  }
  const Blocks rows = RowBlocks(c.rows), columns = ColumnBlocks(c.columns);
  for (int64_t i = 0; options.keep_slopes && i < c.rows; ++i) {
    for (int64_t j = 0; j < c.columns; ++j) {
      const int64_t r = i / rows.block, b = j / columns.block;
      const int64_t at = BlockBegin(rows, r, columns, b) + (i - rows.begin(r)) * columns.length(b) +
                         (j - columns.begin(b));
      const Bounded& slope = reference.slopes[i * c.columns + j];
      // Exponentials near the type's smallest number become zero.
      ASSERT_NEAR(forward.slopes[at] * forward.scales[b * c.rows + i], slope.value,
                  epsilon * slope.size + 4 * std::numeric_limits<Accumulator<W>>::min())
          << i << ", " << j;
    }
  }
  for (int64_t n = 0; n < c.classes && c.depth > 0; ++n) {
    ASSERT_EQ(std::memcmp(&forward.class_rows[n * c.depth], c.weights.Row(c.class_ids[n]),
                          c.depth * sizeof(W)),
              0)
        << "class " << n;
  }
}

template <typename W>
void ExpectIsTheDefinition(const SampledCase<W>& c, const SampledOptions& options) {
  SCOPED_TRACE(NameOf(options));
  TestRuntime runtime = TestRuntime::RandomCuts(1);
  ExpectNearReference(SampledForward<W>(runtime, c, options), c, options);
}

template <typename W>
class SampledForwardTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(SampledForwardTest, Types);

TYPED_TEST(SampledForwardTest, EqualTheDefinition) {
  ForOneToFourLabels<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledForwardTest, EqualTheDefinitionForVariousShapes) {
  ForVariousShapes<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledForwardTest, EqualTheDefinitionAtVariousDepths) {
  ForVariousDepths<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledForwardTest, EqualTheDefinitionForLargeLogits) {
  ForLargeLogits<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledForwardTest, EqualTheDefinitionForRepeatsOfEqualOffsets) {
  ForRepeatsOfEqualOffsets<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledForwardTest, NceAllowsRowsWithoutLabels) {
  ForRowsWithoutLabels<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledForwardTest, NoRowsNoLoss) {
  ForNoRows<TypeParam>(ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledForwardTest, BitsDoNotDependOnTheCutting) {
  const SampledCase<TypeParam> c({130, 2, 900, 200, 13}, 3.0, 8);
  for (const LossKind kind : kKinds) {
    for (const bool keep_slopes : {false, true}) {
      const SampledOptions options = {kind, true, true, keep_slopes};
      TestRuntime whole = TestRuntime::Whole();
      const SampledForward<TypeParam> expected(whole, c, options);
      for (TestRuntime& runtime : TestRuntime::Various()) {
        EXPECT_TRUE(SampledForward<TypeParam>(runtime, c, options).SameBits(expected))
            << runtime.name() << ", " << NameOf(options);
      }
    }
  }
}

TYPED_TEST(SampledForwardTest, BitsWithOptionsDoNotDependOnTheCutting) {
  SampledCase<TypeParam> c({130, 1, 900, 200, 13}, 3.0, 8);
  for (auto& q : c.label_log_q) q = std::min(q, decltype(+q)(6));  // below the log of 1100
  for (const SampledOptions& options : OptionsOfLosses()) {
    TestRuntime whole = TestRuntime::Whole();
    const SampledForward<TypeParam> expected(whole, c, options);
    EXPECT_TRUE(AllFinite(expected.loss) && AllFinite(expected.log_sum_exp));
    for (TestRuntime& runtime : TestRuntime::Various()) {
      EXPECT_TRUE(SampledForward<TypeParam>(runtime, c, options).SameBits(expected))
          << runtime.name() << ", " << NameOf(options);
    }
  }
}

// In the limit of a large cap, of a temperature of 1 and without norms there are no options.
TYPED_TEST(SampledForwardTest, OptionsThatChangeNothingAreNearTheDefinition) {
  const SampledCase<TypeParam> c({70, 2, 100, 30, 19}, 1.0, 21);
  for (SampledOptions options : AllSampledOptions()) {
    options.loss.logit.softcap = 1e12;
    ExpectIsTheDefinition(c, options);
  }
}

TYPED_TEST(SampledForwardTest, KeepingSlopesChangesNothingElse) {
  const SampledCase<TypeParam> c({66, 2, 200, 50, 19}, 1.0, 9);
  for (const LossKind kind : kKinds) {
    TestRuntime runtime = TestRuntime::Whole();
    SampledForward<TypeParam> kept(runtime, c, {kind, true, true, true});
    kept.slopes.clear();
    EXPECT_TRUE(SampledForward<TypeParam>(runtime, c, {kind, true, true, false}).SameBits(kept));
  }
}

// With the matrix loops of every instruction set that this machine has.
TYPED_TEST(SampledForwardTest, EqualTheDefinitionWithEveryInstructionSet) {
  using A = Accumulator<TypeParam>;
  std::vector<const MatrixLoops<A>*> all;
  if constexpr (std::is_same_v<A, float>) {
    all = {&baseline::kFloatMatrices, &avx2::kFloatMatrices, &avx512::kFloatMatrices};
  } else {
    all = {&baseline::kDoubleMatrices, &avx2::kDoubleMatrices, &avx512::kDoubleMatrices};
  }
  const SampledCase<TypeParam> c({67, 2, 101, 9, 37}, 1.0, 10);
  const size_t sets = std::min(all.size(), static_cast<size_t>(ChosenInstructionSet()) + 1);
  for (size_t set = 0; set < sets; ++set) {
    for (const bool keep_slopes : {false, true}) {
      TestRuntime runtime = TestRuntime::Whole();
      const SampledOptions options = {LossKind::kSoftmax, true, true, keep_slopes};
      ExpectNearReference(SampledForward<TypeParam>(runtime, c, options, *all[set]), c, options);
    }
  }
}

TYPED_TEST(SampledForwardTest, RowsDoNotDependOnOneAnother) {
  for (const auto bad : {kNan<TypeParam>, kInfinity<TypeParam>}) {
    for (const LossKind kind : kKinds) {
      SampledCase<TypeParam> c({70, 2, 200, 20, 9}, 1.0, 11);
      TestRuntime runtime = TestRuntime::Whole();
      const SampledForward<TypeParam> before(runtime, c, {kind, true, true, true});
      for (const int64_t row : {0, 5, 64}) c.inputs[row * c.depth + row % c.depth] = bad;
      const SampledForward<TypeParam> after(runtime, c, {kind, true, true, true});
      for (int64_t i = 0; i < c.rows; ++i) {
        if (i == 0 || i == 5 || i == 64) {
          EXPECT_FALSE(std::isfinite(after.loss[i])) << i;
          EXPECT_TRUE(std::isnan(after.loss[i]) || !std::isnan(bad)) << i;
        } else {
          EXPECT_EQ(after.loss[i], before.loss[i]) << i;
          EXPECT_EQ(after.label_logit_grad[2 * i], before.label_logit_grad[2 * i]) << i;
        }
      }
    }
  }
}

// Wherever the NaN stands: in the weights, the bias or the log q of a candidate.
TYPED_TEST(SampledForwardTest, OneNanLogitMakesTheLossNan) {
  const int64_t block = ColumnBlocks(200).block;
  for (const int64_t at : {int64_t{0}, int64_t{17}, block - 1, block, int64_t{199}}) {
    for (const char* in : {"weights", "bias", "log q"}) {
      for (const LossKind kind : kKinds) {
        for (const bool remove : {false, true}) {
          SampledCase<TypeParam> c({3, 1, 200, 0, 5}, 1.0, 12);
          const int64_t id = c.candidates[at];
          // No label but the last row's own, which is a hit beside it.
          for (int64_t& label : c.labels) label = c.candidates[(at + 1) % 200];
          c.Number();
          if (in[0] == 'w') Narrow(kNan<TypeParam>, c.weights.Row(id));
          if (in[0] == 'b') Narrow(kNan<TypeParam>, c.biases.Row(id));
          if (in[0] == 'l') c.sample_log_q[at] = kNan<TypeParam>;
          TestRuntime runtime = TestRuntime::Whole();
          const SampledForward<TypeParam> forward(runtime, c, {kind, remove, true, false});
          for (const auto loss : forward.loss) EXPECT_TRUE(std::isnan(loss)) << in << " " << at;
        }
      }
    }
  }
}

TYPED_TEST(SampledForwardTest, NanOfALabelMakesTheLossNan) {
  for (const LossKind kind : kKinds) {
    for (const bool hit : {false, true}) {
      SampledCase<TypeParam> c({3, 2, 200, 0, 5}, 1.0, 13);
      for (size_t k = 0; k < c.labels.size(); ++k) c.labels[k] = c.candidates[k];
      c.label_log_q[2 + hit] = kNan<TypeParam>;
      c.Number();
      TestRuntime runtime = TestRuntime::Whole();
      const SampledForward<TypeParam> forward(runtime, c, {kind, true, true, true});
      EXPECT_TRUE(std::isnan(forward.loss[1]));
      EXPECT_TRUE(std::isfinite(forward.loss[0]) && std::isfinite(forward.loss[2]));
    }
  }
}

TYPED_TEST(SampledForwardTest, InfiniteLogitsGiveNoFiniteLoss) {
  for (const LossKind kind : kKinds) {
    for (const int64_t at : {int64_t{0}, ColumnBlocks(200).block, int64_t{199}}) {
      SampledCase<TypeParam> c({3, 1, 200, 0, 5}, 1.0, 14);
      for (int64_t& label : c.labels) label = c.candidates[(at + 1) % 200];
      c.Number();
      Narrow(kInfinity<TypeParam>, c.biases.Row(c.candidates[at]));
      TestRuntime runtime = TestRuntime::Whole();
      for (const auto loss :
           SampledForward<TypeParam>(runtime, c, {kind, true, true, false}).loss) {
        EXPECT_FALSE(std::isfinite(loss));
      }
    }
  }
}

// Biases of minus infinity mask some classes, a whole block beside another one, or all.
TYPED_TEST(SampledForwardTest, MaskedCandidatesWeighNothing) {
  const int64_t block = ColumnBlocks(200).block;
  ASSERT_LT(block, 150);
  for (const int64_t num_masked : {int64_t{1}, block, int64_t{150}, int64_t{200}}) {
    for (const int64_t repeats : {0, 100}) {
      SampledCase<TypeParam> c({5, 2, 200, repeats, 9}, 1.0, 15);
      for (int64_t n = 0; n < num_masked; ++n) {
        Narrow(-kInfinity<TypeParam>, c.biases.Row(c.class_ids[n]));
      }
      std::vector<int64_t> others;
      for (int64_t id = 0; id < c.num_classes; ++id) {
        if (std::count(c.candidates.begin(), c.candidates.end(), id) == 0) others.push_back(id);
      }
      for (size_t k = 0; k < c.labels.size(); ++k) {
        if (c.label_classes[k] < num_masked) c.labels[k] = others[k];
      }
      c.Number();
      SCOPED_TRACE(std::to_string(num_masked) + " masked, " + std::to_string(repeats) + " repeats");
      for (const LossKind kind : kKinds) {
        for (const bool remove : {false, true}) {
          ExpectIsTheDefinition(c, {kind, remove, true, true});
        }
      }
    }
  }
}

TYPED_TEST(SampledForwardTest, MaskedLabelsHaveInfiniteLoss) {
  for (const LossKind kind : kKinds) {
    for (const int64_t at : {0, 150}) {
      SampledCase<TypeParam> c({2, 1, 200, 100, 9}, 1.0, 16);
      c.labels = {c.class_ids[at], c.class_ids[at + 1]};
      c.Number();
      Narrow(-kInfinity<TypeParam>, c.biases.Row(c.labels[0]));
      TestRuntime runtime = TestRuntime::Whole();
      const SampledForward<TypeParam> forward(runtime, c, {kind, true, true, true});
      EXPECT_EQ(forward.loss[0], kInfinity<TypeParam>);
      EXPECT_NEAR(forward.label_logit_grad[0], -1, 1e-6);
      EXPECT_TRUE(std::isfinite(forward.loss[1]));
    }
  }
}

// Also if all classes of one block, of several or of all are masked or dropped.
TYPED_TEST(SampledForwardTest, WhatIsKeptIsFinite) {
  const int64_t block = ColumnBlocks(500).block;
  ASSERT_GT(ColumnBlocks(500).count(), 2);
  for (const int64_t num_masked : {int64_t{0}, int64_t{1}, block, 2 * block, int64_t{540}}) {
    for (const bool labels_are_candidates : {false, true}) {
      for (const SampledOptions& options : AllSampledOptions()) {
        SampledCase<TypeParam> c({66, 2, 500, 100, 9}, 1.0, 20);
        if (labels_are_candidates) {
          for (size_t k = 0; k < c.labels.size(); ++k) c.labels[k] = c.class_ids[k];
          c.Number();
        }
        for (int64_t n = 0; n < std::min(num_masked, c.classes); ++n) {
          Narrow(-kInfinity<TypeParam>, c.biases.Row(c.class_ids[n]));
        }
        TestRuntime runtime = TestRuntime::Whole();
        const SampledForward<TypeParam> forward(runtime, c, options);
        SCOPED_TRACE(NameOf(options) + ", masked: " + std::to_string(num_masked));
        EXPECT_TRUE(AllFinite(forward.label_logit_grad));
        EXPECT_TRUE(AllFinite(forward.scales));
        EXPECT_TRUE(AllFinite(forward.slopes));
        for (int64_t i = 0; i < c.rows; ++i) {
          const bool masked = options.with_biases && (c.label_classes[2 * i] < num_masked ||
                                                      c.label_classes[2 * i + 1] < num_masked);
          if (masked) {
            EXPECT_EQ(forward.loss[i], kInfinity<TypeParam>) << i;
          } else {
            EXPECT_TRUE(std::isfinite(forward.loss[i])) << i;
          }
        }
      }
    }
  }
}

// The logit of an accidental hit is far above all others, and its logit as a label far below.
TYPED_TEST(SampledForwardTest, LargestLogitMayBeDropped) {
  using A = Accumulator<TypeParam>;
  for (const LossKind kind : kKinds) {
    SampledCase<TypeParam> c({4, 1, 200, 0, 9}, 1.0, 17);
    for (int64_t i = 0; i < c.rows; ++i) {
      const int64_t column = i * 60;
      c.labels[i] = c.candidates[column];
      c.sample_log_q[column] = A(-1000 - i);
      c.label_log_q[i] = A(1000);
    }
    c.Number();
    // Each row drops its own hit, and keeps the hits of other rows.
    ExpectIsTheDefinition(c, {kind, true, true, true});
    // All rows have the same hit, so no other large logit takes its place.
    std::fill(c.labels.begin(), c.labels.end(), c.candidates[0]);
    for (int64_t i = 1; i < c.rows; ++i) c.sample_log_q[i * 60] = A(0);
    c.Number();
    ExpectIsTheDefinition(c, {kind, true, true, true});
  }
}

// The exponentials of all other logits vanish next to that of zero: a dropped block must not put a
// zero among the largest logits.
TYPED_TEST(SampledForwardTest, DroppedBlocksDoNotRaiseTheLargestLogit) {
  ForDroppedBlocks<TypeParam>(-30000, ExpectIsTheDefinition<TypeParam>);
}

TYPED_TEST(SampledForwardTest, ThrowsWhenThereIsNoMemory) {
  const SampledCase<TypeParam> c({70, 2, 200, 20, 9}, 1.0, 19);
  std::vector<SampledOptions> all = OptionsOfLosses();
  all.push_back({LossKind::kSoftmax, true, true, true});
  all.push_back({LossKind::kNce, true, true, true});
  for (const SampledOptions& options : all) {
    if (options.loss.corrected_log_q) continue;  // it takes one label
    TestRuntime unlimited = TestRuntime::Whole();
    SampledForward<TypeParam>(unlimited, c, options);
    for (int64_t limit = 0; limit < unlimited.allocations(); ++limit) {
      TestRuntime runtime = TestRuntime::Whole();
      runtime.LimitAllocations(limit);
      EXPECT_THROW(SampledForward<TypeParam>(runtime, c, options), std::bad_alloc);
    }
  }
}

}  // namespace
}  // namespace candsamp
