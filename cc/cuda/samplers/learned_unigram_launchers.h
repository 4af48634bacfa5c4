// Counts classes of a learned-unigram distribution on a device. Free of TensorFlow, and of CUDA's
// headers. See samplers.h for what returns what.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_LAUNCHERS_H_

#include "cc/cuda/samplers/launchers.h"
#include "cc/cuda/samplers/learned_unigram.h"

namespace candsamp {

// The blocks of the table of counts with this sum, at most.
CANDSAMP_FORMULA SlotBlocks MostSlotBlocks(int64_t counted, int64_t range) {
  // With t = 1 each count is a slot; then there are fewer than 2 range of them.
  const int64_t slots = Least(counted, 2 * range);
  return BlocksFor(SlotCapacity(slots, range));
}

// To build is to make the table of counts, with `total` the sum of them and of one for each; -1: it
// is what it was before. To count is to add one to the count of each class that is in range.
LaunchPlan PlanCount(int64_t range, int64_t count);
int LaunchCount(CudaStream stream, const LaunchPlan& plan, const LearnedCounts& learned,
                const int64_t* classes, int64_t count, void* scratch);
int LaunchBuild(CudaStream stream, const LaunchPlan& plan, const LearnedCounts& learned,
                int64_t total, void* scratch);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_LEARNED_UNIGRAM_LAUNCHERS_H_
