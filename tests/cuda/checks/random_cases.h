// SPDX-License-Identifier: Apache-2.0
// Random cases for the checks.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_RANDOM_CASES_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_RANDOM_CASES_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "tests/cuda/checks/batch_checks.h"
#include "tests/cuda/checks/checked_distribution.h"
#include "tests/cuda/checks/rows_checks.h"

namespace candsamp {

// Makes random cases of the checks from a seed.
class RandomCases {
 public:
  explicit RandomCases(uint32_t seed) : random_(seed) {}

  int64_t Below(int64_t bound) {
    return std::uniform_int_distribution<int64_t>(0, bound - 1)(random_);
  }
  bool Coin() { return Below(2) == 1; }
  // Between 1 and `most`, of any magnitude.
  int64_t Size(int64_t most) {
    const double u = std::uniform_real_distribution<double>(0, std::log(most + 1.0))(random_);
    return std::min<int64_t>(most, std::max<int64_t>(1, static_cast<int64_t>(std::exp(u))));
  }

  CheckedDistribution Distribution(CheckedDistribution::Kind kind, int64_t range) {
    if (kind == CheckedDistribution::kFixedUnigram) {
      std::vector<float> weights(range);
      for (float& weight : weights) weight = Weight();
      weights[Below(range)] = 1;
      return CheckedDistribution::Fixed(std::move(weights));
    }
    if (kind == CheckedDistribution::kLearnedUnigram) {
      std::vector<int64_t> counts(range);
      for (int64_t& count : counts) count = Coin() ? 0 : Size(Coin() ? 3 : 3000) - 1;
      return CheckedDistribution::Learned(std::move(counts));
    }
    return CheckedDistribution::Of(kind, range);
  }

  BatchCase Batch(const CheckedDistribution& checked, int64_t most) {
    BatchCase batch;
    batch.stream = Stream();
    batch.unique = Coin();
    batch.exact = Coin();
    if (batch.unique) most = std::min(most, checked.cpu->support());
    batch.count = Below(4) ? Size(most) : most;
    for (int64_t k = Below(9); k > 0; --k) batch.true_classes.push_back(Below(checked.range()));
    return batch;
  }

  RowsCase Rows(const CheckedDistribution& checked, int64_t most) {
    RowsCase rows;
    rows.stream = Stream();
    rows.unique = Coin();
    rows.exact = Coin();
    rows.exclude_true = Coin();
    for (int64_t row = Below(12); row >= 0; --row) {
      std::vector<int64_t> true_classes;
      int64_t available = checked.cpu->support();
      for (int64_t k = Below(4); k > 0 && available > 2; --k, --available) {
        true_classes.push_back(Below(checked.range()));
      }
      if (!true_classes.empty() && Coin()) true_classes.push_back(true_classes[0]);
      const int64_t limit = rows.unique ? std::min(most, available) : most;
      rows.num_sampled.push_back(Below(5) ? Size(limit) : Coin() ? 0 : limit);
      rows.true_classes.push_back(std::move(true_classes));
    }
    return rows;
  }

  PhiloxStream Stream() { return {random_(), random_(), Coin() ? random_() : ~uint64_t{0}}; }

 private:
  // Some weights are 0, and some are far above the others.
  float Weight() {
    const int64_t kind = Below(8);
    if (kind == 0) return 0;
    return std::exp(static_cast<float>(Below(kind == 1 ? 30 : 4)));
  }

  std::mt19937_64 random_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_RANDOM_CASES_H_
