// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/samplers/draw_rows.h"

#include <algorithm>
#include <utility>

#include "cc/lib/samplers/draw_candidates.h"

namespace candsamp {
namespace {

// A runtime inside the ParallelFor of another one: a single thread, and memory from a given piece.
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

// Writes the distinct true classes of a row to `out`, sorted. Returns how many there are.
int64_t DistinctTrueClasses(const RowsRequest& request, int64_t row, int64_t* out) {
  const int64_t begin = request.true_splits[row], end = request.true_splits[row + 1];
  std::copy(request.true_classes + begin, request.true_classes + end, out);
  std::sort(out, out + (end - begin));
  return std::unique(out, out + (end - begin)) - out;
}

}  // namespace

std::string DrawRows(Runtime& runtime, const Distribution& distribution, const PhiloxStream& stream,
                     const RowsRequest& request, int64_t* candidates, float* expected_count) {
  // The rows are cut into a few parts. Each part has scratch memory for its largest row.
  constexpr int64_t kMostParts = 16;
  if (request.rows == 0) return "";
  const int64_t parts = std::min(kMostParts, request.rows);
  const auto first_row = [&](int64_t part) { return request.rows * part / parts; };
  const auto request_of = [&](int64_t row) {
    return DrawRequest{request.splits[row + 1] - request.splits[row], request.unique,
                       request.exact_counts};
  };

  int64_t* excluded = nullptr;
  int64_t* num_excluded = nullptr;
  if (request.true_splits) {
    excluded = runtime.Allocate<int64_t>(request.true_splits[request.rows]);
    num_excluded = runtime.Allocate<int64_t>(request.rows);
  }
  int64_t* const available = runtime.Allocate<int64_t>(request.rows);
  runtime.ParallelFor(request.rows, 100, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      available[row] = distribution.support();
      if (!request.true_splits) continue;
      int64_t* const mine = excluded + request.true_splits[row];
      num_excluded[row] = DistinctTrueClasses(request, row, mine);
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
      DrawRequest mine = request_of(row);
      if (mine.count == 0) continue;
      if (available[row] < (request.unique ? mine.count : 1)) {
        return "num_sampled[" + std::to_string(row) + "] must be at most " +
               std::to_string(available[row]) + ", the number of classes that can be drawn" +
               (request.unique ? " when unique" : "") +
               (request.true_splits ? " beside the row's true classes" : "") + ", got " +
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
  const int64_t cost = 200 + 40 * (request.splits[request.rows] / request.rows);
  runtime.ParallelFor(
      parts, cost * ((request.rows + parts - 1) / parts), [&](int64_t begin, int64_t end) {
        for (int64_t part = begin; part < end; ++part) {
          for (int64_t row = first_row(part); row < first_row(part + 1); ++row) {
            DrawRequest mine = request_of(row);
            if (mine.count == 0) continue;
            if (request.true_splits) {
              mine.excluded = excluded + request.true_splits[row];
              mine.num_excluded = num_excluded[row];
            }
            RowRuntime row_runtime(memory + offsets[part], offsets[part + 1] - offsets[part]);
            const PhiloxStream row_stream = {rows.key, rows.high + static_cast<uint64_t>(row), 0};
            int64_t* const out = candidates + request.splits[row];
            DrawCandidates(row_runtime, distribution, row_stream, mine, out,
                           expected_count + request.splits[row]);
          }
        }
      });
  return "";
}

}  // namespace candsamp
