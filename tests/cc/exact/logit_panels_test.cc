// SPDX-License-Identifier: Apache-2.0
// Logits, tile by tile: against their definition, and the same bits wherever a class or input is.
#include "cc/lib/exact/logit_panels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "cc/lib/core/instruction_set.h"
#include "cc/lib/matrix/matrix_loops_isa.h"
#include "tests/cc/exact/exact_case.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

template <typename W>
std::vector<Accumulator<W>> AllLogits(Runtime& runtime, const Scoring<W>& scoring) {
  using A = Accumulator<W>;
  LogitPanels<W> panels(runtime, scoring, 0, 1);
  std::vector<A> logits(scoring.rows * scoring.num_classes);
  panels.ForEachPanel([&](int64_t first, int64_t count) {
    panels.ForEachTile(count, 1, [&](int64_t r, int64_t slot) {
      std::vector<A> tile(LogitPanels<W>::kTileSize);
      panels.Logits(r, slot, first + slot, tile.data());
      const Blocks &rows = panels.rows(), &columns = panels.columns();
      for (int64_t i = 0; i < rows.length(r); ++i) {
        std::copy_n(&tile[i * LogitPanels<W>::kWidth], columns.length(first + slot),
                    &logits[(rows.begin(r) + i) * columns.size + columns.begin(first + slot)]);
      }
    });
  });
  return logits;
}

// The matrix loops of every instruction set that this machine has, and those of bfloat16.
template <typename A>
std::vector<const MatrixLoops<A>*> AllMatrices() {
  std::vector<const MatrixLoops<A>*> all;
  if constexpr (std::is_same_v<A, float>) {
    all = {&baseline::kFloatMatrices, &avx2::kFloatMatrices, &avx512::kFloatMatrices};
  } else {
    all = {&baseline::kDoubleMatrices, &avx2::kDoubleMatrices, &avx512::kDoubleMatrices};
  }
  all.resize(std::min(all.size(), static_cast<size_t>(ChosenInstructionSet()) + 1));
  if constexpr (std::is_same_v<A, float>) all.push_back(&ChosenBfloat16MatrixLoops());
  return all;
}

template <typename W>
class LogitPanelsTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(LogitPanelsTest, Types);

TYPED_TEST(LogitPanelsTest, AreTheDefinition) {
  using A = Accumulator<TypeParam>;
  for (const ExactShape& shape : {ExactShape{1, 1, 1}, {9, 193, 5}, {131, 400, 37}, {3, 3000, 0}}) {
    for (const LogitOptions& options : VariousOptions()) {
      for (const bool whole : {false, true}) {
        const ExactCase<TypeParam> c(shape, options, 1, whole);
        TestRuntime runtime = TestRuntime::RandomCuts(2);
        const std::vector<A> logits = AllLogits<TypeParam>(runtime, c.Scored());
        for (int64_t i = 0; i < shape.rows; ++i) {
          for (int64_t id = 0; id < shape.classes; ++id) {
            ASSERT_NEAR(logits[i * shape.classes + id], c.Logit(i, id),
                        100 * std::numeric_limits<A>::epsilon())
                << i << ", " << id;
          }
        }
      }
    }
  }
}

// 37 rows of a table and 11 inputs, each at many places of tiles, blocks and the tails of both.
TYPED_TEST(LogitPanelsTest, BitsDoNotDependOnThePlace) {
  using A = Accumulator<TypeParam>;
  for (const int64_t depth : {1, 7, 64, 133}) {
    for (const LogitOptions& options : VariousOptions()) {
      ExactCase<TypeParam> c({139, 1013, depth}, options, 3);
      for (int64_t id = 37; id < c.shape.classes; ++id) {
        std::copy_n(c.weights.Row(id % 37), depth, c.weights.Row(id));
        *c.biases.Row(id) = *c.biases.Row(id % 37);
      }
      for (int64_t i = 11; i < c.shape.rows; ++i) {
        std::copy_n(&c.inputs[i % 11 * depth], depth, &c.inputs[i * depth]);
      }
      for (const MatrixLoops<A>* matrices : AllMatrices<A>()) {
        TestRuntime runtime = TestRuntime::Whole();
        const std::vector<A> logits = AllLogits<TypeParam>(runtime, c.Scored(*matrices));
        for (int64_t i = 0; i < c.shape.rows; ++i) {
          for (int64_t id = 0; id < c.shape.classes; ++id) {
            ASSERT_TRUE(SameBits(logits[i * c.shape.classes + id],
                                 logits[i % 11 * c.shape.classes + id % 37]))
                << i << ", " << id;
          }
        }
      }
    }
  }
}

TYPED_TEST(LogitPanelsTest, LogitsOfClassesHaveTheBitsOfTiles) {
  using A = Accumulator<TypeParam>;
  for (const int64_t rows : {1, 8, 70, 700}) {
    for (const LogitOptions& options : VariousOptions()) {
      const ExactCase<TypeParam> c({rows, 500, 29, 3}, options, 4);
      for (const MatrixLoops<A>* matrices : AllMatrices<A>()) {
        TestRuntime runtime = TestRuntime::RandomCuts(5);
        const std::vector<A> logits = AllLogits<TypeParam>(runtime, c.Scored(*matrices));
        const LogitPanels<TypeParam> panels(runtime, c.Scored(*matrices), 0, 1);
        std::vector<A> of_labels(c.labels.size());
        panels.LogitsOf(c.labels.data(), 3, of_labels.data());
        for (size_t k = 0; k < c.labels.size(); ++k) {
          ASSERT_TRUE(
              SameBits(of_labels[k], logits[static_cast<int64_t>(k) / 3 * 500 + c.labels[k]]));
        }
      }
    }
  }
}

// Panels of few rows are long, and scratch that somebody keeps of each row makes them short.
TYPED_TEST(LogitPanelsTest, PanelsFitTheBatch) {
  const ExactCase<TypeParam> few({2, 30'000, 4}, {}, 6);
  TestRuntime runtime = TestRuntime::Whole();
  const Scoring<TypeParam> scoring = few.Scored();
  EXPECT_GT(LogitPanels<TypeParam>(runtime, scoring, 0, 1).panel_blocks(), PanelBlocks(4));
  const ExactCase<TypeParam> many({60'000, 10'000, 1, 0}, {}, 6);
  const LogitPanels<TypeParam> kept(runtime, many.Scored(), 1, 1);
  EXPECT_EQ(kept.panel_blocks(), 1);
  const LogitPanels<TypeParam> at_least(runtime, many.Scored(), 1, 4);
  EXPECT_EQ(at_least.panel_blocks(), 4);
}

}  // namespace
}  // namespace candsamp
