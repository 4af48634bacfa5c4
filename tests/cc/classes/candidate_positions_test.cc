// SPDX-License-Identifier: Apache-2.0
// The positions of classes among candidates, against a search of all of them.
#include "cc/lib/classes/candidate_positions.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

std::vector<int64_t> Positions(const CandidatePositions& positions, int64_t id) {
  std::vector<int64_t> found;
  positions.ForEach(id, [&](int64_t position) { found.push_back(position); });
  return found;
}

void ExpectPositions(const std::vector<int64_t>& candidates, const std::vector<int64_t>& ids) {
  TestRuntime runtime = TestRuntime::Whole();
  const CandidatePositions positions(runtime, candidates.data(),
                                     static_cast<int64_t>(candidates.size()));
  for (const int64_t id : ids) {
    std::vector<int64_t> expected;
    for (size_t k = 0; k < candidates.size(); ++k) {
      if (candidates[k] == id) expected.push_back(static_cast<int64_t>(k));
    }
    ASSERT_EQ(Positions(positions, id), expected) << id << " of " << candidates.size();
  }
}

TEST(CandidatePositionsTest, FindsEveryPositionInOrder) {
  std::mt19937_64 random(1);
  for (const int64_t count : {0, 1, 2, 7, 8, 9, 16, 100, 1000}) {
    for (const int64_t range : {int64_t{1}, int64_t{3}, int64_t{50}, int64_t{5000},
                                std::numeric_limits<int64_t>::max()}) {
      std::uniform_int_distribution<int64_t> any(0, range - 1);
      std::vector<int64_t> candidates(count), ids = {0, range - 1};
      for (int64_t& id : candidates) id = any(random);
      for (int k = 0; k < 100; ++k) ids.push_back(any(random));
      ids.insert(ids.end(), candidates.begin(), candidates.end());
      ExpectPositions(candidates, ids);
    }
  }
}

TEST(CandidatePositionsTest, FindsAClassThatIsAllOfThem) {
  const std::vector<int64_t> candidates(300, 42);
  ExpectPositions(candidates, {42, 41, 43, 0});
}

// The op does not check the range of ids, as TensorFlow's op does not.
TEST(CandidatePositionsTest, IdsMayBeAnyIntegers) {
  const int64_t least = std::numeric_limits<int64_t>::min();
  const int64_t most = std::numeric_limits<int64_t>::max();
  ExpectPositions({-1, least, most, -1, 0, least}, {-1, least, most, 0, 1, -2, least + 1});
}

TEST(CandidatePositionsTest, ThrowsWhenThereIsNoMemory) {
  const std::vector<int64_t> candidates(1000, 3);
  TestRuntime unlimited = TestRuntime::Whole();
  CandidatePositions(unlimited, candidates.data(), 1000);
  ASSERT_GT(unlimited.allocations(), 0);
  for (int64_t limit = 0; limit < unlimited.allocations(); ++limit) {
    TestRuntime runtime = TestRuntime::Whole();
    runtime.LimitAllocations(limit);
    EXPECT_THROW(CandidatePositions(runtime, candidates.data(), 1000), std::bad_alloc);
  }
}

}  // namespace
}  // namespace candsamp
