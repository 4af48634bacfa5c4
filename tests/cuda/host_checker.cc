// Runs every check on threads that stand for a GPU: what tests gpu_checker.cc's cases where there
// is none.
#include "tests/cuda/checker.h"
#include "tests/cuda/host_backend.h"

int main(int argc, char** argv) {
  candsamp::CheckerOptions options;
  const std::string wrong = options.Parse(argc, argv);
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    return 2;
  }
  // Sizes that leave tails of every kind.
  constexpr candsamp::GridShape kShapes[] = {{1, 4}, {3, 8}, {2, 7}, {5, 3}};
  return candsamp::RunChecks<candsamp::HostBackend>(options, [&](int64_t k, const auto& use) {
    candsamp::HostBackend backend(kShapes[k / 4 % 4]);
    use(backend);
  });
}
