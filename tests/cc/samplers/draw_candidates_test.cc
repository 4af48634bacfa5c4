// SPDX-License-Identifier: Apache-2.0
// Candidates against the definition: the first distinct classes of independent draws. The law of
// the candidates after too many draws, by clocks, is tested in Python (test_sampler_statistics).
#include "cc/lib/samplers/draw_candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <new>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tests/cc/samplers/distribution_case.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

constexpr PhiloxStream kStream = {1, 2, 3};

// A request, with the memory of its excluded classes.
struct Wish {
  int64_t count;
  bool unique = true;
  bool exact = false;
  std::vector<int64_t> excluded = {};

  DrawRequest request() const {
    return {count, unique, exact, excluded.data(), static_cast<int64_t>(excluded.size())};
  }
  std::string name() const {
    return std::to_string(count) + (unique ? " unique" : "") + (exact ? ", exact" : "") +
           (excluded.empty() ? "" : ", without " + std::to_string(excluded.size()) + " classes");
  }
};

struct Sample {
  std::vector<int64_t> ids;
  std::vector<float> counts;
  CountRule rule;
};

Sample Drawn(Runtime& runtime, const Distribution& distribution, const Wish& wish,
             const PhiloxStream& stream = kStream) {
  Sample sample = {std::vector<int64_t>(wish.count, -1), std::vector<float>(wish.count, -1), {}};
  sample.rule = DrawCandidates(runtime, distribution, stream, wish.request(), sample.ids.data(),
                               sample.counts.data());
  return sample;
}
Sample Drawn(const Distribution& distribution, const Wish& wish,
             const PhiloxStream& stream = kStream) {
  TestRuntime runtime = TestRuntime::Whole();
  return Drawn(runtime, distribution, wish, stream);
}

// At most as many as the reserved blocks have words for.
int64_t MostTries(int64_t count) { return std::min(64 * count + 1024, 1024 * count); }

// The definition: one draw after the other.
struct Expected {
  Expected(const Distribution& distribution, const Wish& wish, int64_t wanted) {
    const std::set<int64_t> excluded(wish.excluded.begin(), wish.excluded.end());
    std::set<int64_t> seen;
    for (const int64_t id : candsamp::Drawn(distribution, kStream, MostTries(wish.count))) {
      if (static_cast<int64_t>(ids.size()) == wanted) break;
      if (excluded.count(id)) continue;
      ++tries;
      if (wish.unique && !seen.insert(id).second) continue;
      ids.push_back(id);
    }
  }
  std::vector<int64_t> ids;
  int64_t tries = 0;
};

double MassWithout(const Distribution& distribution, const std::vector<int64_t>& excluded) {
  std::vector<double> p = AllProbabilities(distribution);
  for (const int64_t id : excluded) p[id] = 0;
  return std::accumulate(p.begin(), p.end(), 0.0);
}

int64_t Available(const Distribution& distribution, const std::vector<int64_t>& excluded) {
  int64_t available = distribution.support();
  for (const int64_t id : excluded) available -= ProbabilityOf(distribution, id) > 0;
  return available;
}

// The expected count of a class by the rule, in long double.
long double CountOf(const CountRule& rule, double probability) {
  const long double p = std::min(probability / static_cast<long double>(rule.mass), 1.0L);
  if (rule.kind == CountRule::kProportional) return rule.parameter * p;
  if (rule.kind == CountRule::kWithinTries) return -std::expm1(rule.parameter * std::log1p(-p));
  return -std::expm1(-rule.parameter * p);
}

void ExpectCounts(const Distribution& distribution, const Sample& sample) {
  for (size_t k = 0; k < sample.ids.size(); ++k) {
    const long double exact = CountOf(sample.rule, ProbabilityOf(distribution, sample.ids[k]));
    ASSERT_NEAR(sample.counts[k], exact, 1e-6 * exact) << "class " << sample.ids[k];
  }
}

