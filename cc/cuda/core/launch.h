// SPDX-License-Identifier: Apache-2.0
// How device code is launched: a plan first, then the launch.
//
// Every pair of Plan...() and Launch...() follows one protocol:
// 1. Plan...() asks the current device how many blocks it runs at once. It launches nothing and
//    waits for nothing.
// 2. The caller allocates plan.scratch_bytes of device memory, aligned to 16 bytes, with any
//    content. The caller owns this scratch and keeps it until the launched work has run.
// 3. Launch...() puts the work on `cuda_stream` and returns without waiting for it. The work of one
//    stream runs in the order of its launches. LaunchFindHits is the one exception: it waits.
//
// Launches without scratch have no plan. Pointers are to device memory, unless a comment says
// otherwise. An int that a function returns is a cudaError_t: 0 is success, and after an error the
// function launches nothing more.
//
// This header is free of TensorFlow and of CUDA's headers, as are those that declare launches.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_LAUNCH_H_
#define TF_CANDSAMP_CC_CUDA_CORE_LAUNCH_H_

#include <stdint.h>

namespace candsamp {

using CudaStream = void*;  // a cudaStream_t

struct LaunchPlan {
  int error;  // where it is not 0, the rest means nothing
  int blocks;
  int64_t scratch_bytes;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_LAUNCH_H_
