// SPDX-License-Identifier: Apache-2.0
#include "cc/cuda/core/errors.h"

#include <cuda_runtime_api.h>

namespace candsamp {
namespace {

constexpr char kCpu[] = "; the CPU kernels go on working: place the op on /CPU:0.";

std::string Version(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// The first driver release that runs every minor version of this CUDA.
std::string NeededDriver() {
  static_assert(CUDART_VERSION / 1000 == 12 || CUDART_VERSION / 1000 == 13, "Which driver?");
  constexpr int kRelease = CUDART_VERSION / 1000 == 13 ? 580 : 525;
  return "tf_candsamp's GPU kernels use CUDA " + Version(CUDART_VERSION) +
         ", which needs an NVIDIA driver of release " + std::to_string(kRelease) + " or later";
}

std::string Gpus() {
  std::string text;
  for (const int gpu : {CANDSAMP_GPUS}) {
    text += (text.empty() ? "" : ", ") + std::to_string(gpu / 10) + "." + std::to_string(gpu % 10);
  }
  return text;
}

}  // namespace

std::string CudaErrorText(int error, int driver_version) {
  switch (error) {
    case cudaErrorInsufficientDriver:
    case cudaErrorStubLibrary:
      if (driver_version == 0) return NeededDriver() + ", but none is installed" + kCpu;
      if (driver_version < 0) return NeededDriver() + ", but the one installed is older" + kCpu;
      return NeededDriver() + ", but the one installed supports CUDA " + Version(driver_version) +
             " at most" + kCpu;
    case cudaErrorNoDevice:
      return std::string("The NVIDIA driver finds no GPU") + kCpu;
    case cudaErrorNoKernelImageForDevice:
      return "tf_candsamp has GPU kernels for compute capability " + Gpus() +
             " and later, but this GPU is an older one" + kCpu;
    default:
      return std::string("CUDA error ") + cudaGetErrorName(static_cast<cudaError_t>(error)) + ": " +
             cudaGetErrorString(static_cast<cudaError_t>(error)) + ".";
  }
}

std::string CudaErrorText(int error) {
  int version = -1;
  if (cudaDriverGetVersion(&version) != cudaSuccess) version = -1;
  return CudaErrorText(error, version);
}

}  // namespace candsamp
