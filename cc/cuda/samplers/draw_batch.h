// SPDX-License-Identifier: Apache-2.0
// The kernels that draw the candidates of a batch and compute probabilities, and their launches.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_BATCH_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_BATCH_H_

#include "cc/cuda/samplers/draw_candidates.h"
#include "cc/cuda/samplers/launchers.h"

namespace candsamp {

// The layout of a batch's scratch, in words of 8 bytes.
struct BatchScratch {
  int64_t draw, team, partials, words;

  static BatchScratch For(const DeviceBatchRequest& request, int64_t blocks, int64_t threads) {
    BatchScratch at;
    at.draw = 0;
    at.team = DrawScratch::WordsOfDraw(request.num_sampled, request.unique);
    // Aligned for pairs of words.
    at.partials = (at.team + DrawScratch::WordsOfTeam(blocks * threads) + 1) / 2 * 2;
    at.words = at.partials + kPartialWords * blocks;
    return at;
  }
};

// Two values that are written at once.
template <typename T>
struct alignas(2 * sizeof(T)) Pair {
  T first, second;
};

// Draws with replacement: the two draws at each counter of the stream are two candidates. Returns
// whether a draw of this thread was rejected. Then all threads' draws are wrong from there on.
template <typename Block, typename View>
CANDSAMP_DEVICE bool DrawIndependently(const Block& block, const View& view,
                                       const DeviceBatchRequest& request) {
  const PhiloxStream own = view.Start(request.stream.Read());
  const double factor = static_cast<double>(request.num_sampled);
  const int64_t counters = (request.num_sampled + 1) / 2;
  bool rejected = false;
  for (int64_t c = GridRank(block); c < counters; c += GridSize(block)) {
    const uint64_t counter = static_cast<uint64_t>(c);
    DrawnClass drawn[2];
    int size = 0;
    Carry carry = {0, 0};
    view.Feed(counter, PhiloxBlockOf(own, counter), &carry,
              [&](const RandomDraw& draw) { drawn[size++] = view.Draw(own, draw, factor); });
    rejected |= size < 2;
    if (size == 2 && 2 * c + 1 < request.num_sampled) {
      reinterpret_cast<Pair<int64_t>*>(request.candidates)[c] = {drawn[0].id, drawn[1].id};
      reinterpret_cast<Pair<float>*>(request.sampled_expected_count)[c] = {drawn[0].expected_count,
                                                                           drawn[1].expected_count};
    } else if (size > 0) {
      request.candidates[2 * c] = drawn[0].id;
      request.sampled_expected_count[2 * c] = drawn[0].expected_count;
    }
  }
  for (int64_t k = GridRank(block); k < request.true_total; k += GridSize(block)) {
    request.true_expected_count[k] =
        ExpectedCountOf(view, {CountRule::kProportional, factor}, request.true_classes[k]);
  }
  return rejected;
}

// Draws with replacement from a view that rejects nothing.
template <typename View>
struct DrawIndependentlyKernel {
  View view;
  DeviceBatchRequest request;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    DrawIndependently(block, view, request);
  }
};

// Draws distinct candidates, or with replacement from a view that may reject draws. In the second
// case it draws independently first, and in order only where that met a rejection.
template <typename View>
struct DrawInOrderKernel {
  View view;
  DeviceBatchRequest request;
  BatchScratch at;
  uint64_t* scratch;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    GridTeam<Block> team(block, scratch + at.partials);
    if (!request.unique) {
      int rejections;
      team.ExclusiveScan(
          static_cast<int>(DrawIndependently(block, view, request)), 0,
          [](int a, int b) { return a + b; }, &rejections);
      if (rejections == 0) return;
    }
    const CountRule rule =
        Drawing<GridTeam<Block>, View>(
            team, view, request.stream.Read(),
            {request.num_sampled, request.unique, request.exact_counts, nullptr, 0},
            DrawScratch::In(scratch + at.draw, scratch + at.team, request.num_sampled),
            request.candidates)
            .Run();
    team.Sync();
    for (int64_t k = team.rank(); k < request.num_sampled; k += team.size()) {
      request.sampled_expected_count[k] = ExpectedCountOf(view, rule, request.candidates[k]);
    }
    for (int64_t k = team.rank(); k < request.true_total; k += team.size()) {
      request.true_expected_count[k] = ExpectedCountOf(view, rule, request.true_classes[k]);
    }
  }
};

template <typename View>
struct ProbabilitiesKernel {
  View view;
  const int64_t* ids;
  int64_t count;
  float* out;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < count; k += GridSize(block)) {
      out[k] = ExpectedCountOf(view, {CountRule::kProportional, 1.0}, ids[k]);
    }
  }
};

template <typename Launcher, typename View>
LaunchPlan PlanBatchOn(Launcher launcher, const View& view, const DeviceBatchRequest& request) {
  // As many blocks as a round of draws keeps busy, or, up to 16, sums over all classes.
  const int64_t wanted = Most(request.num_sampled / (2 * launcher.threads()),
                              Least(view.range / (64 * launcher.threads()), 16));
  return launcher.template Plan<DrawInOrderKernel<View>>(wanted, [&](int blocks) {
    return BatchScratch::For(request, blocks, launcher.threads()).words;
  });
}

template <typename Launcher, typename View>
int LaunchBatchOn(Launcher launcher, const LaunchPlan& plan, const View& view,
                  const DeviceBatchRequest& request, void* scratch) {
  if (request.unique || View::kRejects) {
    const BatchScratch at = BatchScratch::For(request, plan.blocks, launcher.threads());
    launcher.Together(plan.blocks,
                      DrawInOrderKernel<View>{view, request, at, static_cast<uint64_t*>(scratch)});
  } else {
    launcher.ForEach((request.num_sampled + 1) / 2, DrawIndependentlyKernel<View>{view, request});
  }
  return launcher.error();
}

template <typename Launcher, typename View>
int LaunchProbabilitiesOn(Launcher launcher, const View& view, const int64_t* ids, int64_t count,
                          float* out) {
  launcher.ForEach(count, ProbabilitiesKernel<View>{view, ids, count, out});
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_BATCH_H_
