// SPDX-License-Identifier: Apache-2.0
// Finds the accidental hits: candidates that are true classes of an example. See launch.h for
// launches, and team.h for kernels.
#ifndef TF_CANDSAMP_CC_CUDA_CLASSES_ACCIDENTAL_HITS_H_
#define TF_CANDSAMP_CC_CUDA_CLASSES_ACCIDENTAL_HITS_H_

#include <float.h>
#include <stddef.h>

#include "cc/cuda/core/launch.h"
#include "cc/cuda/core/team.h"

namespace candsamp {

struct HitsInput {
  const int64_t* true_classes;  // [true_total / row_size, row_size]
  int64_t true_total;           // the length of true_classes, of all rows
  int64_t row_size;             // true classes of each row: TensorFlow's num_true
  const int64_t* candidates;    // [num_candidates]
  int64_t num_candidates;
};

// Hits in the order of rows, then of the row's true classes, then of positions.
struct HitsOutput {
  int32_t* rows;
  int64_t* positions;  // of the candidates
  float* weights;      // -FLT_MAX, as in TensorFlow
};

// 1. LaunchFindHits writes the number of hits to `found`, in the host's memory, and waits for it.
// 2. The caller allocates outputs of that length.
// 3. LaunchWriteHits writes them. REQUIRES: the scratch of LaunchFindHits, as that left it.
LaunchPlan PlanHits(const HitsInput& input);
int LaunchFindHits(CudaStream cuda_stream, const HitsInput& input, void* scratch, int64_t* found);
int LaunchWriteHits(CudaStream cuda_stream, const HitsInput& input, void* scratch,
                    const HitsOutput& output);

// The layout of the scratch, in words of 8 bytes.
struct HitsScratch {
  int64_t sorted, order, positions, firsts, offsets, library, words;

  static HitsScratch For(const HitsInput& input, size_t library_bytes) {
    HitsScratch at;
    at.sorted = 0;                                    // [num_candidates] candidates in order
    at.positions = at.sorted + input.num_candidates;  // [num_candidates] 0, 1, 2 ...
    at.order = at.positions + input.num_candidates;   // [num_candidates] sorted ones' positions
    at.firsts = at.order + input.num_candidates;  // [true_total] each true class's first in order
    at.offsets = at.firsts + input.true_total;    // [true_total + 1] of its hits in the output
    at.library = at.offsets + input.true_total + 1;  // for SortPairs and ExclusiveSum
    at.words = at.library + static_cast<int64_t>((library_bytes + 7) / 8);
    return at;
  }
};

// Numbers the candidates, before they are sorted.
struct NumberCandidatesKernel {
  int64_t count;
  int64_t* positions;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < count; k += GridSize(block)) positions[k] = k;
  }
};

// Finds where each true class begins among the sorted candidates, and how often it is there.
struct CountHitsKernel {
  HitsInput input;
  HitsScratch at;
  int64_t* scratch;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t* const sorted = scratch + at.sorted;
    for (int64_t k = GridRank(block); k < input.true_total; k += GridSize(block)) {
      const int64_t id = input.true_classes[k];
      const int64_t first = LowerBound(sorted, input.num_candidates, id);
      const int64_t rest = input.num_candidates - first;
      scratch[at.firsts + k] = first;
      scratch[at.offsets + k] = id == INT64_MAX ? rest : LowerBound(sorted + first, rest, id + 1);
    }
  }
};

struct WriteHitsKernel {
  HitsInput input;
  HitsScratch at;
  const int64_t* scratch;
  HitsOutput output;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < input.true_total; k += GridSize(block)) {
      const int64_t* order = scratch + at.order + scratch[at.firsts + k];
      for (int64_t to = scratch[at.offsets + k]; to < scratch[at.offsets + k + 1]; ++to) {
        output.rows[to] = static_cast<int32_t>(k / input.row_size);
        output.positions[to] = *order++;
        output.weights[to] = -FLT_MAX;
      }
    }
  }
};

// The memory that SortPairs and ExclusiveSum share: they run one after the other.
template <typename Launcher>
size_t HitsLibraryBytes(Launcher& launcher, const HitsInput& input) {
  size_t sort = 0, sum = 0;
  launcher.SortPairs(nullptr, &sort, nullptr, nullptr, nullptr, nullptr, input.num_candidates);
  launcher.ExclusiveSum(nullptr, &sum, nullptr, input.true_total + 1);
  return sort > sum ? sort : sum;
}

template <typename Launcher>
LaunchPlan PlanHitsOn(Launcher launcher, const HitsInput& input) {
  const HitsScratch at = HitsScratch::For(input, HitsLibraryBytes(launcher, input));
  return {launcher.error(), 0, at.words * 8};
}

template <typename Launcher>
int LaunchFindHitsOn(Launcher launcher, const HitsInput& input, void* scratch, int64_t* found) {
  size_t bytes = HitsLibraryBytes(launcher, input);
  const HitsScratch at = HitsScratch::For(input, bytes);
  int64_t* const words = static_cast<int64_t*>(scratch);
  void* const memory = words + at.library;
  int64_t* const offsets = words + at.offsets;
  launcher.ForEach(input.num_candidates,
                   NumberCandidatesKernel{input.num_candidates, words + at.positions});
  launcher.SortPairs(memory, &bytes, input.candidates, words + at.sorted, words + at.positions,
                     words + at.order, input.num_candidates);
  launcher.Clear(offsets + input.true_total, sizeof *offsets);
  launcher.ForEach(input.true_total, CountHitsKernel{input, at, words});
  launcher.ExclusiveSum(memory, &bytes, offsets, input.true_total + 1);
  launcher.NumbersToHostAndWait(found, offsets + input.true_total, sizeof *found);
  return launcher.error();
}

template <typename Launcher>
int LaunchWriteHitsOn(Launcher launcher, const HitsInput& input, void* scratch,
                      const HitsOutput& output) {
  launcher.ForEach(input.true_total, WriteHitsKernel{input, HitsScratch::For(input, 0),
                                                     static_cast<const int64_t*>(scratch), output});
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CLASSES_ACCIDENTAL_HITS_H_
