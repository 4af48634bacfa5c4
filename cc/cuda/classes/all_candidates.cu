// SPDX-License-Identifier: Apache-2.0
// All classes as candidates, on a CUDA device.
#include "cc/cuda/classes/all_candidates.h"
#include "cc/cuda/core/cuda_launcher.cu.h"

namespace candsamp {

int LaunchAllCandidates(CudaStream cuda_stream, const AllCandidates& all) {
  return LaunchAllCandidatesOn(CudaLauncher(cuda_stream), all);
}

}  // namespace candsamp
