#include "cc/lib/samplers/draw_rows.h"

#include <algorithm>
#include <utility>

#include "cc/lib/samplers/draw_candidates.h"

namespace candsamp {
namespace {

// A host inside another host's loop: one thread, and memory from a piece that is there already.
class RowRuntime : public Runtime {
 public:
  RowRuntime(char* memory, int64_t size) : next_(memory), end_(memory + size) {}
  void ParallelFor(int64_t total, int64_t,
                   const std::function<void(int64_t, int64_t)>& work) override {
    if (total > 0) work(0, total);
  }
  void* AllocateBytes(size_t bytes) override {
    const size_t rounded = (bytes + 63) / 64 * 64;
    if (rounded > static_cast<size_t>(end_ - next_)) throw OutOfScratch(bytes);
    return std::exchange(next_, next_ + rounded);
  }

 private:
  char* next_;
  char* end_;
};

// Row i's distinct true classes, sorted into `out`; returns how many.
int64_t DistinctTrueClasses(const RaggedDraws& draws, int64_t row, int64_t* out) {
  const int64_t begin = draws.true_splits[row], end = draws.true_splits[row + 1];
  std::copy(draws.true_classes + begin, draws.true_classes + end, out);
  std::sort(out, out + (end - begin));
  return std::unique(out, out + (end - begin)) - out;
}

}  // namespace

std::string DrawRaggedCandidates(Runtime& runtime, const Distribution& distribution,
                                 const PhiloxStream& stream, const RaggedDraws& draws,
                                 int64_t* candidates, float* expected_count) {
  // Rows are worked on in a few parts, each with scratch for its largest row.
  constexpr int64_t kMostParts = 16;
  if (draws.rows == 0) return "";
  const int64_t parts = std::min(kMostParts, draws.rows);
  const auto first_row = [&](int64_t part) { return draws.rows * part / parts; };
  const auto row_draws = [&](int64_t row) {
    return Draws{draws.splits[row + 1] - draws.splits[row], draws.unique, draws.exact_counts};
  };

  int64_t* excluded = nullptr;
  int64_t* num_excluded = nullptr;
  if (draws.true_splits) {
    excluded = runtime.Allocate<int64_t>(draws.true_splits[draws.rows]);
    num_excluded = runtime.Allocate<int64_t>(draws.rows);
  }
  int64_t* const available = runtime.Allocate<int64_t>(draws.rows);
  runtime.ParallelFor(draws.rows, 100, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      available[row] = distribution.support();
      if (!draws.true_splits) continue;
      int64_t* const mine = excluded + draws.true_splits[row];
      num_excluded[row] = DistinctTrueClasses(draws, row, mine);
      for (int64_t k = 0; k < num_excluded[row]; ++k) {
        double p;
        distribution.Probabilities(&mine[k], 1, &p);
        available[row] -= p > 0;
      }
    }
  });
  int64_t most_bytes[kMostParts] = {};
  for (int64_t part = 0; part < parts; ++part) {
    for (int64_t row = first_row(part); row < first_row(part + 1); ++row) {
      Draws mine = row_draws(row);
      if (mine.count == 0) continue;
      if (available[row] < (draws.unique ? mine.count : 1)) {
        return "num_sampled[" + std::to_string(row) + "] must be at most " +
               (available[row] ? std::to_string(available[row])
                               : std::string("0, for want of classes")) +
               ", the number of classes that can be drawn" + (draws.unique ? " when unique" : "") +
               (draws.true_splits ? " beside the row's true classes" : "") + ", got " +
               std::to_string(mine.count);
      }
      if (num_excluded) mine.num_excluded = num_excluded[row];
      if (!mine.unique && mine.num_excluded == 0) continue;
      most_bytes[part] = std::max(most_bytes[part], DrawScratchBytes(mine, distribution.range()));
    }
  }
  int64_t offsets[kMostParts + 1] = {};
  for (int64_t part = 0; part < parts; ++part) {
    offsets[part + 1] = offsets[part] + (most_bytes[part] + 63) / 64 * 64;
  }
  char* const memory = runtime.Allocate<char>(offsets[parts]);

  const PhiloxStream rows = Child(stream, 0);
  const int64_t cost = 200 + 40 * (draws.splits[draws.rows] / draws.rows);
  runtime.ParallelFor(
      parts, cost * ((draws.rows + parts - 1) / parts), [&](int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; ++part) {
          for (int64_t row = first_row(part); row < first_row(part + 1); ++row) {
            Draws mine = row_draws(row);
            if (mine.count == 0) continue;
            if (draws.true_splits) {
              mine.excluded = excluded + draws.true_splits[row];
              mine.num_excluded = num_excluded[row];
            }
            RowRuntime row_host(memory + offsets[part], offsets[part + 1] - offsets[part]);
            const PhiloxStream row_stream = {rows.key, rows.high + static_cast<uint64_t>(row), 0};
            int64_t* const out = candidates + draws.splits[row];
            DrawCandidates(row_host, distribution, row_stream, mine, out,
                           expected_count + draws.splits[row]);
          }
        }
      });
  return "";
}

}  // namespace candsamp
