// SPDX-License-Identifier: Apache-2.0
// Checks of accidental hits, and of all classes as candidates.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_CLASSES_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_CLASSES_CHECKS_H_

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/classes/all_candidates.h"
#include "cc/lib/classes/candidate_positions.h"
#include "tests/cuda/checks/checked_distribution.h"

namespace candsamp {

// Compares the hits with the CPU's, in order.
template <typename Backend>
std::string CheckHits(Backend& backend, const std::vector<int64_t>& true_classes, int64_t row_size,
                      const std::vector<int64_t>& candidates) {
  SerialRuntime runtime;
  const CandidatePositions positions(runtime, candidates.data(),
                                     static_cast<int64_t>(candidates.size()));
  std::vector<int32_t> rows;
  std::vector<int64_t> hits;
  for (size_t k = 0; k < true_classes.size(); ++k) {
    positions.ForEach(true_classes[k], [&](int64_t position) {
      rows.push_back(static_cast<int32_t>(static_cast<int64_t>(k) / row_size));
      hits.push_back(position);
    });
  }
  const HitsInput input = {backend.Upload(true_classes), static_cast<int64_t>(true_classes.size()),
                           row_size, backend.Upload(candidates),
                           static_cast<int64_t>(candidates.size())};
  void* scratch;
  const int64_t found = backend.FindHits(input, &scratch);
  if (found != static_cast<int64_t>(rows.size())) {
    backend.Free();
    return std::to_string(found) + " hits, on the CPU " + std::to_string(rows.size());
  }
  const HitsOutput output = {backend.Upload(std::vector<int32_t>(found, -7)),
                             backend.Upload(std::vector<int64_t>(found, -7)),
                             backend.Upload(std::vector<float>(found, -7))};
  backend.WriteHits(input, scratch, output);
  const std::string problem =
      Difference("rows", rows, backend.Download(output.rows, found)) +
      Difference(" positions", hits, backend.Download(output.positions, found)) +
      Difference(" weights", std::vector<float>(found, -FLT_MAX),
                 backend.Download(output.weights, found));
  backend.Free();
  return problem;
}

template <typename Backend>
std::string CheckAllCandidates(Backend& backend, int64_t count,
                               const std::vector<int64_t>& true_classes) {
  const int64_t true_total = static_cast<int64_t>(true_classes.size());
  AllCandidates all;
  all.range = count;
  all.true_total = true_total;
  all.true_classes = backend.Upload(true_classes);
  all.candidates = backend.Upload(std::vector<int64_t>(count, -7));
  all.sampled_expected_count = backend.Upload(std::vector<float>(count, -7));
  all.true_expected_count = backend.Upload(std::vector<float>(true_total, -7));
  backend.All(all);
  std::vector<int64_t> ids(count);
  for (int64_t k = 0; k < count; ++k) ids[k] = k;
  std::string problem = Difference("candidates", ids, backend.Download(all.candidates, count)) +
                        Difference(" sampled_count", std::vector<float>(count, 1),
                                   backend.Download(all.sampled_expected_count, count));
  const std::vector<float> true_counts = backend.Download(all.true_expected_count, true_total);
  for (int64_t k = 0; k < true_total; ++k) {
    const bool is_class = 0 <= true_classes[k] && true_classes[k] < count;
    if (is_class ? true_counts[k] != 1 : !std::isnan(true_counts[k])) {
      problem += " true_count[" + std::to_string(k) + "] is " + std::to_string(true_counts[k]);
    }
  }
  backend.Free();
  return problem;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_CLASSES_CHECKS_H_
