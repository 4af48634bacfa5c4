#include "cc/cuda/core/cuda_block.cu.h"
#include "cc/cuda/samplers/all_candidates.h"

namespace candsamp {

int LaunchAllCandidates(CudaStream stream, const AllCandidates& all) {
  CudaLauncher launcher(stream);
  launcher.ForEach(Most(all.count, all.num_true), all);
  return launcher.error();
}

}  // namespace candsamp
