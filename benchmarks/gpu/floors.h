// SPDX-License-Identifier: Apache-2.0
// Kernels whose time is a lower bound on that of a draw. See launch.h for launches.
#ifndef TF_CANDSAMP_BENCHMARKS_GPU_FLOORS_H_
#define TF_CANDSAMP_BENCHMARKS_GPU_FLOORS_H_

#include "cc/cuda/samplers/launchers.h"

namespace candsamp {

// A kernel that does nothing, launched with ForEach or Together.
int LaunchEmpty(CudaStream cuda_stream, bool together);

// The random bits and the formulas of `draws` draws, without memory accesses: of a draw from an
// alias table or from slots, only the position that is read. `sink` is a word that is not written.
template <typename View>
int LaunchArithmetic(CudaStream cuda_stream, const View& view, int64_t draws, uint64_t* sink);

}  // namespace candsamp

#endif  // TF_CANDSAMP_BENCHMARKS_GPU_FLOORS_H_
