// Runs every check on a GPU. tools/gpu_check builds and runs it.
#include "tests/cuda/checker.h"
#include "tests/cuda/cuda_backend.h"

int main(int argc, char** argv) {
  candsamp::CheckerOptions options;
  const std::string wrong = options.Parse(argc, argv);
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    return 2;
  }
  int count = 0;
  const int error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    std::fprintf(stderr, "%s\n", candsamp::CudaErrorText(error).c_str());
    return 3;
  }
  return candsamp::RunChecks<candsamp::CudaBackend>(options, [&](int64_t, const auto& use) {
    candsamp::CudaBackend backend(options.poison);
    use(backend);
  });
}
