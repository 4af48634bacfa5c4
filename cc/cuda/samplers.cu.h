// The launchers of samplers.h for any source; a file for each source makes them.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_CU_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_CU_H_

#include "cc/cuda/cuda_block.cu.h"
#include "cc/cuda/sample_batch.h"
#include "cc/cuda/sample_rows.h"
#include "cc/cuda/samplers.h"

namespace candsamp {

template <typename Source>
LaunchPlan PlanBatch(const Source& source, const BatchDraw& draw) {
  // A round of draws keeps this many blocks busy, or summing over all classes does.
  const int64_t wanted =
      Most(draw.num_sampled / (2 * kBlockThreads), Least(source.range / (64 * kBlockThreads), 16));
  return PlanTogether<SampleInOrder<Source>>(wanted, [&](int blocks) {
    return BatchScratch::For(draw.num_sampled, draw.unique, blocks, kBlockThreads).words;
  });
}

template <typename Source>
int LaunchBatch(CudaStream stream, const LaunchPlan& plan, const Source& source,
                const BatchDraw& draw, void* scratch) {
  CudaLauncher launcher(stream);
  const BatchScratch at =
      BatchScratch::For(draw.num_sampled, draw.unique, plan.blocks, kBlockThreads);
  SampleBatch(launcher, plan.blocks, source, draw, at, static_cast<uint64_t*>(scratch));
  return launcher.error();
}

template <typename Source>
LaunchPlan PlanRows(const Source&, const RowsDraw& draw, int64_t most_sampled, int64_t total) {
  return PlanTogether<SampleRows<Source>>(draw.rows, [&](int blocks) {
    return RowsScratch::For(draw, most_sampled, total, blocks, kBlockThreads).words;
  });
}

template <typename Source>
int LaunchRows(CudaStream stream, const LaunchPlan& plan, const Source& source,
               const RowsDraw& draw, int64_t most_sampled, int64_t total, void* scratch) {
  CudaLauncher launcher(stream);
  const RowsScratch at = RowsScratch::For(draw, most_sampled, total, plan.blocks, kBlockThreads);
  // Blocks do not wait for each other.
  launcher.ForEach(int64_t{plan.blocks} * kBlockThreads,
                   SampleRows<Source>{source, draw, at, static_cast<uint64_t*>(scratch)});
  return launcher.error();
}

template <typename Source>
int LaunchProbabilities(CudaStream stream, const Source& source, const int64_t* ids, int64_t count,
                        float* out) {
  CudaLauncher launcher(stream);
  launcher.ForEach(count, ProbabilitiesOf<Source>{source, ids, count, out});
  return launcher.error();
}

#define CANDSAMP_INSTANTIATE(Source)                                                               \
  template LaunchPlan PlanBatch<Source>(const Source&, const BatchDraw&);                          \
  template int LaunchBatch<Source>(CudaStream, const LaunchPlan&, const Source&, const BatchDraw&, \
                                   void*);                                                         \
  template LaunchPlan PlanRows<Source>(const Source&, const RowsDraw&, int64_t, int64_t);          \
  template int LaunchRows<Source>(CudaStream, const LaunchPlan&, const Source&, const RowsDraw&,   \
                                  int64_t, int64_t, void*);                                        \
  template int LaunchProbabilities<Source>(CudaStream, const Source&, const int64_t*, int64_t,     \
                                           float*)

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_CU_H_
