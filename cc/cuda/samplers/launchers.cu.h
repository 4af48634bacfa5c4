// The launchers of samplers.h for any source; a file for each source makes them.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_LAUNCHERS_CU_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_LAUNCHERS_CU_H_

#include "cc/cuda/core/cuda_block.cu.h"
#include "cc/cuda/samplers/draw_batch.h"
#include "cc/cuda/samplers/draw_rows.h"
#include "cc/cuda/samplers/launchers.h"

namespace candsamp {

template <typename View>
LaunchPlan PlanBatch(const View& view, const BatchDraw& draw) {
  // A round of draws keeps this many blocks busy, or summing over all classes does.
  const int64_t wanted =
      Most(draw.num_sampled / (2 * kBlockThreads), Least(view.range / (64 * kBlockThreads), 16));
  return PlanTogether<SampleInOrder<View>>(wanted, [&](int blocks) {
    return BatchScratch::For(draw.num_sampled, draw.unique, blocks, kBlockThreads).words;
  });
}

template <typename View>
int LaunchBatch(CudaStream stream, const LaunchPlan& plan, const View& view, const BatchDraw& draw,
                void* scratch) {
  CudaLauncher launcher(stream);
  const BatchScratch at =
      BatchScratch::For(draw.num_sampled, draw.unique, plan.blocks, kBlockThreads);
  SampleBatch(launcher, plan.blocks, view, draw, at, static_cast<uint64_t*>(scratch));
  return launcher.error();
}

template <typename View>
LaunchPlan PlanRows(const View&, const RowsDraw& draw, int64_t most_sampled, int64_t total) {
  return PlanTogether<SampleRows<View>>(draw.rows, [&](int blocks) {
    return RowsScratch::For(draw, most_sampled, total, blocks, kBlockThreads).words;
  });
}

template <typename View>
int LaunchRows(CudaStream stream, const LaunchPlan& plan, const View& view, const RowsDraw& draw,
               int64_t most_sampled, int64_t total, void* scratch) {
  CudaLauncher launcher(stream);
  const RowsScratch at = RowsScratch::For(draw, most_sampled, total, plan.blocks, kBlockThreads);
  // Blocks do not wait for each other.
  launcher.ForEach(int64_t{plan.blocks} * kBlockThreads,
                   SampleRows<View>{view, draw, at, static_cast<uint64_t*>(scratch)});
  return launcher.error();
}

template <typename View>
int LaunchProbabilities(CudaStream stream, const View& view, const int64_t* ids, int64_t count,
                        float* out) {
  CudaLauncher launcher(stream);
  launcher.ForEach(count, ProbabilitiesOf<View>{view, ids, count, out});
  return launcher.error();
}

#define CANDSAMP_INSTANTIATE(View)                                                             \
  template LaunchPlan PlanBatch<View>(const View&, const BatchDraw&);                          \
  template int LaunchBatch<View>(CudaStream, const LaunchPlan&, const View&, const BatchDraw&, \
                                 void*);                                                       \
  template LaunchPlan PlanRows<View>(const View&, const RowsDraw&, int64_t, int64_t);          \
  template int LaunchRows<View>(CudaStream, const LaunchPlan&, const View&, const RowsDraw&,   \
                                int64_t, int64_t, void*);                                      \
  template int LaunchProbabilities<View>(CudaStream, const View&, const int64_t*, int64_t, float*)

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_LAUNCHERS_CU_H_
