// SPDX-License-Identifier: Apache-2.0
// Ranks of labels: first the labels' own logits, then a count of better ones in each tile.
#include "cc/lib/exact/label_ranks.h"

#include <algorithm>

#include "cc/lib/exact/logit_order.h"

namespace candsamp {
namespace {

template <typename W>
class Ranking {
 public:
  using A = Accumulator<W>;

  Ranking(Runtime& runtime, const Scoring<W>& scoring, const ExcludedClasses& excluded,
          const int64_t* labels, int64_t num_true, int64_t* ranks)
      : runtime_(runtime),
        excluded_(excluded),
        labels_(labels),
        num_true_(num_true),
        ranks_(ranks),
        panels_(runtime, scoring, 0, 1),
        size_(scoring.rows * num_true),
        logits_(runtime.Allocate<A>(size_)),
        counts_(runtime.Allocate<int64_t>(panels_.panel_blocks() * size_)) {}

  void Run() {
    panels_.LogitsOf(labels_, num_true_, logits_);
    std::fill_n(counts_, panels_.panel_blocks() * size_, 0);
    panels_.ForEachPanel([&](int64_t first, int64_t count) {
      panels_.ForEachTile(count, num_true_,
                          [&](int64_t r, int64_t slot) { RunTile(r, slot, first + slot); });
    });
    std::fill_n(ranks_, size_, 0);
    for (int64_t slot = 0; slot < panels_.panel_blocks(); ++slot) {
      for (int64_t k = 0; k < size_; ++k) ranks_[k] += counts_[slot * size_ + k];
    }
  }

 private:
  void RunTile(int64_t r, int64_t slot, int64_t b) const {
    alignas(64) A tile[LogitPanels<W>::kTileSize];
    panels_.Logits(r, slot, b, tile);
    const Blocks& rows = panels_.rows();
    for (int64_t i = 0; i < rows.length(r); ++i) {
      const int64_t row = rows.begin(r) + i;
      const A* const z = tile + i * LogitPanels<W>::kWidth;
      for (int64_t k = row * num_true_; k < (row + 1) * num_true_; ++k) {
        counts_[slot * size_ + k] += CountBetter(row, k, b, z);
      }
    }
  }

  // How many classes of a block are better than a label.
  int64_t CountBetter(int64_t row, int64_t label, int64_t b, const A* z) const {
    const int64_t first = panels_.columns().begin(b), length = panels_.columns().length(b);
    const ScoredClass<A> own = {logits_[label], labels_[label]};
    const BetterThan<A> better(own.logit);
    const int64_t lower = std::clamp<int64_t>(own.id - first, 0, length);
    const int64_t higher = std::clamp<int64_t>(own.id - first + 1, 0, length);
    int64_t count =
        better.CountLowerIds(z, lower) + better.CountHigherIds(z + higher, length - higher);
    excluded_.ForIds(row, first, first + length, [&](int64_t id) {
      if (id != own.id && IsBetter<A>({z[id - first], id}, own)) --count;
    });
    return count;
  }

  Runtime& runtime_;
  const ExcludedClasses& excluded_;
  const int64_t* labels_;
  const int64_t num_true_;
  int64_t* ranks_;
  LogitPanels<W> panels_;
  const int64_t size_;
  A* logits_;        // [rows, num_true]
  int64_t* counts_;  // [slots, rows, num_true]
};

}  // namespace

template <typename W>
void LabelRanks(Runtime& runtime, const Scoring<W>& scoring, const ExcludedClasses& excluded,
                const int64_t* labels, int64_t num_true, int64_t* ranks) {
  Ranking<W>(runtime, scoring, excluded, labels, num_true, ranks).Run();
}

#define CANDSAMP_INSTANTIATE(W)                                                                    \
  template void LabelRanks<W>(Runtime&, const Scoring<W>&, const ExcludedClasses&, const int64_t*, \
                              int64_t, int64_t*);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
