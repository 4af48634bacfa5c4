// The kernels that draw a batch, as functions of a block of threads, and how they are launched.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLE_BATCH_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLE_BATCH_H_

#include "cc/cuda/samplers.h"
#include "cc/cuda/team_drawing.h"

namespace candsamp {

// How a batch's scratch is laid out, in words of 8 bytes.
struct BatchScratch {
  int64_t draw, team, partials, rejected, words;

  static BatchScratch For(int64_t count, bool unique, int64_t blocks, int64_t threads) {
    BatchScratch at;
    at.draw = 0;
    at.team = DrawScratch::WordsOfDraw(count, unique);
    // Aligned for pairs of words.
    at.partials = (at.team + DrawScratch::WordsOfTeam(blocks * threads) + 1) / 2 * 2;
    at.rejected = at.partials + kPartialWords * blocks;
    at.words = at.rejected + 1;
    return at;
  }
};

// Independent draws, all at once. If one is rejected, says so: those behind it are wrong then.
template <typename Source>
struct SampleIndependently {
  Source source;
  BatchDraw draw;
  uint64_t* rejected;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const PhiloxStream own = source.Start(draw.stream.Read());
    const double factor = static_cast<double>(draw.num_sampled);
    const int64_t blocks = (draw.num_sampled + 1) / 2;  // of the stream
    bool all_emitted = true;
    for (int64_t b = GridRank(block); b < blocks; b += GridSize(block)) {
      int64_t at = 2 * b;
      Carry carry = {0, 0};
      source.Feed(static_cast<uint64_t>(b), BlockOf(own, static_cast<uint64_t>(b)), &carry,
                  [&](const RandomDraw& random) {
                    if (at < draw.num_sampled) {
                      const int64_t id = source.Class(own, random);
                      draw.candidates[at] = id;
                      draw.sampled_count[at] = source.Count(id, factor);
                    }
                    ++at;
                  });
      all_emitted &= at == 2 * b + 2;
    }
    if (!all_emitted) AtomicAdd(rejected, 1);
    for (int64_t k = GridRank(block); k < draw.num_true; k += GridSize(block)) {
      draw.true_count[k] =
          CountOf(source, {CountRule::kProportional, factor}, draw.true_classes[k]);
    }
  }
};

// Draws one after the other: unique ones, or those that SampleIndependently got wrong.
template <typename Source>
struct SampleInOrder {
  Source source;
  BatchDraw draw;
  BatchScratch at;
  uint64_t* scratch;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    if (!draw.unique && scratch[at.rejected] == 0) return;
    GridTeam<Block> team(block, scratch + at.partials);
    const TeamDraws draws = {draw.num_sampled, draw.unique, draw.exact, nullptr, 0};
    const CountRule rule =
        TeamDrawing<GridTeam<Block>, Source>(
            team, source, draw.stream.Read(), draws,
            DrawScratch::In(scratch + at.draw, scratch + at.team, draw.num_sampled),
            draw.candidates)
            .Run();
    team.Sync();
    for (int64_t k = team.rank(); k < draw.num_sampled; k += team.size()) {
      draw.sampled_count[k] = CountOf(source, rule, draw.candidates[k]);
    }
    for (int64_t k = team.rank(); k < draw.num_true; k += team.size()) {
      draw.true_count[k] = CountOf(source, rule, draw.true_classes[k]);
    }
  }
};

template <typename Launcher, typename Source>
void SampleBatch(Launcher& launcher, int blocks, const Source& source, const BatchDraw& draw,
                 const BatchScratch& at, uint64_t* scratch) {
  if (!draw.unique) {
    if (Source::kRejects) launcher.Clear(scratch + at.rejected, sizeof *scratch);
    launcher.ForEach((draw.num_sampled + 1) / 2,
                     SampleIndependently<Source>{source, draw, scratch + at.rejected});
  }
  if (draw.unique || Source::kRejects) {
    launcher.Together(blocks, SampleInOrder<Source>{source, draw, at, scratch});
  }
}

template <typename Source>
struct ProbabilitiesOf {
  Source source;
  const int64_t* ids;
  int64_t count;
  float* out;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < count; k += GridSize(block)) {
      out[k] = CountOf(source, {CountRule::kProportional, 1.0}, ids[k]);
    }
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLE_BATCH_H_
