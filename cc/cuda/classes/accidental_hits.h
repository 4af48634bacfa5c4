// Finds the candidates that are true classes, on a device. Free of TensorFlow, and of CUDA's
// headers. See samplers.h for what returns what.
#ifndef TF_CANDSAMP_CC_CUDA_CLASSES_ACCIDENTAL_HITS_H_
#define TF_CANDSAMP_CC_CUDA_CLASSES_ACCIDENTAL_HITS_H_

#include <float.h>

#include "cc/cuda/core/launch.h"
#include "cc/cuda/core/team.h"

namespace candsamp {

struct HitsInput {
  const int64_t* true_classes;  // [num_rows * row_size]
  int64_t num_true;             // altogether
  int64_t row_size;
  const int64_t* candidates;  // [num_candidates]
  int64_t num_candidates;
};

struct HitsOutput {
  int32_t* rows;
  int64_t* positions;
  float* weights;
};

// Finds how many hits there are, and waits for the number.
LaunchPlan PlanHits(const HitsInput& input);
int LaunchFindHits(CudaStream stream, const HitsInput& input, void* scratch, int64_t* found);
// Writes them, by rows, true classes and positions. REQUIRES: the scratch of LaunchFindHits.
int LaunchWriteHits(CudaStream stream, const HitsInput& input, void* scratch,
                    const HitsOutput& output);

// How the scratch is laid out, in words of 8 bytes.
struct HitsScratch {
  int64_t sorted, order, positions, firsts, offsets, library, words;

  static HitsScratch For(const HitsInput& input, int64_t library_bytes) {
    HitsScratch at;
    at.sorted = 0;                                    // [num_candidates] candidates in order
    at.positions = at.sorted + input.num_candidates;  // [num_candidates] 0, 1, 2 ...
    at.order = at.positions + input.num_candidates;   // [num_candidates] their positions
    at.firsts = at.order + input.num_candidates;      // [num_true] where each true class begins
    at.offsets = at.firsts + input.num_true;          // [num_true + 1] of its hits in the output
    at.library = at.offsets + input.num_true + 1;
    at.words = at.library + (library_bytes + 7) / 8;
    return at;
  }
};

// The first of the sorted values that is not less than `value`.
CANDSAMP_FORMULA int64_t LowerBound(const int64_t* sorted, int64_t count, int64_t value) {
  int64_t low = 0, high = count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (sorted[middle] < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// For each true class: where it begins among the sorted candidates, and how often it is there.
struct CountHits {
  HitsInput input;
  HitsScratch at;
  int64_t* scratch;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t* const sorted = scratch + at.sorted;
    for (int64_t k = GridRank(block); k < input.num_true; k += GridSize(block)) {
      const int64_t id = input.true_classes[k];
      const int64_t first = LowerBound(sorted, input.num_candidates, id);
      const int64_t rest = input.num_candidates - first;
      scratch[at.firsts + k] = first;
      scratch[at.offsets + k] = id == INT64_MAX ? rest : LowerBound(sorted + first, rest, id + 1);
    }
  }
};

struct WriteHits {
  HitsInput input;
  HitsScratch at;
  const int64_t* scratch;
  HitsOutput output;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < input.num_true; k += GridSize(block)) {
      const int64_t* order = scratch + at.order + scratch[at.firsts + k];
      for (int64_t to = scratch[at.offsets + k]; to < scratch[at.offsets + k + 1]; ++to) {
        output.rows[to] = static_cast<int32_t>(k / input.row_size);
        output.positions[to] = *order++;
        output.weights[to] = -FLT_MAX;
      }
    }
  }
};

// The order of the candidates, before they are sorted.
struct NumberCandidates {
  int64_t count;
  int64_t* positions;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < count; k += GridSize(block)) positions[k] = k;
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CLASSES_ACCIDENTAL_HITS_H_
