// SPDX-License-Identifier: Apache-2.0
// The launchers of cc/cuda and benchmarks/gpu, on threads that stand for a device. See
// host_runtime.cc.
#include "benchmarks/gpu/floors.h"
#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/classes/all_candidates.h"
#include "cc/cuda/samplers/define_launchers.h"
#include "cc/cuda/samplers/learned_unigram_kernel.h"
#include "tests/cuda/host/host_launcher.h"

namespace candsamp {

// The floors are speeds, which the host's threads cannot have.
int LaunchEmpty(CudaStream, bool) { return 0; }
#define CANDSAMP_DEFINE_ALL(View)                                     \
  CANDSAMP_DEFINE_LAUNCHERS(HostLauncher, View)                       \
  template <>                                                         \
  int LaunchArithmetic(CudaStream, const View&, int64_t, uint64_t*) { \
    return 0;                                                         \
  }

CANDSAMP_DEFINE_ALL(UniformView)
CANDSAMP_DEFINE_ALL(LogUniformView)
CANDSAMP_DEFINE_ALL(FixedUnigramView)
CANDSAMP_DEFINE_ALL(LearnedUnigramView)

LaunchPlan PlanAdd(int64_t range, int64_t count) {
  return PlanAddOn(HostLauncher(nullptr), range, count);
}
int LaunchAdd(CudaStream cuda_stream, const LaunchPlan& plan, const LearnedCounts& learned,
              const int64_t* classes, int64_t count, void* scratch) {
  return LaunchAddOn(HostLauncher(cuda_stream), plan, learned, classes, count, scratch);
}
int LaunchBuild(CudaStream cuda_stream, const LaunchPlan& plan, const LearnedCounts& learned,
                int64_t total, void* scratch) {
  return LaunchBuildOn(HostLauncher(cuda_stream), plan, learned, total, scratch);
}

LaunchPlan PlanHits(const HitsInput& input) { return PlanHitsOn(HostLauncher(nullptr), input); }
int LaunchFindHits(CudaStream cuda_stream, const HitsInput& input, void* scratch, int64_t* found) {
  return LaunchFindHitsOn(HostLauncher(cuda_stream), input, scratch, found);
}
int LaunchWriteHits(CudaStream cuda_stream, const HitsInput& input, void* scratch,
                    const HitsOutput& output) {
  return LaunchWriteHitsOn(HostLauncher(cuda_stream), input, scratch, output);
}

int LaunchAllCandidates(CudaStream cuda_stream, const AllCandidates& all) {
  return LaunchAllCandidatesOn(HostLauncher(cuda_stream), all);
}

}  // namespace candsamp
