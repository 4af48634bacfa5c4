// The kernels that draw a batch, as functions of a block of threads, and how they are launched.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_BATCH_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_BATCH_H_

#include "cc/cuda/samplers/draw_candidates.h"
#include "cc/cuda/samplers/launchers.h"

namespace candsamp {

// How a batch's scratch is laid out, in words of 8 bytes.
struct BatchScratch {
  int64_t draw, team, partials, words;

  static BatchScratch For(int64_t count, bool unique, int64_t blocks, int64_t threads) {
    BatchScratch at;
    at.draw = 0;
    at.team = DrawScratch::WordsOfDraw(count, unique);
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

// Independent draws, all at once. Returns whether one was rejected on this thread: then those
// behind it are wrong, on any thread.
template <typename Block, typename View>
CANDSAMP_DEVICE bool DrawIndependently(const Block& block, const View& view,
                                       const BatchDraw& draw) {
  const PhiloxStream own = view.Start(draw.stream.Read());
  const double factor = static_cast<double>(draw.num_sampled);
  const int64_t blocks = (draw.num_sampled + 1) / 2;  // of the stream
  bool rejected = false;
  for (int64_t b = GridRank(block); b < blocks; b += GridSize(block)) {
    ClassAndCount drawn[2];
    int size = 0;
    Carry carry = {0, 0};
    view.Feed(static_cast<uint64_t>(b), BlockOf(own, static_cast<uint64_t>(b)), &carry,
              [&](const RandomDraw& random) { drawn[size++] = view.Sample(own, random, factor); });
    rejected |= size < 2;
    if (size == 2 && 2 * b + 1 < draw.num_sampled) {
      reinterpret_cast<Pair<int64_t>*>(draw.candidates)[b] = {drawn[0].id, drawn[1].id};
      reinterpret_cast<Pair<float>*>(draw.sampled_count)[b] = {drawn[0].count, drawn[1].count};
    } else if (size > 0) {
      draw.candidates[2 * b] = drawn[0].id;
      draw.sampled_count[2 * b] = drawn[0].count;
    }
  }
  for (int64_t k = GridRank(block); k < draw.num_true; k += GridSize(block)) {
    draw.true_count[k] = CountOf(view, {CountRule::kProportional, factor}, draw.true_classes[k]);
  }
  return rejected;
}

// With replacement, of a source that rejects nothing.
template <typename View>
struct SampleIndependently {
  View view;
  BatchDraw draw;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    DrawIndependently(block, view, draw);
  }
};

// Distinct candidates, or with replacement of a source that may reject draws: if it does, all are
// drawn anew, one after the other.
template <typename View>
struct SampleInOrder {
  View view;
  BatchDraw draw;
  BatchScratch at;
  uint64_t* scratch;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    GridTeam<Block> team(block, scratch + at.partials);
    if (!draw.unique) {
      int rejections;
      team.ExclusiveScan(
          static_cast<int>(DrawIndependently(block, view, draw)), 0,
          [](int a, int b) { return a + b; }, &rejections);
      if (rejections == 0) return;
    }
    const TeamDraws draws = {draw.num_sampled, draw.unique, draw.exact, nullptr, 0};
    const CountRule rule =
        TeamDrawing<GridTeam<Block>, View>(
            team, view, draw.stream.Read(), draws,
            DrawScratch::In(scratch + at.draw, scratch + at.team, draw.num_sampled),
            draw.candidates)
            .Run();
    team.Sync();
    for (int64_t k = team.rank(); k < draw.num_sampled; k += team.size()) {
      draw.sampled_count[k] = CountOf(view, rule, draw.candidates[k]);
    }
    for (int64_t k = team.rank(); k < draw.num_true; k += team.size()) {
      draw.true_count[k] = CountOf(view, rule, draw.true_classes[k]);
    }
  }
};

template <typename Launcher, typename View>
void SampleBatch(Launcher& launcher, int blocks, const View& view, const BatchDraw& draw,
                 const BatchScratch& at, uint64_t* scratch) {
  if (draw.unique || View::kRejects) {
    launcher.Together(blocks, SampleInOrder<View>{view, draw, at, scratch});
  } else {
    launcher.ForEach((draw.num_sampled + 1) / 2, SampleIndependently<View>{view, draw});
  }
}

template <typename View>
struct ProbabilitiesOf {
  View view;
  const int64_t* ids;
  int64_t count;
  float* out;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < count; k += GridSize(block)) {
      out[k] = CountOf(view, {CountRule::kProportional, 1.0}, ids[k]);
    }
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_BATCH_H_
