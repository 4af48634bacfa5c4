// Kernels that say what a draw cannot be faster than. See samplers.h for what returns what.
#ifndef TF_CANDSAMP_BENCHMARKS_GPU_FLOORS_H_
#define TF_CANDSAMP_BENCHMARKS_GPU_FLOORS_H_

#include "cc/cuda/samplers/launchers.h"

namespace candsamp {

// A kernel that does nothing: in the usual way, and on blocks that can wait for each other.
int LaunchEmpty(CudaStream stream, bool together);

// So many draws, of which nothing is kept: random bits and formulas, no memory. A draw from a table
// is the random bits and which place of it they say. `sink` is a word that is not written.
template <typename View>
int LaunchArithmetic(CudaStream stream, const View& view, int64_t draws, uint64_t* sink);

}  // namespace candsamp

#endif  // TF_CANDSAMP_BENCHMARKS_GPU_FLOORS_H_
