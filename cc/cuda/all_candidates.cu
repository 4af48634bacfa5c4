#include "cc/cuda/all_candidates.h"
#include "cc/cuda/cuda_block.cu.h"

namespace candsamp {

int LaunchAllCandidates(CudaStream stream, const AllCandidates& all) {
  CudaLauncher launcher(stream);
  launcher.ForEach(Most(all.count, all.num_true), all);
  return launcher.error();
}

}  // namespace candsamp
