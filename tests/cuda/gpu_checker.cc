// SPDX-License-Identifier: Apache-2.0
// Runs every check on a GPU. tools/gpu_check runs it.
#include "tests/cuda/checker.h"
#include "tests/cuda/cuda_backend.h"

int main(int argc, char** argv) {
  using candsamp::CudaBackend;
  int count = 0;
  const int error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    std::fprintf(stderr, "%s\n", candsamp::CudaErrorText(error).c_str());
    return 3;
  }
  return candsamp::RunChecker<CudaBackend>(
      argc, argv, [](const candsamp::CheckerOptions& options, int64_t, const auto& use) {
        CudaBackend backend(options.poison);
        use(backend);
      });
}
