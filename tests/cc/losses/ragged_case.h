// SPDX-License-Identifier: Apache-2.0
// A random ragged batch with its tables and inputs, for tests of the ragged losses.
#ifndef TF_CANDSAMP_TESTS_CC_LOSSES_RAGGED_CASE_H_
#define TF_CANDSAMP_TESTS_CC_LOSSES_RAGGED_CASE_H_

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "cc/lib/classes/ragged_ids.h"
#include "cc/lib/core/half.h"
#include "tests/cc/rows/test_table.h"

namespace candsamp {

struct RowSize {
  int64_t labels;
  int64_t candidates;
};

template <typename W>
struct RaggedCase {
  using A = Accumulator<W>;

  // Three shards and one without rows. Logits are about `spread` large. Every tenth candidate is
  // one of its row's labels.
  RaggedCase(const std::vector<RowSize>& sizes, int64_t num_classes, int64_t depth, double spread,
             uint32_t seed)
      : RaggedCase(sizes, num_classes, depth, spread, std::mt19937(seed)) {}

  RaggedCase(const std::vector<RowSize>& sizes, int64_t num_classes, int64_t depth, double spread,
             std::mt19937 random)
      : rows(static_cast<int64_t>(sizes.size())),
        num_classes(num_classes),
        depth(depth),
        label_splits(rows + 1),
        candidate_splits(rows + 1),
        inputs(rows * depth),
        weights(
            {num_classes / 3, 0, num_classes / 2, num_classes - num_classes / 3 - num_classes / 2},
            depth, spread / std::sqrt(static_cast<double>(depth)), random),
        biases({num_classes / 2, num_classes - num_classes / 2}, 1, spread / 2, random) {
    for (int64_t i = 0; i < rows; ++i) {
      label_splits[i + 1] = label_splits[i] + sizes[i].labels;
      candidate_splits[i + 1] = candidate_splits[i] + sizes[i].candidates;
    }
    labels.resize(label_splits[rows]);
    candidates.resize(candidate_splits[rows]);
    label_log_q.resize(labels.size());
    candidate_log_q.resize(candidates.size());
    for (int64_t& id : labels) id = static_cast<int64_t>(random() % num_classes);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t k = candidate_splits[i]; k < candidate_splits[i + 1]; ++k) {
        candidates[k] = static_cast<int64_t>(random() % num_classes);
        if (sizes[i].labels > 0 && random() % 10 == 0) {
          candidates[k] = labels[label_splits[i] + random() % sizes[i].labels];
        }
      }
    }
    std::normal_distribution<A> normal;
    for (A& x : inputs) x = normal(random);
    for (float& q : label_log_q) q = static_cast<float>(normal(random));
    for (float& q : candidate_log_q) q = static_cast<float>(normal(random));
  }

  RaggedBatch Batch(bool with_log_q = true) const {
    return {rows,
            {labels.data(), label_splits.data()},
            {candidates.data(), candidate_splits.data()},
            with_log_q ? label_log_q.data() : nullptr,
            with_log_q ? candidate_log_q.data() : nullptr};
  }

  long double Dot(int64_t row, int64_t id) const {
    long double sum = 0;
    for (int64_t d = 0; d < depth; ++d) {
      sum += static_cast<long double>(inputs[row * depth + d]) * Widen(weights.Row(id)[d]);
    }
    return sum;
  }

  int64_t rows, num_classes, depth;
  std::vector<int64_t> label_splits, labels, candidate_splits, candidates;
  std::vector<float> label_log_q, candidate_log_q;
  std::vector<A> inputs;
  TestTable<W> weights, biases;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_LOSSES_RAGGED_CASE_H_