void ExpectSample(const Distribution& distribution, const Wish& wish) {
  SCOPED_TRACE(wish.name());
  const int64_t available = Available(distribution, wish.excluded);
  if (available < (wish.unique ? wish.count : 1)) return;
  const Sample sample = Drawn(distribution, wish);
  const bool clock_beyond = wish.unique && wish.exact && available > wish.count;
  const Expected expected(distribution, wish, wish.count + clock_beyond);
  const size_t same = std::min(expected.ids.size(), sample.ids.size());
  ASSERT_TRUE(std::equal(sample.ids.begin(), sample.ids.begin() + same, expected.ids.begin()));
  const std::set<int64_t> distinct(sample.ids.begin(), sample.ids.end());
  ASSERT_EQ(distinct.size(), wish.unique ? sample.ids.size() : distinct.size());
  for (const int64_t id : distinct) {
    ASSERT_GT(ProbabilityOf(distribution, id), 0) << id;
    ASSERT_EQ(std::count(wish.excluded.begin(), wish.excluded.end(), id), 0) << id;
  }
  ExpectCounts(distribution, sample);

  const CountRule& rule = sample.rule;
  EXPECT_NEAR(rule.mass, MassWithout(distribution, wish.excluded), 1e-12);
  if (!wish.unique) {
    EXPECT_EQ(rule.kind, CountRule::kProportional);
    EXPECT_EQ(rule.parameter, wish.count);
  } else if (wish.exact) {
    EXPECT_EQ(rule.kind, CountRule::kClock);
    EXPECT_GT(rule.parameter, 0);
    if (available == wish.count) {
      for (const float count : sample.counts) EXPECT_EQ(count, 1);
    }
  } else if (static_cast<int64_t>(expected.ids.size()) < wish.count) {
    const bool proportional = rule.parameter == wish.count;
    EXPECT_EQ(rule.kind, proportional ? CountRule::kProportional : CountRule::kWithinTries);
    EXPECT_GE(rule.parameter, expected.tries + wish.count - same);
    EXPECT_EQ(rule.parameter, std::floor(rule.parameter));
  } else if (expected.tries == wish.count) {
    EXPECT_EQ(rule.kind, CountRule::kProportional);
    EXPECT_EQ(rule.parameter, wish.count);
  } else {
    EXPECT_EQ(rule.kind, CountRule::kWithinTries);
    EXPECT_EQ(rule.parameter, expected.tries);
  }
}

std::vector<DistributionCase> Cases() {
  std::vector<DistributionCase> cases = SmallCases();
  // Distributions in which one class hardly ever comes up, or all but one.
  cases.push_back(FixedCase({1, 1e-6f, 1e-7f, 0, 1e-9f, 1e-30f}));
  cases.push_back(FixedCase({1, 1, 1, 1, 1, 1e-30f}));
  cases.push_back(LearnedCase({int64_t{1} << 61, 0, 5, 0, int64_t{1} << 30}));
  std::vector<float> steep(700);
  for (size_t k = 0; k < steep.size(); ++k) steep[k] = std::pow(0.95f, static_cast<float>(k));
  cases.push_back(FixedCase(steep));
  return cases;
}

std::vector<std::vector<int64_t>> Exclusions(int64_t range) {
  std::vector<std::vector<int64_t>> exclusions = {{}, {0}, {range - 1}, {range / 2}};
  std::vector<int64_t> first_half(range / 2), all_but_last(range - 1);
  std::iota(first_half.begin(), first_half.end(), 0);
  std::iota(all_but_last.begin(), all_but_last.end(), 0);
  exclusions.push_back(first_half);
  exclusions.push_back(all_but_last);
  return exclusions;
}

TEST(DrawCandidatesTest, AreTheFirstDistinctDraws) {
  for (const DistributionCase& a_case : Cases()) {
    SCOPED_TRACE(a_case.name);
    for (const std::vector<int64_t>& excluded : Exclusions(a_case->range())) {
      const int64_t available = Available(*a_case, excluded);
      for (const int64_t count : {int64_t{1}, int64_t{2}, int64_t{5}, int64_t{63}, int64_t{600},
                                  int64_t{900}, available - 1, available}) {
        if (count < 1) continue;
        for (const bool unique : {false, true}) {
          for (const bool exact : {false, true}) {
            ExpectSample(*a_case, {count, unique, exact, excluded});
          }
        }
      }
    }
  }
}

