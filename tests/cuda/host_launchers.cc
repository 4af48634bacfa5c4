// The launchers of cc/cuda on threads that stand for a device. See host_runtime.cc.
#include "benchmarks/gpu/floors.h"
#include "tests/cuda/host_backend.h"

namespace candsamp {
namespace {

constexpr GridShape kShape = {3, 5};

}  // namespace

template <typename View>
LaunchPlan PlanBatch(const View&, const BatchDraw& draw) {
  return {
      0, kShape.blocks,
      8 * BatchScratch::For(draw.num_sampled, draw.unique, kShape.blocks, kShape.threads).words};
}
template <typename View>
int LaunchBatch(CudaStream, const LaunchPlan& plan, const View& view, const BatchDraw& draw,
                void* scratch) {
  HostLauncher launcher(kShape);
  SampleBatch(launcher, plan.blocks, view, draw,
              BatchScratch::For(draw.num_sampled, draw.unique, plan.blocks, kShape.threads),
              static_cast<uint64_t*>(scratch));
  return 0;
}

template <typename View>
LaunchPlan PlanRows(const View&, const RowsDraw& draw, int64_t most_sampled, int64_t total) {
  return {0, kShape.blocks,
          8 * RowsScratch::For(draw, most_sampled, total, kShape.blocks, kShape.threads).words};
}
template <typename View>
int LaunchRows(CudaStream, const LaunchPlan& plan, const View& view, const RowsDraw& draw,
               int64_t most_sampled, int64_t total, void* scratch) {
  const RowsScratch at = RowsScratch::For(draw, most_sampled, total, plan.blocks, kShape.threads);
  HostLauncher(kShape).Together(plan.blocks,
                                SampleRows<View>{view, draw, at, static_cast<uint64_t*>(scratch)});
  return 0;
}

template <typename View>
int LaunchProbabilities(CudaStream, const View& view, const int64_t* ids, int64_t count,
                        float* out) {
  HostLauncher(kShape).ForEach(count, ProbabilitiesOf<View>{view, ids, count, out});
  return 0;
}

template <typename View>
int LaunchArithmetic(CudaStream, const View&, int64_t, uint64_t*) {
  return 0;
}

#define CANDSAMP_ON_HOST(View)                                                                 \
  template LaunchPlan PlanBatch<View>(const View&, const BatchDraw&);                          \
  template int LaunchBatch<View>(CudaStream, const LaunchPlan&, const View&, const BatchDraw&, \
                                 void*);                                                       \
  template LaunchPlan PlanRows<View>(const View&, const RowsDraw&, int64_t, int64_t);          \
  template int LaunchRows<View>(CudaStream, const LaunchPlan&, const View&, const RowsDraw&,   \
                                int64_t, int64_t, void*);                                      \
  template int LaunchProbabilities<View>(CudaStream, const View&, const int64_t*, int64_t,     \
                                         float*);                                              \
  template int LaunchArithmetic<View>(CudaStream, const View&, int64_t, uint64_t*)

CANDSAMP_ON_HOST(UniformView);
CANDSAMP_ON_HOST(LogUniformView);
CANDSAMP_ON_HOST(FixedUnigramView);
CANDSAMP_ON_HOST(LearnedUnigramView);

LaunchPlan PlanCount(int64_t range, int64_t count) {
  return {0, kShape.blocks, 8 * (count + CountArguments::HeavyClasses(range))};
}
static int CountOnHost(const LaunchPlan& plan, CountArguments arguments, void* scratch) {
  arguments.filled = static_cast<uint64_t*>(scratch);
  arguments.heavy = arguments.filled + arguments.count;
  HostLauncher(kShape).Together(plan.blocks, CountClasses{arguments});
  return 0;
}
int LaunchCount(CudaStream, const LaunchPlan& plan, const LearnedCounts& learned,
                const int64_t* classes, int64_t count, void* scratch) {
  return CountOnHost(plan, {learned, classes, count, false, 0, nullptr, nullptr}, scratch);
}
int LaunchBuild(CudaStream, const LaunchPlan& plan, const LearnedCounts& learned, int64_t total,
                void* scratch) {
  return CountOnHost(plan, {learned, nullptr, 0, true, total, nullptr, nullptr}, scratch);
}

LaunchPlan PlanHits(const HitsInput& input) { return {0, 0, 8 * HitsScratch::For(input, 0).words}; }
int LaunchFindHits(CudaStream, const HitsInput& input, void* scratch, int64_t* found) {
  const HitsScratch at = HitsScratch::For(input, 0);
  int64_t* const words = static_cast<int64_t*>(scratch);
  HostLauncher launcher(kShape);
  launcher.ForEach(input.num_candidates,
                   NumberCandidates{input.num_candidates, words + at.positions});
  int64_t* const order = words + at.order;
  std::copy_n(words + at.positions, input.num_candidates, order);
  std::stable_sort(order, order + input.num_candidates,
                   [&](int64_t a, int64_t b) { return input.candidates[a] < input.candidates[b]; });
  for (int64_t k = 0; k < input.num_candidates; ++k) {
    words[at.sorted + k] = input.candidates[order[k]];
  }
  launcher.ForEach(input.num_true, CountHits{input, at, words});
  int64_t sum = 0;
  for (int64_t k = 0; k <= input.num_true; ++k) {
    const int64_t hits = k < input.num_true ? words[at.offsets + k] : 0;
    words[at.offsets + k] = sum;
    sum += hits;
  }
  *found = sum;
  return 0;
}
int LaunchWriteHits(CudaStream, const HitsInput& input, void* scratch, const HitsOutput& output) {
  HostLauncher(kShape).ForEach(input.num_true, WriteHits{input, HitsScratch::For(input, 0),
                                                         static_cast<int64_t*>(scratch), output});
  return 0;
}

int LaunchAllCandidates(CudaStream, const AllCandidates& all) {
  HostLauncher(kShape).ForEach(Most(all.count, all.num_true), all);
  return 0;
}

int LaunchEmpty(CudaStream, bool) { return 0; }

}  // namespace candsamp
