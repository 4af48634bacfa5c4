// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/losses/sampled_logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cc/lib/rows/row_loops.h"

namespace candsamp {
namespace {

// log(exp(a) + exp(b)). Also right if both are minus infinity.
template <typename A>
A LogAddExp(A a, A b) {
  if (a == b) return a + std::log(A(2));
  return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}

}  // namespace

template <typename A>
SampledLogits<A>::SampledLogits(Runtime& runtime, const SampledBatch& batch,
                                const A* sample_offsets)
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
  if (batch.kind == LossKind::kNce && batch.columns < batch.num_sampled) {
    FindRepeats(runtime, sample_offsets);
  }
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
    std::copy_n(offsets_ + columns().begin(block), count, z + i * count);
  }
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

template <typename A>
BlockSum<A> SampledLogits<A>::Reduce(int64_t row, int64_t block, A* z) const {
  const LogitLoops<A>& loops = ChosenLogitLoops<A>();
  const int64_t count = columns().length(block);
  const A max = Drop(row, block, z);
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
