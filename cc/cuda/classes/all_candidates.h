// SPDX-License-Identifier: Apache-2.0
// All classes as the candidates. See launch.h for launches, and team.h for kernels.
#ifndef TF_CANDSAMP_CC_CUDA_CLASSES_ALL_CANDIDATES_H_
#define TF_CANDSAMP_CC_CUDA_CLASSES_ALL_CANDIDATES_H_

#include <math.h>

#include "cc/cuda/core/launch.h"
#include "cc/cuda/core/team.h"

namespace candsamp {

// Writes the classes [0, range), each with an expected count of 1. A true class's expected count is
// 1, or NaN where it is out of range.
struct AllCandidates {
  int64_t range;
  int64_t true_total;             // the length of true_classes, of all examples
  const int64_t* true_classes;    // [true_total]
  int64_t* candidates;            // [range]
  float* sampled_expected_count;  // [range]
  float* true_expected_count;     // [true_total]

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < range; k += GridSize(block)) {
      candidates[k] = k;
      sampled_expected_count[k] = 1;
    }
    for (int64_t k = GridRank(block); k < true_total; k += GridSize(block)) {
      true_expected_count[k] = 0 <= true_classes[k] && true_classes[k] < range ? 1.0f : NAN;
    }
  }
};

int LaunchAllCandidates(CudaStream cuda_stream, const AllCandidates& all);

template <typename Launcher>
int LaunchAllCandidatesOn(Launcher launcher, const AllCandidates& all) {
  launcher.ForEach(Most(all.range, all.true_total), all);
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CLASSES_ALL_CANDIDATES_H_
