// SPDX-License-Identifier: Apache-2.0
// The best classes: the logits of a panel are kept, then each row looks through its own. Once a row
// has k classes, few later ones are above the worst of them, so a block is mostly one count.
#include "cc/lib/exact/top_classes.h"

#include <algorithm>

#include "cc/lib/exact/logit_order.h"
#include "cc/lib/logits/softcap.h"

namespace candsamp {
namespace {

template <typename W>
class Selection {
 public:
  using A = Accumulator<W>;

  Selection(Runtime& runtime, const Scoring<W>& scoring, const ExcludedClasses& excluded, int64_t k)
      : runtime_(runtime),
        excluded_(excluded),
        k_(k),
        softcap_(scoring.options.softcap),
        panels_(runtime, scoring, 1, 1),
        logits_(runtime.Allocate<A>(RoundUp(scoring.rows, LogitPanels<W>::kPadRows) * stride_)),
        best_(runtime.Allocate<ScoredClass<A>>(scoring.rows * k)),
        sizes_(runtime.Allocate<int64_t>(scoring.rows)) {}

  void Run(A* logits, int64_t* ids) {
    const int64_t rows = panels_.rows().size;
    std::fill_n(sizes_, rows, 0);
    panels_.ForEachPanel([&](int64_t first, int64_t count) {
      panels_.ForEachTile(count, 1, [&](int64_t r, int64_t slot) {
        panels_.Logits(r, slot, first + slot, TileOf(r, slot));
      });
      runtime_.ParallelFor(rows, count * LogitPanels<W>::kWidth / 8, [&](int64_t row, int64_t end) {
        for (; row < end; ++row) {
          for (int64_t slot = 0; slot < count; ++slot) Look(row, slot, first + slot);
        }
      });
    });
    runtime_.ParallelFor(rows, k_ * 30, [&](int64_t row, int64_t end) {
      for (; row < end; ++row) Write(row, logits + row * k_, ids + row * k_);
    });
  }

 private:
  A* TileOf(int64_t r, int64_t slot) const {
    const int64_t rows = RoundUp(panels_.rows().length(r), LogitPanels<W>::kPadRows);
    return logits_ + panels_.rows().begin(r) * stride_ + slot * rows * LogitPanels<W>::kWidth;
  }

  // Looks through a row's logits in a block. The row's best classes are a heap with the worst
  // first.
  void Look(int64_t row, int64_t slot, int64_t b) const {
    const Blocks& rows = panels_.rows();
    const int64_t r = row / rows.block, length = panels_.columns().length(b);
    const A* const z = TileOf(r, slot) + (row - rows.begin(r)) * LogitPanels<W>::kWidth;
    const int64_t first = panels_.columns().begin(b);
    ScoredClass<A>* const best = best_ + row * k_;
    int64_t at = 0;
    for (; at < length && sizes_[row] < k_; ++at) {
      if (excluded_.Contains(row, first + at)) continue;
      best[sizes_[row]++] = {z[at], first + at};
      std::push_heap(best, best + sizes_[row], IsBetter<A>);
    }
    // All these ids are higher than those in the heap.
    if (BetterThan<A>(best[0].logit).CountHigherIds(z + at, length - at) == 0) return;
    for (; at < length; ++at) {
      const ScoredClass<A> found = {z[at], first + at};
      if (!IsBetter(found, best[0]) || excluded_.Contains(row, found.id)) continue;
      std::pop_heap(best, best + k_, IsBetter<A>);
      best[k_ - 1] = found;
      std::push_heap(best, best + k_, IsBetter<A>);
    }
  }

  void Write(int64_t row, A* logits, int64_t* ids) const {
    ScoredClass<A>* const best = best_ + row * k_;
    std::sort_heap(best, best + k_, IsBetter<A>);
    for (int64_t j = 0; j < k_; ++j) {
      logits[j] = best[j].logit;
      ids[j] = best[j].id;
    }
    if (softcap_ > 0) SoftcapAll(softcap_, k_, logits);
  }

  Runtime& runtime_;
  const ExcludedClasses& excluded_;
  const int64_t k_;
  const A softcap_;
  LogitPanels<W> panels_;
  const int64_t stride_ = panels_.panel_blocks() * LogitPanels<W>::kWidth;
  A* logits_;  // [rows, stride], tile by tile
  ScoredClass<A>* best_;
  int64_t* sizes_;
};

}  // namespace

template <typename W>
void TopClasses(Runtime& runtime, const Scoring<W>& scoring, const ExcludedClasses& excluded,
                int64_t k, Accumulator<W>* logits, int64_t* ids) {
  if (k == 0) return;
  Selection<W>(runtime, scoring, excluded, k).Run(logits, ids);
}

#define CANDSAMP_INSTANTIATE(W)                                                             \
  template void TopClasses<W>(Runtime&, const Scoring<W>&, const ExcludedClasses&, int64_t, \
                              Accumulator<W>*, int64_t*);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
