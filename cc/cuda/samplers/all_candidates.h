// All classes as the candidates, on a device. Free of TensorFlow, and of CUDA's headers. See
// samplers.h for what returns what.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_ALL_CANDIDATES_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_ALL_CANDIDATES_H_

#include <math.h>

#include "cc/cuda/core/launch.h"
#include "cc/cuda/core/team.h"

namespace candsamp {

// The classes [0, count), each expected once; NaN where a true class is none of them.
struct AllCandidates {
  int64_t count;
  int64_t num_true;             // altogether
  const int64_t* true_classes;  // [num_true]
  int64_t* candidates;          // [count]
  float* sampled_count;         // [count]
  float* true_count;            // [num_true]

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < count; k += GridSize(block)) {
      candidates[k] = k;
      sampled_count[k] = 1;
    }
    for (int64_t k = GridRank(block); k < num_true; k += GridSize(block)) {
      true_count[k] = 0 <= true_classes[k] && true_classes[k] < count ? 1.0f : NAN;
    }
  }
};

int LaunchAllCandidates(CudaStream stream, const AllCandidates& all);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_ALL_CANDIDATES_H_
