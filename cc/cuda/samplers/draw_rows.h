// The kernel that draws candidates for each row, a row at a time on each block.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_ROWS_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_ROWS_H_

#include "cc/cuda/samplers/draw_candidates.h"
#include "cc/cuda/samplers/launchers.h"

namespace candsamp {

// How the rows' scratch is laid out, in words of 8 bytes: one piece for each block, as large as the
// largest row needs, or one for each row, whichever is less.
struct RowsScratch {
  int64_t team;        // of each block
  int64_t block_draw;  // of each block; 0 where each row has its own
  int64_t excluded;    // [true classes]
  int64_t draws;
  int64_t words;

  static RowsScratch For(const RowsDraw& draw, int64_t most_sampled, int64_t total, int64_t blocks,
                         int64_t threads) {
    RowsScratch at;
    at.team = (DrawScratch::WordsOfTeam(threads) + 1) / 2 * 2;
    at.excluded = at.team * blocks;
    at.draws = (at.excluded + (draw.exclude_true ? draw.num_true : 0) + 1) / 2 * 2;
    const int64_t of_largest = DrawScratch::WordsOfDraw(most_sampled, draw.unique);
    const int64_t of_rows = OfRows(total, draw.rows, draw.unique);
    at.block_draw = of_largest * blocks < of_rows ? of_largest : 0;
    at.words = at.draws + (at.block_draw ? at.block_draw * blocks : of_rows);
    return at;
  }

  // What rows with so many candidates altogether need: it is linear in both.
  static CANDSAMP_METHOD int64_t OfRows(int64_t candidates, int64_t rows, bool unique) {
    const int64_t of_none = DrawScratch::WordsOfDraw(0, unique);
    return candidates * (DrawScratch::WordsOfDraw(1, unique) - of_none) + rows * of_none;
  }
};

template <typename View>
struct SampleRows {
  View view;
  RowsDraw draw;
  RowsScratch at;
  uint64_t* scratch;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    BlockTeam<Block> team(block);
    const PhiloxStream rows = Child(draw.stream.Read(), 0);
    uint64_t* const of_team = scratch + at.team * block.block();
    int64_t* const all_excluded = reinterpret_cast<int64_t*>(scratch + at.excluded);
    for (int64_t row = block.block(); row < draw.rows; row += block.blocks()) {
      const int64_t begin = draw.splits[row], count = draw.splits[row + 1] - begin;
      if (count == 0) continue;
      TeamDraws draws = {count, draw.unique, draw.exact, nullptr, 0};
      if (draw.exclude_true) {
        const int64_t first = draw.true_splits[row];
        int64_t* const excluded = all_excluded + first;
        draws.excluded = excluded;
        draws.num_excluded = draw.true_splits[row + 1] - first;
        for (int64_t k = team.rank(); k < draws.num_excluded; k += team.size()) {
          excluded[k] = draw.true_classes[first + k];
        }
        team.Sync();
        TeamSort(team, excluded, draws.num_excluded, [](int64_t a, int64_t b) { return a < b; });
      }
      uint64_t* const of_draw = scratch + at.draws +
                                (at.block_draw ? at.block_draw * block.block()
                                               : RowsScratch::OfRows(begin, row, draw.unique));
      const CountRule rule =
          TeamDrawing<BlockTeam<Block>, View>(
              team, view, {rows.key, rows.high + static_cast<uint64_t>(row), 0}, draws,
              DrawScratch::In(of_draw, of_team, count), draw.candidates + begin)
              .Run();
      team.Sync();
      for (int64_t k = team.rank(); k < count; k += team.size()) {
        draw.expected_count[begin + k] = CountOf(view, rule, draw.candidates[begin + k]);
      }
      team.Sync();
    }
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_ROWS_H_
