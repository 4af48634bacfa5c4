// Draws from LearnedUnigramView on a device, and counts for it.
#include "cc/cuda/samplers/launchers.cu.h"
#include "cc/cuda/samplers/learned_unigram_launchers.h"

namespace candsamp {

CANDSAMP_INSTANTIATE(LearnedUnigramView);

namespace {

// The scratch: the slots that become full, and the classes that have many.
int64_t CountWords(int64_t range, int64_t count) {
  return count + CountArguments::HeavyClasses(range);
}

int Launch(CudaStream stream, const LaunchPlan& plan, CountArguments arguments, void* scratch) {
  arguments.filled = static_cast<uint64_t*>(scratch);
  arguments.heavy = arguments.filled + arguments.count;
  CudaLauncher launcher(stream);
  launcher.Together(plan.blocks, CountClasses{arguments});
  return launcher.error();
}

}  // namespace

LaunchPlan PlanCount(int64_t range, int64_t count) {
  // Blocks to count, or to make the table anew.
  const int64_t wanted = Most(count / kBlockThreads, range / (16 * kBlockThreads));
  return PlanTogether<CountClasses>(wanted, [&](int) { return CountWords(range, count); });
}

int LaunchCount(CudaStream stream, const LaunchPlan& plan, const LearnedCounts& learned,
                const int64_t* classes, int64_t count, void* scratch) {
  return Launch(stream, plan, {learned, classes, count, false, 0, nullptr, nullptr}, scratch);
}

int LaunchBuild(CudaStream stream, const LaunchPlan& plan, const LearnedCounts& learned,
                int64_t total, void* scratch) {
  return Launch(stream, plan, {learned, nullptr, 0, true, total, nullptr, nullptr}, scratch);
}

}  // namespace candsamp
