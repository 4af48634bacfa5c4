// SPDX-License-Identifier: Apache-2.0
// The batches on which the dense losses, and their gradients, are compared with their definition.
#ifndef TF_CANDSAMP_TESTS_CC_LOSSES_SAMPLED_CASES_H_
#define TF_CANDSAMP_TESTS_CC_LOSSES_SAMPLED_CASES_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "cc/lib/losses/loss_kind.h"
#include "cc/lib/losses/tiling.h"
#include "tests/cc/losses/sampled_case.h"

namespace candsamp {

constexpr LossKind kKinds[] = {LossKind::kSoftmax, LossKind::kNce};

// Shapes around the sizes of blocks and panels.
inline std::vector<SampledShape> AllSampledShapes() {
  constexpr int64_t kDeep = kShortDepth + 4;
  const int64_t rows = RowBlocks(1).block;
  const int64_t panel = PanelBlocks(1) * kColumnBlock,
                deep_panel = PanelBlocks(kDeep) * kColumnBlock;
  return {{1, 1, 0, 0, 5},
          {rows + 1, 2, 0, 0, 7},
          {1, 1, 1, 0, 1},
          {1, 1, 1, 9, 8, 0},
          {3, 2, 1, 300, 3, 0},
          {rows - 1, 1, kColumnBlock - 1, 0, 5},
          {rows, 1, kColumnBlock, 1, 16},
          {rows + 1, 2, kColumnBlock + 1, 200, 9},
          {2 * rows + 1, 3, 2 * kColumnBlock - 1, 0, 3},
          {2, 4, 2 * kColumnBlock, 3, 64},
          {5, 1, 2 * kColumnBlock + 1, 0, 100},
          {1, 1, panel - 1, 0, 3},
          {rows + 1, 1, panel, 0, 2},
          {3, 2, panel + 1, 50, 17},
          {2, 1, deep_panel, 0, kDeep},
          {3, 1, deep_panel + 1, 3, kDeep},
          {2, 130, 300, 20, 6},
          {kManyRows + 1, 1, kColumnBlock + 8, 3, 4}};
}

// A batch of two rows, all of whose logits are near `level`. The labels of both rows are the
// columns of `block`, so that it is dropped whole.
template <typename W>
SampledCase<W> CaseWithADroppedBlock(int64_t columns, int64_t block, double level) {
  using A = Accumulator<W>;
  const Blocks blocks = ColumnBlocks(columns);
  SampledCase<W> c({2, blocks.length(block), columns, 20, 9}, 1.0, 18);
  for (int64_t k = 0; k < c.rows * c.num_true; ++k) {
    c.labels[k] = c.class_ids[blocks.begin(block) + k % c.num_true];
    c.label_log_q[k] -= A(level);
  }
  for (A& q : c.sample_log_q) q -= A(level);
  c.Number();
  return c;
}

// Whether every column of a block is a label of the row.
template <typename W>
bool IsDroppedWhole(const SampledCase<W>& c, int64_t row, int64_t block) {
  const Blocks blocks = ColumnBlocks(c.columns);
  for (int64_t j = blocks.begin(block); j < blocks.begin(block) + blocks.length(block); ++j) {
    if (!c.IsLabelOf(row, c.class_ids[j])) return false;
  }
  return true;
}

// Each of the following calls check(case, options), which compares with the definition.

template <typename W, typename Check>
void ForOneToFourLabels(Check check) {
  for (const int64_t num_true : {1, 2, 3, 4}) {
    const SampledCase<W> c({70, num_true, 100, 30, 19}, 1.0, num_true);
    SCOPED_TRACE(num_true);
    for (const SampledOptions& options : AllSampledOptions()) check(c, options);
  }
}

template <typename W, typename Check>
void ForVariousShapes(Check check) {
  for (const SampledShape& shape : AllSampledShapes()) {
    SCOPED_TRACE(NameOf(shape));
    const SampledCase<W> c(shape, 1.0, 2);
    for (const LossKind kind : kKinds) {
      check(c, {kind, true, true, true});
      check(c, {kind, false, true, false});
    }
  }
}

template <typename W, typename Check>
void ForVariousDepths(Check check) {
  for (const int64_t depth : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{15}, int64_t{16},
                              int64_t{33}, kShortDepth + 1}) {
    SCOPED_TRACE(depth);
    const SampledCase<W> c({5, 2, 100, 7, depth}, 1.0, 3);
    for (const LossKind kind : kKinds) {
      check(c, {kind, true, true, true});
      check(c, {kind, true, true, false});
    }
  }
}

// Logits hundreds apart: most exponentials vanish.
template <typename W, typename Check>
void ForLargeLogits(Check check) {
  const SampledCase<W> c({66, 2, 200, 50, 19}, 60.0, 4);
  for (const SampledOptions& options : AllSampledOptions()) check(c, options);
}

// One distribution gives repeats of a candidate equal expected counts.
template <typename W, typename Check>
void ForRepeatsOfEqualOffsets(Check check) {
  SampledCase<W> c({5, 2, 100, 200, 9}, 1.0, 5);
  for (size_t k = 0; k < c.candidates.size(); ++k) {
    c.sample_log_q[k] = static_cast<Accumulator<W>>(c.candidates[k] % 7);
  }
  for (const SampledOptions& options : AllSampledOptions()) check(c, options);
}

template <typename W, typename Check>
void ForRowsWithoutLabels(Check check) {
  for (const int64_t columns : {0, 1, 100}) {
    const SampledCase<W> c({5, 0, columns, columns, 9}, 1.0, 6);
    check(c, {LossKind::kNce, true, true, true});
  }
}

template <typename W, typename Check>
void ForNoRows(Check check) {
  for (const SampledShape& shape :
       {SampledShape{0, 1, 0, 0, 3}, SampledShape{0, 2, 100, 5, 3}, SampledShape{0, 1, 1, 0, 0}}) {
    const SampledCase<W> c(shape, 1.0, 7);
    for (const SampledOptions& options : AllSampledOptions()) check(c, options);
  }
}

// Each block dropped whole, alone and beside others, of logits near `level`.
template <typename W, typename Check>
void ForDroppedBlocks(double level, Check check) {
  int beside_others = 0;
  for (const int64_t columns :
       {kColumnBlock, kColumnBlock + 1, 2 * kColumnBlock, 2 * kColumnBlock + 1}) {
    const int64_t blocks = ColumnBlocks(columns).count();
    for (const int64_t block : {int64_t{0}, blocks - 1}) {
      SCOPED_TRACE(testing::Message() << "block " << block << " of " << columns << " columns");
      const SampledCase<W> c = CaseWithADroppedBlock<W>(columns, block, level);
      for (int64_t row = 0; row < c.rows; ++row) {
        for (int64_t b = 0; b < blocks; ++b) {
          ASSERT_EQ(IsDroppedWhole(c, row, b), b == block) << "block " << b << ", row " << row;
          beside_others += b != block;
        }
      }
      for (const LossKind kind : kKinds) check(c, {kind, true, true, true});
    }
  }
  ASSERT_GT(beside_others, 0) << "no block is dropped beside another one";
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_LOSSES_SAMPLED_CASES_H_
