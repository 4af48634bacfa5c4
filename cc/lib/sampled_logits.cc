#include "cc/lib/sampled_logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cc/lib/row_kernels.h"

namespace candsamp {
namespace {

// log(exp(a) + exp(b)); minus infinity for two of them.
template <typename A>
A LogAddExp(A a, A b) {
  if (a == b) return a + std::log(A(2));
  return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}

}  // namespace

template <typename A>
SampledLogits<A>::SampledLogits(Host& host, const SampledBatch& batch, const A* sample_offsets)
    : batch_(batch),
      offsets_(host.Allocate<A>(batch.columns)),
      first_repeat_(host.Allocate<int64_t>(columns().count() + 1)) {
  std::fill_n(first_repeat_, columns().count() + 1, 0);
  // Columns are numbered as they first occur.
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
    FindRepeats(host, sample_offsets);
  }
}

template <typename A>
void SampledLogits<A>::FindRepeats(Host& host, const A* sample_offsets) {
  const int64_t blocks = columns().count();
  const auto for_each = [&](auto use) {
    int64_t seen = 0;
    for (int64_t k = 0; k < batch_.num_sampled; ++k) {
      const int64_t column = batch_.sample_columns[k];
      if (column == seen) {
        ++seen;
      } else {
        // Infinities have no difference.
        const A offset = sample_offsets[k], of_first = offsets_[column];
        use(column, offset == of_first ? A(0) : offset - of_first);
      }
    }
  };
  for_each([&](int64_t column, A) { ++first_repeat_[column / kColumnBlock + 1]; });
  for (int64_t b = 0; b < blocks; ++b) first_repeat_[b + 1] += first_repeat_[b];
  repeat_columns_ = host.Allocate<int64_t>(first_repeat_[blocks]);
  repeat_shifts_ = host.Allocate<A>(first_repeat_[blocks]);
  int64_t* next = host.Allocate<int64_t>(blocks);
  std::copy_n(first_repeat_, blocks, next);
  for_each([&](int64_t column, A shift) {
    const int64_t at = next[column / kColumnBlock]++;
    repeat_columns_[at] = column % kColumnBlock;
    repeat_shifts_[at] = shift;
  });
}

template <typename A>
A SampledLogits<A>::OfRow(int64_t row, int64_t block, const A* dots, A* z) const {
  const int64_t count = columns().length(block);
  A max = ChosenLogitKernels<A>().add(dots, offsets_ + block * kColumnBlock, count, z);
  if (!batch_.remove_accidental_hits) return max;
  bool dropped = false;
  ForLabels(row, block, [&](int64_t, int64_t column) {
    z[column] = -std::numeric_limits<A>::infinity();
    dropped = true;
  });
  // What is dropped may be larger than the rest by any amount.
  if (dropped) max = *std::max_element(z, z + count);
  return max;
}

template class SampledLogits<float>;
template class SampledLogits<double>;

}  // namespace candsamp
