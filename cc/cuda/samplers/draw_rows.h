// SPDX-License-Identifier: Apache-2.0
// The kernel that draws candidates for each row, and its launch. Each block draws one row at a
// time.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_ROWS_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_ROWS_H_

#include "cc/cuda/samplers/draw_candidates.h"
#include "cc/cuda/samplers/launchers.h"

namespace candsamp {

// The layout of the rows' scratch, in words of 8 bytes. Draws need one piece for each block, as
// large as the largest row needs, or one piece for each row: the smaller layout of the two.
struct RowsScratch {
  int64_t team;        // words of each block
  int64_t block_draw;  // words of each block; 0 where each row has its own piece
  int64_t excluded;    // [true_total]
  int64_t draws;
  int64_t words;

  static RowsScratch For(const DeviceRowsRequest& request, int64_t most_sampled, int64_t total,
                         int64_t blocks, int64_t threads) {
    RowsScratch at;
    at.team = (DrawScratch::WordsOfTeam(threads) + 1) / 2 * 2;
    at.excluded = at.team * blocks;
    at.draws = (at.excluded + (request.exclude_true ? request.true_total : 0) + 1) / 2 * 2;
    const int64_t of_largest = DrawScratch::WordsOfDraw(most_sampled, request.unique);
    const int64_t of_rows = OfRows(total, request.rows, request.unique);
    at.block_draw = of_largest * blocks < of_rows ? of_largest : 0;
    at.words = at.draws + (at.block_draw ? at.block_draw * blocks : of_rows);
    return at;
  }

  // The words of so many rows with so many candidates altogether. It is linear in both, so a row's
  // piece begins at the words of the rows before it.
  static CANDSAMP_METHOD int64_t OfRows(int64_t candidates, int64_t rows, bool unique) {
    const int64_t of_none = DrawScratch::WordsOfDraw(0, unique);
    return candidates * (DrawScratch::WordsOfDraw(1, unique) - of_none) + rows * of_none;
  }
};

template <typename View>
struct DrawRowsKernel {
  View view;
  DeviceRowsRequest request;
  RowsScratch at;
  uint64_t* scratch;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    BlockTeam<Block> team(block);
    const PhiloxStream rows = Child(request.stream.Read(), 0);
    uint64_t* const of_team = scratch + at.team * block.block();
    int64_t* const all_excluded = reinterpret_cast<int64_t*>(scratch + at.excluded);
    for (int64_t row = block.block(); row < request.rows; row += block.blocks()) {
      const int64_t begin = request.splits[row], count = request.splits[row + 1] - begin;
      if (count == 0) continue;
      DeviceDrawRequest of_row = {count, request.unique, request.exact_counts, nullptr, 0};
      if (request.exclude_true) {
        const int64_t first = request.true_splits[row];
        int64_t* const excluded = all_excluded + first;
        of_row.excluded = excluded;
        of_row.num_excluded = request.true_splits[row + 1] - first;
        for (int64_t k = team.rank(); k < of_row.num_excluded; k += team.size()) {
          excluded[k] = request.true_classes[first + k];
        }
        team.Sync();
        TeamSort(team, excluded, of_row.num_excluded, [](int64_t a, int64_t b) { return a < b; });
      }
      uint64_t* const of_draw = scratch + at.draws +
                                (at.block_draw ? at.block_draw * block.block()
                                               : RowsScratch::OfRows(begin, row, request.unique));
      const CountRule rule =
          Drawing<BlockTeam<Block>, View>(
              team, view, {rows.key, rows.high + static_cast<uint64_t>(row), 0}, of_row,
              DrawScratch::In(of_draw, of_team, count), request.candidates + begin)
              .Run();
      team.Sync();
      for (int64_t k = team.rank(); k < count; k += team.size()) {
        request.expected_count[begin + k] =
            ExpectedCountOf(view, rule, request.candidates[begin + k]);
      }
      team.Sync();
    }
  }
};

template <typename Launcher, typename View>
LaunchPlan PlanRowsOn(Launcher launcher, const View&, const DeviceRowsRequest& request,
                      int64_t most_sampled, int64_t total) {
  return launcher.template Plan<DrawRowsKernel<View>>(request.rows, [&](int blocks) {
    return RowsScratch::For(request, most_sampled, total, blocks, launcher.threads()).words;
  });
}

template <typename Launcher, typename View>
int LaunchRowsOn(Launcher launcher, const LaunchPlan& plan, const View& view,
                 const DeviceRowsRequest& request, int64_t most_sampled, int64_t total,
                 void* scratch) {
  const RowsScratch at =
      RowsScratch::For(request, most_sampled, total, plan.blocks, launcher.threads());
  // Blocks do not wait for each other.
  launcher.ForEach(int64_t{plan.blocks} * launcher.threads(),
                   DrawRowsKernel<View>{view, request, at, static_cast<uint64_t*>(scratch)});
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_ROWS_H_
