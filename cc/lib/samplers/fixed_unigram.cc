// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/samplers/fixed_unigram.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cc/lib/sampler_math/sampler_loops.h"
#include "cc/lib/samplers/unigram_weights.h"

namespace candsamp {

// The columns are paired in TensorFlow's order, from the tops of two stacks, since another order is
// another table and so other draws. The two stacks share one array, and grow from its ends towards
// the middle.
FixedUnigram::FixedUnigram(const float* weights, int64_t range)
    : Distribution(range), weights_(weights), columns_(new AliasColumn[range]) {
  const auto weight = [&](int64_t k) { return CanBeDrawn(weights[k]) ? weights[k] : 0.0f; };
  for (int64_t k = 0; k < range; ++k) {
    total_ += weight(k);
    support_ += weight(k) > 0;
  }
  const std::unique_ptr<double[]> share(new double[range]);
  const std::unique_ptr<uint32_t[]> stacks(new uint32_t[range]);
  int64_t low = 0, high = range;  // small shares lie before `low`, large ones from `high` on
  for (int64_t k = 0; k < range; ++k) {
    // The product in single precision, as TensorFlow takes it, unless that overflows.
    const float product = weight(k) * static_cast<float>(range);
    share[k] =
        std::isfinite(product) ? product / total_ : static_cast<double>(weight(k)) * range / total_;
    if (share[k] < 1.0) {
      stacks[low++] = static_cast<uint32_t>(k);
    } else {
      stacks[--high] = static_cast<uint32_t>(k);
    }
    columns_[k].alias = static_cast<uint32_t>(k);
  }
  while (low > 0 && high < range) {
    const uint32_t small = stacks[--low];
    const uint32_t large = stacks[high++];
    columns_[small].alias = large;
    share[large] -= 1.0 - share[small];
    if (share[large] < 1.0) {
      stacks[low++] = large;
    } else {
      stacks[--high] = large;
    }
  }
  for (int64_t k = 0; k < range; ++k) columns_[k].keep = static_cast<float>(share[k]);
  // Rounding may leave columns without a partner. They keep their own class. One without weight
  // must never be drawn, so it gives the heaviest class instead. (TensorFlow can draw such a
  // class.)
  const auto heaviest = static_cast<uint32_t>(std::max_element(weights, weights + range) - weights);
  for (int64_t k = 0; k < low; ++k) {
    if (weight(stacks[k]) > 0) {
      columns_[stacks[k]].keep = 1.0f;
    } else {
      columns_[stacks[k]].keep = 0.0f;
      columns_[stacks[k]].alias = heaviest;
    }
  }
  for (int64_t k = high; k < range; ++k) columns_[stacks[k]].keep = 1.0f;
  for (int64_t k = 0; k < range; ++k) {
    columns_[k].weight = weights[k];
    columns_[k].alias_weight = weights[columns_[k].alias];
  }
}

namespace {

// The 32-bit words of a stream in order.
class Words {
 public:
  Words(const PhiloxStream& stream, uint64_t position) : stream_(stream), position_(position) {
    Fill();
  }
  // The words that can be read before Fill.
  int64_t left() const { return end_ - at_; }
  const uint32_t* next() const { return words_ + at_; }
  void Skip(int64_t count) {
    at_ += count;
    position_ += count;
  }
  uint64_t position() const { return position_; }
  void Fill() {
    alignas(64) uint64_t bits[kWords / 2];
    ChosenSamplerLoops().philox(stream_, position_ / 4, kWords / 4, bits);
    std::memcpy(words_, bits, sizeof words_);
    at_ = static_cast<int64_t>(position_ % 4);
    end_ = kWords;
  }

 private:
  static constexpr int64_t kWords = 1024;
  PhiloxStream stream_;
  uint64_t position_;
  int64_t at_ = 0, end_ = 0;
  uint32_t words_[kWords];
};

}  // namespace

// A draw takes one word for the fraction and then one for the column, and further ones while the
// column is rejected. That order is serial. The lookups after it run in parallel.
void FixedUnigram::Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position,
                        int64_t count, int64_t* out, const ExpectedCountOutput* counts) const {
  const SamplerLoops& loops = ChosenSamplerLoops();
  const ColumnRange column_range = MakeColumnRange(static_cast<uint32_t>(range()));
  // Draws after a rejection are repeated, so a batch ends where one is expected.
  const int64_t batch = (int64_t{1} << 32) / std::max<int64_t>(column_range.rejected, 1);
  Words words(stream, *position);
  for (int64_t k = 0; k < count;) {
    if (words.left() < 2) words.Fill();
    const int64_t most = std::min({words.left() / 2, count - k, batch});
    const uint32_t* next = words.next();
    if (!loops.columns(next, most, column_range, out + k)) {
      words.Skip(2 * most);
      k += most;
      continue;
    }
    int64_t taken = 0;
    while (next[2 * taken + 1] >= column_range.rejected) ++taken;
    // The fraction stays. The column is drawn until it is not rejected.
    const uint32_t fraction = next[2 * taken];
    words.Skip(2 * taken + 1);
    uint32_t word;
    do {
      if (words.left() < 1) words.Fill();
      word = *words.next();
      words.Skip(1);
    } while (word < column_range.rejected);
    k += taken;
    out[k++] = ColumnAndFraction(fraction, word, column_range);
  }
  *position = words.position();

  constexpr int64_t kAhead = 32;
  const AliasColumn* columns = columns_.get();
  runtime.ParallelFor(count, 12, [&](int64_t begin, int64_t end) {
    const auto column_of = [&](int64_t k) { return static_cast<uint64_t>(out[k]) >> 32; };
    for (int64_t at = begin; at < end; at += kDrawChunk) {
      const int64_t chunk_end = std::min(end, at + kDrawChunk);
      float weights[kDrawChunk];  // of the draws
      for (int64_t k = at; k < chunk_end; ++k) {
        if (k + kAhead < end) __builtin_prefetch(&columns[column_of(k + kAhead)], 0, 2);
        const uint64_t id = column_of(k);
        const WeightedClass drawn = ChooseOfColumn(columns[id], id, static_cast<uint32_t>(out[k]));
        out[k] = drawn.id;
        weights[k - at] = drawn.weight;
      }
      if (counts) {
        const double inverse = 1.0 / total_;
        for (int64_t k = at; k < chunk_end; ++k) {
          counts->out[k] = static_cast<float>(weights[k - at] * inverse * counts->factor);
        }
      }
    }
  });
}

void FixedUnigram::Probabilities(const int64_t* ids, int64_t count, double* out) const {
  constexpr int64_t kAhead = 32;
  const double inverse = 1.0 / total_;
  for (int64_t k = 0; k < count; ++k) {
    if (k + kAhead < count) __builtin_prefetch(&weights_[ids[k + kAhead]]);
    const float weight = weights_[ids[k]];
    out[k] = CanBeDrawn(weight) ? weight * inverse : 0.0;
  }
}

}  // namespace candsamp