// Exact counts say more about the same candidates.
TEST(DrawCandidatesTest, ExactCountsDoNotChangeTheCandidates) {
  for (const DistributionCase& a_case : Cases()) {
    for (int64_t count = 1; count <= a_case->support(); count += 1 + count / 2) {
      for (uint64_t key = 0; key < 5; ++key) {
        const PhiloxStream stream = {key, 0, 0};
        ASSERT_EQ(Drawn(*a_case, {count, true, true}, stream).ids,
                  Drawn(*a_case, {count, true, false}, stream).ids)
            << a_case.name << ", " << count;
      }
    }
  }
}

// With and without clocks, for classes that fill several blocks of kClassBlock.
TEST(DrawCandidatesTest, DoNotDependOnTheRuntime) {
  std::vector<DistributionCase> cases;
  cases.push_back(UniformCase(40000));
  cases.push_back(LearnedCase(ZipfCounts(40000, 1000000)));
  std::vector<float> steep(40000);
  for (int64_t k = 0; k < 40000; ++k) steep[k] = std::pow(static_cast<float>(k + 1), -3.0f);
  cases.push_back(FixedCase(steep));
  for (const DistributionCase& a_case : cases) {
    for (const Wish& wish :
         {Wish{1000}, Wish{1000, true, true}, Wish{1000, false, false, {0, 1, 2, 39999}},
          Wish{1000, true, true, {0, 1, 2, 39999}}, Wish{39000, true, false}}) {
      const Sample expected = Drawn(*a_case, wish);
      for (TestRuntime& runtime : TestRuntime::Various()) {
        SCOPED_TRACE(a_case.name + ", " + wish.name() + ", " + runtime.name());
        const Sample sample = Drawn(runtime, *a_case, wish);
        ASSERT_EQ(sample.ids, expected.ids);
        ASSERT_EQ(sample.counts, expected.counts);
        ASSERT_EQ(sample.rule.parameter, expected.rule.parameter);
      }
    }
  }
}

// Two streams draw independently, also if clocks draw most of the candidates.
TEST(DrawCandidatesTest, DependOnTheStream) {
  for (const DistributionCase& a_case : Cases()) {
    if (a_case->range() < 700) continue;
    for (const Wish& wish : {Wish{600}, Wish{600, false}, Wish{600, false, false, {0, 1}}}) {
      std::set<std::vector<int64_t>> different;
      for (const PhiloxStream& stream :
           {PhiloxStream{1, 2, 3}, PhiloxStream{2, 2, 3}, PhiloxStream{1, 3, 3}}) {
        different.insert(Drawn(*a_case, wish, stream).ids);
      }
      EXPECT_EQ(different.size(), 3u) << a_case.name << ", " << wish.name();
    }
  }
}

TEST(DrawCandidatesTest, CountsOfOtherClassesFollowTheRule) {
  for (const DistributionCase& a_case : SmallCases()) {
    std::vector<int64_t> ids(a_case->range());
    std::iota(ids.begin(), ids.end(), 0);
    for (const CountRule& rule :
         {CountRule{CountRule::kProportional, 7}, CountRule{CountRule::kProportional, 7, 0.25},
          CountRule{CountRule::kWithinTries, 1000, 0.999}, CountRule{CountRule::kWithinTries, 1e15},
          CountRule{CountRule::kClock, 12.5}, CountRule{CountRule::kClock, 12.5, 1e-9},
          CountRule{CountRule::kClock, std::numeric_limits<double>::max()}}) {
      for (TestRuntime& runtime : TestRuntime::Various()) {
        Sample sample = {ids, std::vector<float>(ids.size(), -1), rule};
        ExpectedCounts(runtime, *a_case, rule, ids.data(), a_case->range(), sample.counts.data());
        SCOPED_TRACE(a_case.name + ", " + std::to_string(rule.parameter));
        ExpectCounts(*a_case, sample);
      }
    }
    TestRuntime runtime = TestRuntime::Whole();
    ExpectedCounts(runtime, *a_case, {CountRule::kClock, 1}, nullptr, 0, nullptr);
  }
}

