// SPDX-License-Identifier: Apache-2.0
// Distributions of all kinds, for tests.
#ifndef TF_CANDSAMP_TESTS_CC_SAMPLERS_DISTRIBUTION_CASE_H_
#define TF_CANDSAMP_TESTS_CC_SAMPLERS_DISTRIBUTION_CASE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cc/lib/samplers/distribution.h"
#include "cc/lib/samplers/fixed_unigram.h"
#include "cc/lib/samplers/learned_unigram.h"
#include "cc/lib/samplers/log_uniform.h"
#include "cc/lib/samplers/uniform.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {

// A distribution with the weights or counts that it reads.
struct DistributionCase {
  std::string name;
  std::vector<float> weights;
  std::vector<int64_t> counts;
  std::unique_ptr<Distribution> distribution;

  const Distribution& operator*() const { return *distribution; }
  const Distribution* operator->() const { return distribution.get(); }
};

inline DistributionCase UniformCase(int64_t range) {
  return {"uniform " + std::to_string(range), {}, {}, std::make_unique<Uniform>(range)};
}
inline DistributionCase LogUniformCase(int64_t range) {
  return {"log-uniform " + std::to_string(range), {}, {}, std::make_unique<LogUniform>(range)};
}
inline DistributionCase FixedCase(std::vector<float> weights) {
  DistributionCase made = {
      "fixed unigram " + std::to_string(weights.size()), std::move(weights), {}, nullptr};
  made.distribution = std::make_unique<FixedUnigram>(made.weights.data(), made.weights.size());
  return made;
}
inline DistributionCase LearnedCase(std::vector<int64_t> counts) {
  DistributionCase made = {
      "learned unigram " + std::to_string(counts.size()), {}, std::move(counts), nullptr};
  made.distribution = std::make_unique<LearnedUnigram>(made.counts.data(), made.counts.size());
  return made;
}

// Zipf's law, with a class of weight zero every `zero_every` classes.
inline std::vector<float> ZipfWeights(int64_t range, int64_t zero_every = 7) {
  std::vector<float> weights(range);
  for (int64_t k = 0; k < range; ++k) {
    weights[k] = k % zero_every == zero_every - 1 ? 0.0f : 1000.0f / static_cast<float>(k + 1);
  }
  return weights;
}
inline std::vector<int64_t> ZipfCounts(int64_t range, int64_t most) {
  std::vector<int64_t> counts(range);
  for (int64_t k = 0; k < range; ++k) counts[k] = most / (k + 1);
  return counts;
}

// Small distributions of every kind.
inline std::vector<DistributionCase> SmallCases() {
  std::vector<DistributionCase> cases;
  for (const int64_t range : {1, 2, 3, 64, 1000}) {
    cases.push_back(UniformCase(range));
    cases.push_back(LogUniformCase(range));
    cases.push_back(FixedCase(ZipfWeights(range)));
    cases.push_back(LearnedCase(ZipfCounts(range, 5 * range)));
  }
  return cases;
}

inline std::vector<int64_t> Drawn(TestRuntime& runtime, const Distribution& distribution,
                                  const PhiloxStream& stream, int64_t count) {
  std::vector<int64_t> ids(count);
  uint64_t position = 0;
  distribution.Draw(runtime, stream, &position, count, ids.data());
  return ids;
}
inline std::vector<int64_t> Drawn(const Distribution& distribution, const PhiloxStream& stream,
                                  int64_t count) {
  TestRuntime runtime = TestRuntime::Whole();
  return Drawn(runtime, distribution, stream, count);
}

inline double ProbabilityOf(const Distribution& distribution, int64_t id) {
  double p;
  distribution.Probabilities(&id, 1, &p);
  return p;
}
// The probabilities of all classes.
inline std::vector<double> AllProbabilities(const Distribution& distribution) {
  std::vector<int64_t> ids(distribution.range());
  for (size_t k = 0; k < ids.size(); ++k) ids[k] = static_cast<int64_t>(k);
  std::vector<double> p(ids.size());
  distribution.Probabilities(ids.data(), distribution.range(), p.data());
  return p;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_SAMPLERS_DISTRIBUTION_CASE_H_
