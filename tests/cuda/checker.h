// SPDX-License-Identifier: Apache-2.0
// The program that runs the checks of check_list.h on fresh random input, and says how to repeat
// those that fail. Each backend has a file with its main function.
//
// Options: --sizes=large|small|tiny, --seed=N, --only=CHECK, --case=K, --poison=0|1.
// Exit status: 0 when all is as on the CPU, 1 when something is not, 2 for a bad option, 3 for an
// error of the device.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKER_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKER_H_

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>

#include "tests/cuda/check_list.h"

namespace candsamp {

struct CheckerOptions {
  CheckSizes sizes = {40, 1 << 20, 1 << 20, 2000, 2000};
  uint32_t seed = std::random_device()();
  std::string only;
  int64_t only_case = -1;
  bool poison = true;

  // Returns the error, or nothing.
  std::string Parse(int argc, char** argv) {
    for (int k = 1; k < argc; ++k) {
      const std::string argument = argv[k];
      const size_t equals = argument.find('=');
      const std::string name = argument.substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
      if (name == "--sizes" && value == "large") {
      } else if (name == "--sizes" && value == "small") {  // for compute-sanitizer, which is slow
        sizes = {8, 20000, 3000, 150, 400};
      } else if (name == "--sizes" && value == "tiny") {  // for threads, which are slow too
        sizes = {4, 2000, 500, 40, 40};
      } else if (name == "--seed") {
        seed = static_cast<uint32_t>(std::strtoull(value.c_str(), nullptr, 10));
      } else if (name == "--only") {
        only = value;
      } else if (name == "--case") {
        only_case = std::strtoll(value.c_str(), nullptr, 10);
      } else if (name == "--poison") {
        poison = value != "0";
      } else {
        return "bad option " + argument + ": see tests/cuda/checker.h for the options";
      }
    }
    return "";
  }
};

// The seed of one case, so that it can be repeated alone.
inline uint32_t SeedOf(uint32_t seed, const std::string& check, int64_t k) {
  uint64_t mixed = Mix(seed);
  for (const char letter : check) mixed = Mix(mixed ^ static_cast<unsigned char>(letter));
  return static_cast<uint32_t>(Mix(mixed + static_cast<uint64_t>(k)));
}

// with_backend(options, k, use) calls use(backend) with the backend for case k.
template <typename Backend, typename WithBackend>
int RunChecks(const CheckerOptions& options, WithBackend with_backend) {
  std::printf("Seed %u.\n", options.seed);
  int64_t run = 0, failed = 0;
  try {
    for (const Check<Backend>& check : AllChecks<Backend>()) {
      if (!options.only.empty() && options.only != check.name) continue;
      const auto start = std::chrono::steady_clock::now();
      int64_t wrong = 0;
      for (int64_t k = 0; k < options.sizes.cases; ++k) {
        if (options.only_case >= 0 && options.only_case != k) continue;
        RandomCases cases(SeedOf(options.seed, check.name, k));
        std::string problem;
        with_backend(options, k, [&](Backend& backend) {
          problem = check.run(backend, cases, options.sizes, k);
        });
        ++run;
        if (problem.empty()) continue;
        ++wrong;
        std::printf("WRONG: %s (repeat with --seed=%u --only=%s --case=%lld): %s\n", check.name,
                    options.seed, check.name, static_cast<long long>(k), problem.c_str());
      }
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      std::printf("%-16s %s in %.1f s\n", check.name, wrong ? "WRONG" : "as on the CPU",
                  seconds.count());
      std::fflush(stdout);
      failed += wrong;
    }
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
  std::printf("%lld cases, %lld of them wrong.\n", static_cast<long long>(run),
              static_cast<long long>(failed));
  if (run == 0) return 2;
  return failed > 0;
}

// Runs the checks that the options ask for; returns the exit status.
template <typename Backend, typename WithBackend>
int RunChecker(int argc, char** argv, WithBackend with_backend) {
  CheckerOptions options;
  const std::string wrong = options.Parse(argc, argv);
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    return 2;
  }
  return RunChecks<Backend>(options, with_backend);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKER_H_