// A runtime that counts the bytes it allocates, in multiples of 64.
class RoundingRuntime : public Runtime {
 public:
  void ParallelFor(int64_t total, int64_t cost,
                   const std::function<void(int64_t, int64_t)>& work) override {
    runtime_.ParallelFor(total, cost, work);
  }
  void* AllocateBytes(size_t bytes) override {
    allocated_ += static_cast<int64_t>((bytes + 63) / 64 * 64);
    return runtime_.AllocateBytes(bytes);
  }
  int64_t allocated() const { return allocated_; }

 private:
  TestRuntime runtime_ = TestRuntime::Whole();
  int64_t allocated_ = 0;
};

TEST(DrawScratchBytesTest, AreNeverExceeded) {
  for (const DistributionCase& a_case : Cases()) {
    for (const std::vector<int64_t>& excluded : Exclusions(a_case->range())) {
      const int64_t available = Available(*a_case, excluded);
      for (const int64_t count : {int64_t{1}, int64_t{5}, int64_t{600}, available}) {
        for (const bool unique : {false, true}) {
          for (const bool exact : {false, true}) {
            if (count < 1 || available < (unique ? count : 1)) continue;
            const Wish wish = {count, unique, exact, excluded};
            RoundingRuntime runtime;
            Drawn(runtime, *a_case, wish);
            ASSERT_LE(runtime.allocated(), DrawScratchBytes(wish.request(), a_case->range()))
                << a_case.name << ", " << wish.name();
          }
        }
      }
    }
  }
}

TEST(DrawCandidatesMemoryTest, ThrowsWhenThereIsNone) {
  const DistributionCase steep = FixedCase({1, 1e-6f, 1e-7f, 1e-9f, 1e-30f});
  for (const Wish& wish : {Wish{2}, Wish{4}, Wish{4, true, true}, Wish{3, true, true, {0}},
                           Wish{3, false, false, {0, 1}}}) {
    TestRuntime unlimited = TestRuntime::Whole();
    Drawn(unlimited, *steep, wish);
    ASSERT_GT(unlimited.allocations(), 0) << wish.name();
    for (int64_t limit = 0; limit < unlimited.allocations(); ++limit) {
      TestRuntime runtime = TestRuntime::Whole();
      runtime.LimitAllocations(limit);
      EXPECT_THROW(Drawn(runtime, *steep, wish), std::bad_alloc) << wish.name();
    }
  }
}

// Memory depends on the number of candidates, not of classes, unless clocks are needed.
TEST(DrawCandidatesMemoryTest, DoesNotGrowWithTheClasses) {
  TestRuntime runtime = TestRuntime::Whole();
  runtime.LimitBytes(100000);
  EXPECT_EQ(Drawn(runtime, *UniformCase(int64_t{1} << 62), {1000, true, true}).ids.size(), 1000u);
}

// Forwards draws, and remembers how far into the stream they went.
class Watched : public Distribution {
 public:
  explicit Watched(const Distribution& distribution)
      : Distribution(distribution.range()), distribution_(distribution) {}
  int64_t support() const override { return distribution_.support(); }
  void Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
            int64_t* out, const ExpectedCountOutput* counts) const override {
    distribution_.Draw(runtime, stream, position, count, out, counts);
    position_ = std::max(position_, *position);
  }
  void Probabilities(const int64_t* ids, int64_t count, double* out) const override {
    distribution_.Probabilities(ids, count, out);
  }
  uint64_t position() const { return position_; }

 private:
  const Distribution& distribution_;
  mutable uint64_t position_ = 0;
};

// A call has kBlocksPerSample blocks for each candidate. The next call begins after them.
TEST(DrawCandidatesTest, DrawsStayWithinTheBlocksOfTheCall) {
  const DistributionCase one_in_a_million = FixedCase({1, 1e-30f, 1e-30f, 1e-30f, 1e-30f});
  for (const int64_t count : {1, 2, 3, 4}) {
    const Watched watched(*one_in_a_million);
    Drawn(watched, {count, true, true});
    // Four 32-bit words a block.
    EXPECT_LE((watched.position() + 3) / 4, kBlocksPerSample * count) << count;
  }
}

}  // namespace
}  // namespace candsamp
