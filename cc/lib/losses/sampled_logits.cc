// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/losses/sampled_logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cc/lib/logits/logit_option_loops.h"
#include "cc/lib/rows/row_loops.h"

namespace candsamp {
template <typename A>
SampledLogits<A>::SampledLogits(Runtime& runtime, const SampledBatch& batch,
                                const A* sample_offsets, const A* sample_biases)
    : batch_(batch),
      offsets_(runtime.Allocate<A>(batch.columns)),
      first_repeat_(runtime.Allocate<int64_t>(columns().count() + 1)) {
  std::fill_n(first_repeat_, columns().count() + 1, 0);
  if (batch.remove_accidental_hits && batch.sample_hits != nullptr) {
    hits_.emplace(runtime, batch.label_hits, batch.num_labels(), batch.sample_hits,
                  batch.sample_columns, batch.num_sampled);
  }
  // Columns have their numbers in the order in which they first occur.
  int64_t seen = 0;
  for (int64_t k = 0; k < batch.num_sampled; ++k) {
    const int64_t column = batch.sample_columns[k];
    if (column == seen) {
      offsets_[seen++] = sample_offsets[k];
    } else if (batch.kind == LossKind::kSoftmax) {
      offsets_[column] = LogAddExp(offsets_[column], sample_offsets[k]);
    }
  }
  if (batch.options.logit.softcap != 0) {
    biases_ = runtime.Allocate<A>(batch.columns);
    for (int64_t k = 0; k < batch.num_sampled; ++k) {
      biases_[batch.sample_columns[k]] = sample_biases[k];
    }
  }
  if (batch.options.corrected_log_q) {
    draws_ = runtime.Allocate<int64_t>(batch.columns);
    std::fill_n(draws_, batch.columns, 0);
    for (int64_t k = 0; k < batch.num_sampled; ++k) ++draws_[batch.sample_columns[k]];
  }
  if (batch.columns == batch.num_sampled) return;
  if (batch.kind == LossKind::kNce) FindRepeats(runtime, sample_offsets);
  if (batch.kind == LossKind::kSoftmax && batch.options.stats) FindGains(runtime, sample_offsets);
}

template <typename A>
void SampledLogits<A>::FindGains(Runtime& runtime, const A* sample_offsets) {
  gains_ = runtime.Allocate<A>(batch_.columns);
  std::fill_n(gains_, batch_.columns, -std::numeric_limits<A>::infinity());
  for (int64_t k = 0; k < batch_.num_sampled; ++k) {
    A& largest = gains_[batch_.sample_columns[k]];
    largest = std::max(largest, sample_offsets[k]);
  }
  for (int64_t c = 0; c < batch_.columns; ++c) gains_[c] = offsets_[c] - gains_[c];
}

template <typename A>
void SampledLogits<A>::FindRepeats(Runtime& runtime, const A* sample_offsets) {
  const int64_t blocks = columns().count();
  const auto for_each = [&](auto use) {
    int64_t seen = 0;
    for (int64_t k = 0; k < batch_.num_sampled; ++k) {
      const int64_t column = batch_.sample_columns[k];
      if (column == seen) {
        ++seen;
      } else {
        // Equal infinities have no difference.
        const A offset = sample_offsets[k], of_first = offsets_[column];
        use(column, offset == of_first ? A(0) : offset - of_first);
      }
    }
  };
  for_each([&](int64_t column, A) { ++first_repeat_[column / columns().block + 1]; });
  for (int64_t b = 0; b < blocks; ++b) first_repeat_[b + 1] += first_repeat_[b];
  repeat_columns_ = runtime.Allocate<int64_t>(first_repeat_[blocks]);
  repeat_shifts_ = runtime.Allocate<A>(first_repeat_[blocks]);
  int64_t* next = runtime.Allocate<int64_t>(blocks);
  std::copy_n(first_repeat_, blocks, next);
  for_each([&](int64_t column, A shift) {
    const int64_t at = next[column / columns().block]++;
    repeat_columns_[at] = column % columns().block;
    repeat_shifts_[at] = shift;
  });
}

template <typename A>
void SampledLogits<A>::Start(int64_t block, int64_t rows, A* z) const {
  const int64_t count = columns().length(block);
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n((biases_ ? biases_ : offsets_) + columns().begin(block), count, z + i * count);
  }
}

