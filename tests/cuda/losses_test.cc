// SPDX-License-Identifier: Apache-2.0
// Losses, what scores all classes, and optimizers on threads that stand for a device, in one type:
// for ThreadSanitizer. host_checker.cc runs the same checks in all types.
#include <gtest/gtest.h>

#include "tests/cuda/checks/exact_checks.h"
#include "tests/cuda/checks/optimizer_checks.h"
#include "tests/cuda/checks/ragged_checks.h"
#include "tests/cuda/checks/sampled_checks.h"
#include "tests/cuda/checks/table_checks.h"
#include "tests/cuda/host/host_backend.h"

namespace candsamp {
namespace {

// Calls check(backend, cases) with random cases on grids of several shapes.
template <typename Check>
void OnGrids(uint32_t seed, Check check) {
  for (const GridShape shape : {GridShape{1, 4}, {3, 8}, {2, 6}, {4, 3}}) {
    HostBackend backend(shape);
    RandomCases cases(seed + static_cast<uint32_t>(shape.threads));
    for (int k = 0; k < 3; ++k) EXPECT_EQ(check(backend, cases), "");
  }
}

TEST(TablesOnThreads, GathersAndRanks) {
  OnGrids(5, [](HostBackend& backend, RandomCases& cases) {
    return CheckGather(backend, cases, 200) + CheckRanks(backend, cases, 200);
  });
}

TEST(LossesOnThreads, Sampled) {
  OnGrids(1, [](HostBackend& backend, RandomCases& cases) {
    return CheckSampledLossOf<float, float>(backend, RandomSampledCase(cases, 20, 1200));
  });
}

TEST(LossesOnThreads, Ragged) {
  OnGrids(2, [](HostBackend& backend, RandomCases& cases) {
    return CheckRaggedOf<float, float>(backend, RandomRaggedCase(cases, 12, 400));
  });
}

TEST(LossesOnThreads, Exact) {
  OnGrids(3, [](HostBackend& backend, RandomCases& cases) {
    return CheckExactOf<float, float>(backend, RandomExactCase(cases, 8, 1200));
  });
}

TEST(OptimizersOnThreads, Adam) {
  OnGrids(4, [](HostBackend& backend, RandomCases& cases) {
    return CheckRowUpdateOf<float, PlainAdam>(backend, RandomRowUpdate(cases, 400));
  });
}

}  // namespace
}  // namespace candsamp
