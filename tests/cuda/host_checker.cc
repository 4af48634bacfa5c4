// SPDX-License-Identifier: Apache-2.0
// Runs every check on threads of the host, so that the checks themselves are tested without a GPU.
#include "tests/cuda/checker.h"
#include "tests/cuda/host/host_backend.h"

int main(int argc, char** argv) {
  using candsamp::HostBackend;
  return candsamp::RunChecker<HostBackend>(
      argc, argv, [](const candsamp::CheckerOptions&, int64_t k, const auto& use) {
        // Sizes that leave tails of every kind.
        constexpr candsamp::GridShape kShapes[] = {{1, 4}, {3, 8}, {2, 7}, {5, 3}};
        HostBackend backend(kShapes[k / 4 % 4]);
        use(backend);
      });
}
