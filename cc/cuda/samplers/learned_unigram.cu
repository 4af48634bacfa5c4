// SPDX-License-Identifier: Apache-2.0
// Draws from a LearnedUnigramView on a CUDA device, and updates of its counts.
#include "cc/cuda/core/cuda_launcher.cu.h"
#include "cc/cuda/samplers/define_launchers.h"
#include "cc/cuda/samplers/learned_unigram.h"
#include "cc/cuda/samplers/learned_unigram_kernel.h"

namespace candsamp {

CANDSAMP_DEFINE_LAUNCHERS(CudaLauncher, LearnedUnigramView)

LaunchPlan PlanAdd(int64_t range, int64_t num_classes) {
  return PlanAddOn(CudaLauncher(nullptr), range, num_classes);
}

int LaunchAdd(CudaStream cuda_stream, const LaunchPlan& plan, const LearnedCounts& learned,
              const int64_t* classes, int64_t num_classes, void* scratch) {
  return LaunchAddOn(CudaLauncher(cuda_stream), plan, learned, classes, num_classes, scratch);
}

int LaunchBuild(CudaStream cuda_stream, const LaunchPlan& plan, const LearnedCounts& learned,
                int64_t total, void* scratch) {
  return LaunchBuildOn(CudaLauncher(cuda_stream), plan, learned, total, scratch);
}

}  // namespace candsamp
