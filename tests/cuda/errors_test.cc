// SPDX-License-Identifier: Apache-2.0
#include "cc/cuda/core/errors.h"

#include <cuda_runtime_api.h>

#include <string>

#include "gtest/gtest.h"

namespace candsamp {
namespace {

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ErrorsTest, OldDriverIsToldWhatItSupportsAndWhatIsNeeded) {
  const std::string text = CudaErrorText(cudaErrorInsufficientDriver, 12040);
  const std::string needed =
      std::to_string(CUDART_VERSION / 1000) + "." + std::to_string(CUDART_VERSION % 1000 / 10);
  EXPECT_TRUE(Has(text, "use CUDA " + needed + ", ")) << text;
  EXPECT_TRUE(Has(text, "of release 5")) << text;
  EXPECT_TRUE(Has(text, "supports CUDA 12.4 at most")) << text;
  EXPECT_TRUE(Has(text, "place the op on /CPU:0.")) << text;
}

TEST(ErrorsTest, DriverOfUnknownVersionIsOlder) {
  const std::string text = CudaErrorText(cudaErrorInsufficientDriver, -1);
  EXPECT_TRUE(Has(text, "the one installed is older;")) << text;
}

TEST(ErrorsTest, MissingDriver) {
  const std::string text = CudaErrorText(cudaErrorInsufficientDriver, 0);
  EXPECT_TRUE(Has(text, "none is installed; the CPU kernels go on working")) << text;
}

TEST(ErrorsTest, NoDevice) {
  EXPECT_TRUE(Has(CudaErrorText(cudaErrorNoDevice, 13000), "finds no GPU;"));
}

TEST(ErrorsTest, OldGpuIsToldWhichOnesHaveKernels) {
  const std::string text = CudaErrorText(cudaErrorNoKernelImageForDevice, 13000);
  std::string gpus;
  for (const int gpu : {CANDSAMP_GPUS}) {
    gpus += std::string(gpus.empty() ? "" : ", ") + static_cast<char>('0' + gpu / 10) + '.' +
            static_cast<char>('0' + gpu % 10);
  }
  EXPECT_TRUE(Has(text, "compute capability " + gpus + " and later")) << text;
  EXPECT_TRUE(Has(text, "place the op on /CPU:0.")) << text;
}

TEST(ErrorsTest, OtherErrorsAreNamed) {
  EXPECT_EQ(CudaErrorText(cudaErrorMemoryAllocation, 13000),
            "CUDA error cudaErrorMemoryAllocation: out of memory.");
  EXPECT_TRUE(Has(CudaErrorText(123456, 13000), "unrecognized")) << CudaErrorText(123456, 13000);
}

// The text for this machine: without a driver, it says that none is installed.
TEST(ErrorsTest, ThisMachine) {
  int count = 0, driver = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess) GTEST_SKIP() << "It has a GPU.";
  ASSERT_EQ(cudaDriverGetVersion(&driver), cudaSuccess);
  const std::string text = CudaErrorText(error);
  EXPECT_EQ(text, CudaErrorText(error, driver));
  if (driver == 0) {
    EXPECT_TRUE(Has(text, "none is installed")) << text;
  }
}

}  // namespace
}  // namespace candsamp
