// SPDX-License-Identifier: Apache-2.0
// Checks of rows.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_ROWS_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_ROWS_CHECKS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cc/lib/samplers/draw_rows.h"
#include "tests/cuda/checks/checked_distribution.h"

namespace candsamp {

struct RowsCase {
  PhiloxStream stream;
  std::vector<int64_t> num_sampled;
  bool unique, exact, exclude_true;
  std::vector<std::vector<int64_t>> true_classes;
};

template <typename Backend>
std::string CheckRows(Backend& backend, const CheckedDistribution& checked, const RowsCase& batch) {
  std::vector<int64_t> splits = {0}, true_splits = {0}, true_classes;
  int64_t most = 0;
  for (size_t row = 0; row < batch.num_sampled.size(); ++row) {
    splits.push_back(splits.back() + batch.num_sampled[row]);
    most = std::max(most, batch.num_sampled[row]);
    const auto& mine = batch.true_classes[row];
    true_classes.insert(true_classes.end(), mine.begin(), mine.end());
    true_splits.push_back(static_cast<int64_t>(true_classes.size()));
  }
  const int64_t total = splits.back();
  std::vector<int64_t> ids(total);
  std::vector<float> counts(total);
  SerialRuntime runtime;
  const RowsRequest on_cpu = {static_cast<int64_t>(batch.num_sampled.size()),
                              splits.data(),
                              batch.unique,
                              batch.exact,
                              batch.exclude_true ? true_splits.data() : nullptr,
                              true_classes.data()};
  const std::string refused =
      DrawRows(runtime, *checked.cpu, batch.stream, on_cpu, ids.data(), counts.data());
  if (!refused.empty()) return "a case that the CPU refuses: " + refused;

  DeviceRowsRequest request;
  request.stream = StreamStart::Of(batch.stream);
  request.rows = on_cpu.rows;
  request.splits = backend.Upload(splits);
  request.unique = batch.unique;
  request.exact_counts = batch.exact;
  request.exclude_true = batch.exclude_true;
  request.true_total = static_cast<int64_t>(true_classes.size());
  request.true_classes = backend.Upload(true_classes);
  request.true_splits = backend.Upload(true_splits);
  request.candidates = backend.Upload(std::vector<int64_t>(total, -7));
  request.expected_count = backend.Upload(std::vector<float>(total, -7));
  WithView(backend, checked, [&](const auto& view) { backend.Rows(view, request, most, total); });
  std::string problem =
      Difference("candidates", ids, backend.Download(request.candidates, total)) +
      Difference(" expected_count", counts, backend.Download(request.expected_count, total));
  backend.Free();
  return problem.empty() ? ""
                         : checked.name + " of " + std::to_string(checked.range()) + ", rows" +
                               (batch.unique ? " unique" : "") + (batch.exact ? " exact" : "") +
                               (batch.exclude_true ? " without true classes" : "") + ": " + problem;
}

// A row that asks for more candidates than there are beside its true classes gets -1 for the rest,
// with an expected count of NaN. The next row has all its candidates. REQUIRES: range > 3.
template <typename Backend>
std::string CheckTooFewClasses(Backend& backend, int64_t range, bool unique, bool exact) {
  const int64_t left = unique ? 2 : 0, asked = left + 3;
  std::vector<int64_t> true_classes(range - left);
  for (int64_t k = 0; k < range - left; ++k) true_classes[k] = range - 1 - k;
  const int64_t total = asked + 2, true_total = static_cast<int64_t>(true_classes.size());
  DeviceRowsRequest request = {};
  request.stream = StreamStart::Of({1, 2, 3});
  request.rows = 2;
  request.splits = backend.Upload(std::vector<int64_t>{0, asked, total});
  request.unique = unique;
  request.exact_counts = exact;
  request.exclude_true = true;
  request.true_total = true_total;
  request.true_classes = backend.Upload(true_classes);
  request.true_splits = backend.Upload(std::vector<int64_t>{0, true_total, true_total});
  request.candidates = backend.Upload(std::vector<int64_t>(total, -7));
  request.expected_count = backend.Upload(std::vector<float>(total, -7));
  backend.Rows(UniformView(range), request, asked, total);
  const std::vector<int64_t> ids = backend.Download(request.candidates, total);
  const std::vector<float> counts = backend.Download(request.expected_count, total);
  backend.Free();
  for (int64_t k = 0; k < total; ++k) {
    const bool missing = left <= k && k < asked;
    const bool is_class = 0 <= ids[k] && ids[k] < (k < asked ? left : range);
    if (missing ? ids[k] != -1 || !std::isnan(counts[k]) : !is_class || !(counts[k] > 0)) {
      return "candidate " + std::to_string(k) + " of rows of which one asks for too many is " +
             std::to_string(ids[k]) + ", expected " + std::to_string(counts[k]) + " times";
    }
  }
  return "";
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_ROWS_CHECKS_H_
