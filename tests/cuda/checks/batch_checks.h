// SPDX-License-Identifier: Apache-2.0
// Checks of batches and of probabilities.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_BATCH_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_BATCH_CHECKS_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cc/lib/samplers/draw_candidates.h"
#include "tests/cuda/checks/checked_distribution.h"

namespace candsamp {

struct BatchCase {
  PhiloxStream stream;
  int64_t count;
  bool unique, exact;
  std::vector<int64_t> true_classes;

  std::string name(const CheckedDistribution& checked) const {
    return checked.name + " of " + std::to_string(checked.range()) + ", " + std::to_string(count) +
           (unique ? " unique" : "") + (exact ? " exact" : "") + ", key " +
           std::to_string(stream.key);
  }
};

template <typename Backend>
std::string CheckBatch(Backend& backend, const CheckedDistribution& checked,
                       const BatchCase& batch) {
  SerialRuntime runtime;
  std::vector<int64_t> ids(batch.count);
  std::vector<float> counts(batch.count), true_counts(batch.true_classes.size());
  const int64_t true_total = static_cast<int64_t>(true_counts.size());
  const CountRule rule =
      DrawCandidates(runtime, *checked.cpu, batch.stream, {batch.count, batch.unique, batch.exact},
                     ids.data(), counts.data());
  ExpectedCounts(runtime, *checked.cpu, rule, batch.true_classes.data(), true_total,
                 true_counts.data());

  const std::vector<int64_t> state = {static_cast<int64_t>(batch.stream.low),
                                      static_cast<int64_t>(batch.stream.high),
                                      static_cast<int64_t>(batch.stream.key)};
  DeviceBatchRequest request;
  request.stream =
      batch.count % 2 ? StreamStart::Of(batch.stream) : StreamStart::At(backend.Upload(state));
  request.num_sampled = batch.count;
  request.unique = batch.unique;
  request.exact_counts = batch.exact;
  request.true_total = true_total;
  request.true_classes = backend.Upload(batch.true_classes);
  request.candidates = backend.Upload(std::vector<int64_t>(batch.count, -7));
  request.sampled_expected_count = backend.Upload(std::vector<float>(batch.count, -7));
  request.true_expected_count = backend.Upload(std::vector<float>(true_total, -7));
  WithView(backend, checked, [&](const auto& view) { backend.Batch(view, request); });
  std::string problem =
      Difference("candidates", ids, backend.Download(request.candidates, batch.count)) +
      Difference(" sampled_count", counts,
                 backend.Download(request.sampled_expected_count, batch.count)) +
      Difference(" true_count", true_counts,
                 backend.Download(request.true_expected_count, true_total));
  backend.Free();
  return problem.empty() ? "" : batch.name(checked) + ": " + problem;
}

template <typename Backend>
std::string CheckProbabilities(Backend& backend, const CheckedDistribution& checked,
                               const std::vector<int64_t>& ids) {
  SerialRuntime runtime;
  const int64_t count = static_cast<int64_t>(ids.size());
  std::vector<float> wanted(count);
  ExpectedCounts(runtime, *checked.cpu, {CountRule::kProportional, 1.0}, ids.data(), count,
                 wanted.data());
  float* const out = backend.Upload(std::vector<float>(count, -7));
  WithView(backend, checked,
           [&](const auto& view) { backend.Probabilities(view, backend.Upload(ids), count, out); });
  const std::string problem = Difference("probability", wanted, backend.Download(out, count));
  backend.Free();
  return problem.empty() ? "" : checked.name + ": " + problem;
}

// The probability of an id out of range is NaN.
template <typename Backend>
std::string CheckIdsOutOfRange(Backend& backend, const CheckedDistribution& checked) {
  const std::vector<int64_t> ids = {-1, checked.range(), INT64_MIN, INT64_MAX};
  const int64_t count = static_cast<int64_t>(ids.size());
  float* const out = backend.Upload(std::vector<float>(count, -7));
  WithView(backend, checked,
           [&](const auto& view) { backend.Probabilities(view, backend.Upload(ids), count, out); });
  std::string problem;
  for (const float p : backend.Download(out, count)) {
    if (!std::isnan(p)) problem = checked.name + ": an id out of range has a probability";
  }
  backend.Free();
  return problem;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_BATCH_CHECKS_H_