template <typename A>
int64_t SampledLogits<A>::DroppedDraws(int64_t row) const {
  int64_t dropped = 0;
  for (int64_t block = 0; block < columns().count(); ++block) {
    ForHits(row, block,
            [&](int64_t column) { dropped += draws_[columns().begin(block) + column]; });
  }
  return dropped;
}

template <typename A>
A SampledLogits<A>::Drop(int64_t row, int64_t block, A* z) const {
  const int64_t count = columns().length(block);
  const A max = ChosenLogitLoops<A>().largest(z, count);
  if (!batch_.remove_accidental_hits) return max;
  bool dropped = false;
  ForHits(row, block, [&](int64_t column) {
    z[column] = -std::numeric_limits<A>::infinity();
    dropped = true;
  });
  // A dropped logit may be larger than the rest by any amount.
  return dropped ? ChosenLogitLoops<A>().largest(z, count) : max;
}

// The largest logit of a single draw, in a block whose largest column is `max`.
template <typename A>
A SampledLogits<A>::LargestDraw(int64_t block, const A* z, A max) const {
  if (gains_ == nullptr) return max;
  const int64_t count = columns().length(block);
  const A* gains = gains_ + columns().begin(block);
  A draws[kColumnBlock];
  for (int64_t c = 0; c < count; ++c) draws[c] = z[c] - gains[c];
  return ChosenLogitLoops<A>().largest(draws, count);
}

template <typename A>
BlockStats<A> SampledLogits<A>::NceStats(int64_t block, const A* z, A max) const {
  const LogitLoops<A>& loops = ChosenLogitLoops<A>();
  const auto finite = [](A m) { return m == -std::numeric_limits<A>::infinity() ? A(0) : m; };
  BlockStats<A> stats = {max, 0};
  ForRepeats(block, z, [&](int64_t count, const int64_t*, const A* of_repeats) {
    stats.largest = std::max(stats.largest, loops.largest(of_repeats, count));
  });
  A exps[kColumnBlock];
  stats.exps = loops.exp_minus(z, columns().length(block), finite(stats.largest), exps);
  ForRepeats(block, z, [&](int64_t count, const int64_t*, const A* of_repeats) {
    stats.exps += loops.exp_minus(of_repeats, count, finite(stats.largest), exps);
  });
  return stats;
}

template <typename A>
BlockSum<A> SampledLogits<A>::Reduce(int64_t row, int64_t block, A* z, BlockStats<A>* stats) const {
  if (biases_ == nullptr) return ReduceLogits(row, block, z, stats);
  const SoftcapLoops<A>& loops = ChosenSoftcapLoops<A>();
  const int64_t count = columns().length(block);
  A slopes[kColumnBlock];
  loops.softcap(z, offsets_ + columns().begin(block), count,
                static_cast<A>(batch_.options.logit.softcap), slopes);
  const BlockSum<A> sum = ReduceLogits(row, block, z, stats);
  loops.multiply(slopes, count, z);
  return sum;
}

template <typename A>
BlockSum<A> SampledLogits<A>::ReduceLogits(int64_t row, int64_t block, A* z,
                                           BlockStats<A>* stats) const {
  const LogitLoops<A>& loops = ChosenLogitLoops<A>();
  const int64_t count = columns().length(block);
  const A max = Drop(row, block, z);
  if (stats != nullptr) {
    *stats = batch_.kind == LossKind::kNce ? NceStats(block, z, max)
                                           : BlockStats<A>{LargestDraw(block, z, max), 0};
  }
  if (batch_.kind == LossKind::kSoftmax) {
    // Minus infinity minus itself would be NaN.
    const A reference = max == -std::numeric_limits<A>::infinity() ? A(0) : max;
    return {max, loops.exp_minus(z, count, reference, z)};
  }
  A logits[kColumnBlock];
  std::copy_n(z, first_repeat_[block] < first_repeat_[block + 1] ? count : 0, logits);
  A sum = loops.sigmoid_softplus(z, count, z);
  ForRepeats(block, logits, [&](int64_t repeats, const int64_t* of, A* of_repeats) {
    sum += loops.sigmoid_softplus(of_repeats, repeats, of_repeats);
    for (int64_t k = 0; k < repeats; ++k) z[of[k]] += of_repeats[k];
  });
  return {max, sum};
}

template class SampledLogits<float>;
template class SampledLogits<double>;

}  // namespace candsamp
