// SPDX-License-Identifier: Apache-2.0
// All checks of the kernels, on random input. Each one runs on a GPU (gpu_checker.cc), there under
// compute-sanitizer too, and on threads of the host (host_checker.cc).
//
// A check compares a device with the CPU, bit by bit, and returns the first difference, or nothing.
// It is free of test frameworks. Its backend is the device: CudaBackend or HostBackend. That has
// Upload(vector) and Download(pointer, count), with memory that lives until Free(); and Batch,
// Rows, Probabilities, Build, Add, FindHits, WriteHits and All, which launch what cc/cuda launches.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECK_LIST_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECK_LIST_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/cuda/checks/batch_checks.h"
#include "tests/cuda/checks/classes_checks.h"
#include "tests/cuda/checks/exact_checks.h"
#include "tests/cuda/checks/learned_unigram_checks.h"
#include "tests/cuda/checks/optimizer_checks.h"
#include "tests/cuda/checks/ragged_checks.h"
#include "tests/cuda/checks/random_cases.h"
#include "tests/cuda/checks/rows_checks.h"
#include "tests/cuda/checks/sampled_checks.h"
#include "tests/cuda/checks/table_checks.h"

namespace candsamp {

// How many random cases each check has, and their largest sizes.
struct CheckSizes {
  int cases;
  int64_t range;           // classes
  int64_t candidates;      // of a batch
  int64_t row_candidates;  // of a row
  int64_t rows;
};

// Runs case number k; returns the first difference, or nothing.
template <typename Backend>
struct Check {
  const char* name;
  std::string (*run)(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k);
};

// Takes all kinds in turn.
inline CheckedDistribution::Kind KindOf(int64_t k) {
  constexpr CheckedDistribution::Kind kKinds[] = {
      CheckedDistribution::kUniform, CheckedDistribution::kLogUniform,
      CheckedDistribution::kFixedUnigram, CheckedDistribution::kLearnedUnigram};
  return kKinds[k % 4];
}

template <typename Backend>
std::string RandomBatch(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const CheckedDistribution checked = cases.Distribution(KindOf(k), cases.Size(sizes.range));
  return CheckBatch(backend, checked, cases.Batch(checked, sizes.candidates));
}

template <typename Backend>
std::string LargestBatch(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  // Distinct candidates get so many classes that the CPU is fast enough too.
  const CheckedDistribution checked =
      cases.Distribution(KindOf(k), k % 4 < 2 ? 8 * sizes.range : sizes.range);
  BatchCase batch = cases.Batch(checked, sizes.candidates);
  batch.unique = k / 4 % 2;
  batch.count = sizes.candidates;
  if (batch.unique) batch.count = std::min(batch.count, checked.cpu->support() / 8 + 1);
  return CheckBatch(backend, checked, batch);
}

template <typename Backend>
std::string WholeSupport(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const CheckedDistribution checked = cases.Distribution(KindOf(k), cases.Size(sizes.range / 16));
  return CheckBatch(backend, checked,
                    {cases.Stream(), checked.cpu->support(), true, cases.Coin(), {0}});
}

// No memory could hold a value for each class of these ranges.
template <typename Backend>
std::string HugeRange(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const CheckedDistribution::Kind kind = KindOf(k % 2);
  const int bits =
      31 + static_cast<int>(cases.Below(kind == CheckedDistribution::kUniform ? 32 : 25));
  const int64_t range = (int64_t{1} << bits) + cases.Below(int64_t{1} << (bits - 1));
  const CheckedDistribution checked = CheckedDistribution::Of(kind, range);
  return CheckBatch(
      backend, checked,
      {cases.Stream(), cases.Size(sizes.candidates), cases.Coin(), cases.Coin(), {0, range - 1}});
}

// One column in 2,000 is rejected, so that the draws after it are made of other words.
template <typename Backend>
std::string Rejections(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t) {
  const CheckedDistribution checked =
      cases.Distribution(CheckedDistribution::kFixedUnigram, 2000001 + cases.Below(1000000));
  return CheckBatch(
      backend, checked,
      {cases.Stream(), std::min<int64_t>(20000, sizes.candidates), cases.Coin(), false, {5}});
}

// Nearly all mass is on a few classes, so that clocks find the distinct candidates.
template <typename Backend>
std::string Clocks(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t) {
  const int64_t range = 100 + cases.Size(sizes.range), count = 10 + cases.Size(range / 4);
  std::vector<float> weights(range, 1);
  for (int j = 0; j < 5; ++j) weights[cases.Below(range)] = 1e12f;
  const CheckedDistribution checked = CheckedDistribution::Fixed(std::move(weights));
  if (cases.Coin()) {
    return CheckBatch(backend, checked, {cases.Stream(), count, true, cases.Coin(), {0, 1}});
  }
  const int64_t few = std::min(count, sizes.row_candidates);
  return CheckRows(
      backend, checked,
      {cases.Stream(), {few, 1, 9}, true, cases.Coin(), cases.Coin(), {{3}, {}, {7, 9}}});
}

// Nearly all mass is on an excluded class, so that sums find the candidates.
template <typename Backend>
std::string Sums(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t) {
  const int64_t range = 100 + cases.Size(sizes.range), heavy = cases.Below(range);
  std::vector<float> weights(range, 1);
  weights[heavy] = 1e15f;
  const CheckedDistribution checked = CheckedDistribution::Fixed(std::move(weights));
  return CheckRows(backend, checked,
                   {cases.Stream(),
                    {50, 1, 7},
                    cases.Coin(),
                    false,
                    true,
                    {{heavy}, {heavy, 3}, {heavy, heavy, 5}}});
}

template <typename Backend>
std::string RandomRows(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const CheckedDistribution checked = cases.Distribution(KindOf(k), 3 + cases.Size(sizes.range));
  return CheckRows(backend, checked, cases.Rows(checked, sizes.row_candidates));
}

// More rows than blocks, some of them without candidates.
template <typename Backend>
std::string ManyRows(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const CheckedDistribution checked =
      cases.Distribution(KindOf(k), 3 * sizes.row_candidates + cases.Size(sizes.range));
  RowsCase rows = {cases.Stream(), {}, cases.Coin(), cases.Coin(), cases.Coin(), {}};
  const int64_t most = std::max<int64_t>(
      1, std::min<int64_t>(checked.cpu->support() - 3, cases.Size(sizes.row_candidates)) / 4);
  for (int64_t row = 0; row < sizes.rows; ++row) {
    const int64_t id = cases.Below(checked.range());
    rows.num_sampled.push_back(cases.Below(most));
    rows.true_classes.push_back({id, cases.Below(checked.range()), id});
  }
  return CheckRows(backend, checked, rows);
}

template <typename Backend>
std::string Probabilities(Backend& backend, RandomCases& cases, const CheckSizes& sizes,
                          int64_t k) {
  const CheckedDistribution checked = cases.Distribution(KindOf(k), cases.Size(sizes.range));
  std::vector<int64_t> ids(cases.Size(sizes.candidates));
  for (int64_t& id : ids) id = cases.Below(checked.range());
  return CheckProbabilities(backend, checked, ids);
}

template <typename Backend>
std::string IdsOutOfRange(Backend& backend, RandomCases& cases, const CheckSizes&, int64_t k) {
  return CheckIdsOutOfRange(backend, cases.Distribution(KindOf(k), cases.Size(100)));
}

template <typename Backend>
std::string TooFewClasses(Backend& backend, RandomCases& cases, const CheckSizes&, int64_t) {
  return CheckTooFewClasses(backend, 3 + cases.Size(100), cases.Coin(), cases.Coin());
}

template <typename Backend>
std::string RandomUpdates(Backend& backend, RandomCases& cases, const CheckSizes& sizes,
                          int64_t k) {
  const int64_t range = cases.Size(k % 3 ? sizes.range / 4 : 30);
  std::vector<int64_t> counts(range);
  for (int64_t& count : counts) count = cases.Below(3);
  std::vector<std::vector<int64_t>> updates(6);
  for (auto& update : updates) {
    update.resize(cases.Size(std::min(3 * range, sizes.candidates)));
    for (int64_t& id : update) id = cases.Coin() ? cases.Below(range) : cases.Size(range) - 1;
  }
  return CheckUpdates(backend, std::move(counts), updates);
}

// Classes of so many slots that a whole block inserts them, and a long update of one class.
template <typename Backend>
std::string HeavyUpdates(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t) {
  const int64_t range = 5000, heavy = cases.Below(range);
  std::vector<int64_t> counts(range);
  counts[heavy] = 9000;
  counts[cases.Below(range)] = 700;
  return CheckUpdates(backend, std::move(counts),
                      {{heavy, heavy, 3}, std::vector<int64_t>(4 * sizes.candidates, heavy)});
}

template <typename Backend>
std::string RandomHits(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const int64_t range = cases.Size(sizes.range), row_size = 1 + cases.Below(3);
  // Every true class may hit every candidate: so few of both that the hits fit in memory.
  const int64_t most = std::min(sizes.candidates, int64_t{1} << 14);
  std::vector<int64_t> true_classes(row_size * cases.Below(most / 16)),
      candidates(cases.Size(most));
  if (range < 100) candidates.resize(candidates.size() / 64);
  for (int64_t& id : true_classes) id = cases.Below(range);
  for (int64_t& id : candidates) id = cases.Below(range);
  if (!candidates.empty() && !true_classes.empty()) {
    candidates[0] = true_classes[0] = k % 2 ? INT64_MAX : -5;
  }
  return CheckHits(backend, true_classes, row_size, candidates);
}

template <typename Backend>
std::string AllClasses(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t) {
  const int64_t count = cases.Size(sizes.candidates);
  return CheckAllCandidates(backend, count,
                            {0, cases.Below(count), count, -1, INT64_MAX, INT64_MIN});
}

template <typename Backend>
std::string Gather(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t) {
  return CheckGather(backend, cases, std::min<int64_t>(sizes.candidates, 3000));
}

template <typename Backend>
std::string Ranks(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t) {
  return CheckRanks(backend, cases, sizes.candidates);
}

// The dense losses, forward and backward.
template <typename Backend>
std::string SampledLoss(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const SampledCase c = RandomSampledCase(cases, std::min<int64_t>(sizes.rows, 300),
                                          std::min<int64_t>(3 * sizes.candidates, 6000));
  return CheckSampledLoss(backend, c, k);
}

// The ragged losses and scores, forward and backward.
template <typename Backend>
std::string RaggedLoss(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const RaggedCase c = RandomRaggedCase(cases, std::min<int64_t>(sizes.rows, 200),
                                        std::min<int64_t>(2 * sizes.candidates, 3000));
  return CheckRagged(backend, c, k);
}

// The full softmax, ranks and the best classes.
template <typename Backend>
std::string Exact(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  return CheckExact(backend,
                    RandomExactCase(cases, std::min<int64_t>(sizes.rows, 40),
                                    std::min<int64_t>(3 * sizes.candidates, 9000)),
                    k);
}

// Every optimizer and type of table in turn.
template <typename Backend>
std::string RowUpdate(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const RowUpdateCase c = RandomRowUpdate(cases, std::min<int64_t>(sizes.candidates, 20000));
  const int64_t formula = cases.Below(10);
  switch (k % 4) {
    case 0:
      return CheckRowUpdateOfType<float>(backend, c, formula);
    case 1:
      return CheckRowUpdateOfType<Bfloat16>(backend, c, formula);
    case 2:
      return CheckRowUpdateOfType<double>(backend, c, formula);
    default:
      return CheckRowUpdateOfType<Half>(backend, c, formula);
  }
}

template <typename Backend>
std::string RowSums(Backend& backend, RandomCases& cases, const CheckSizes& sizes, int64_t k) {
  const RowUpdateCase c = RandomRowUpdate(cases, std::min<int64_t>(sizes.candidates, 20000));
  return k % 2 ? CheckSumOfRows<Bfloat16>(backend, c) : CheckSumOfRows<float>(backend, c);
}

template <typename Backend>
std::vector<Check<Backend>> AllChecks() {
  return {
      {"batches", RandomBatch<Backend>},
      {"largest_batches", LargestBatch<Backend>},
      {"whole_support", WholeSupport<Backend>},
      {"huge_ranges", HugeRange<Backend>},
      {"rejections", Rejections<Backend>},
      {"clocks", Clocks<Backend>},
      {"sums", Sums<Backend>},
      {"rows", RandomRows<Backend>},
      {"many_rows", ManyRows<Backend>},
      {"probabilities", Probabilities<Backend>},
      {"ids_out_of_range", IdsOutOfRange<Backend>},
      {"too_few_classes", TooFewClasses<Backend>},
      {"updates", RandomUpdates<Backend>},
      {"heavy_updates", HeavyUpdates<Backend>},
      {"hits", RandomHits<Backend>},
      {"all_classes", AllClasses<Backend>},
      {"gathers", Gather<Backend>},
      {"ranks", Ranks<Backend>},
      {"sampled_losses", SampledLoss<Backend>},
      {"ragged_losses", RaggedLoss<Backend>},
      {"exact", Exact<Backend>},
      {"row_updates", RowUpdate<Backend>},
      {"row_sums", RowSums<Backend>},
  };
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECK_LIST_H_
