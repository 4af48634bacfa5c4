// SPDX-License-Identifier: Apache-2.0
#include "cc/cuda/core/side_stream.h"

#include <cuda_runtime_api.h>

#include <map>

namespace candsamp {
namespace {

// A stream and its events, made once. Its launches are small, and others wait for them: they go
// before those of a large kernel.
class OfDevice {
 public:
  OfDevice() {
    int least, greatest;
    ok_ = cudaDeviceGetStreamPriorityRange(&least, &greatest) == cudaSuccess &&
          cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest) == cudaSuccess &&
          cudaEventCreateWithFlags(&event_, cudaEventDisableTiming) == cudaSuccess &&
          cudaEventCreateWithFlags(&marked_, cudaEventDisableTiming) == cudaSuccess;
    if (!ok_) cudaGetLastError();
  }
  ~OfDevice() {
    if (marked_ != nullptr) cudaEventDestroy(marked_);
    if (event_ != nullptr) cudaEventDestroy(event_);
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }
  OfDevice(const OfDevice&) = delete;
  OfDevice& operator=(const OfDevice&) = delete;

  bool ok() const { return ok_; }
  cudaStream_t stream() const { return stream_; }
  cudaEvent_t event() const { return event_; }
  cudaEvent_t marked() const { return marked_; }

 private:
  bool ok_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t event_ = nullptr, marked_ = nullptr;
};

int Record(void* event, CudaStream stream) {
  if (event == nullptr) return cudaSuccess;
  return cudaEventRecord(static_cast<cudaEvent_t>(event), static_cast<cudaStream_t>(stream));
}

int Await(CudaStream stream, void* event) {
  if (event == nullptr) return cudaSuccess;
  return cudaStreamWaitEvent(static_cast<cudaStream_t>(stream), static_cast<cudaEvent_t>(event), 0);
}

}  // namespace

SideStream::SideStream(CudaStream beside) : beside_(beside), stream_(beside) {
  thread_local std::map<int, OfDevice> of_devices;
  int device;
  if (cudaGetDevice(&device) != cudaSuccess) return;
  const OfDevice& of_device = of_devices[device];
  if (!of_device.ok()) return;
  stream_ = of_device.stream();
  event_ = of_device.event();
  marked_ = of_device.marked();
}

int SideStream::Fork() {
  const int error = Record(event_, beside_);
  return error != cudaSuccess ? error : Await(stream_, event_);
}

int SideStream::Join() {
  const int error = Record(event_, stream_);
  return error != cudaSuccess ? error : Await(beside_, event_);
}

int SideStream::Mark() { return Record(marked_, stream_); }

int SideStream::JoinMark() { return Await(beside_, marked_); }

}  // namespace candsamp
