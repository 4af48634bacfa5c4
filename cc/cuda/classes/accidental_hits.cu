// SPDX-License-Identifier: Apache-2.0
// Accidental hits on a CUDA device, with CUB's sort and sum.
#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/core/cub_launcher.cu.h"

namespace candsamp {

LaunchPlan PlanHits(const HitsInput& input) { return PlanHitsOn(CubLauncher(nullptr), input); }

int LaunchFindHits(CudaStream cuda_stream, const HitsInput& input, void* scratch, int64_t* found) {
  return LaunchFindHitsOn(CubLauncher(cuda_stream), input, scratch, found);
}

int LaunchWriteHits(CudaStream cuda_stream, const HitsInput& input, void* scratch,
                    const HitsOutput& output) {
  return LaunchWriteHitsOn(CubLauncher(cuda_stream), input, scratch, output);
}

}  // namespace candsamp
