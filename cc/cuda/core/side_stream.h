// SPDX-License-Identifier: Apache-2.0
// A stream beside a caller's, for launches that may run at the same time as the caller's. See
// launch.h for streams and errors.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_SIDE_STREAM_H_
#define TF_CANDSAMP_CC_CUDA_CORE_SIDE_STREAM_H_

#include "cc/cuda/core/launch.h"

namespace candsamp {

// Each thread has one stream for each device, and has one SideStream at a time.
class SideStream {
 public:
  // Where no other stream can be made, it is the caller's own.
  explicit SideStream(CudaStream beside);
  SideStream(const SideStream&) = delete;
  SideStream& operator=(const SideStream&) = delete;

  CudaStream stream() const { return stream_; }

  // What is put on it from now on runs after all that is on the caller's stream by now.
  int Fork();
  // What is put on the caller's stream from now on runs after all that is on this one by now.
  int Join();
  // Mark() remembers what is on this stream by now, and JoinMark() joins that alone.
  int Mark();
  int JoinMark();

 private:
  const CudaStream beside_;
  CudaStream stream_;
  void* event_ = nullptr;   // a cudaEvent_t
  void* marked_ = nullptr;  // likewise
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_SIDE_STREAM_H_
