// SPDX-License-Identifier: Apache-2.0
// Sums of repeated rows against sums in the order of positions.
#include "cc/lib/optimizers/distinct_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <new>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "cc/lib/rows/segments.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

constexpr int64_t kDepth = 5;

// Small integers, so that sums are exact in any order.
template <typename A>
std::vector<A> Gradients(int64_t count) {
  std::mt19937 random(2);
  std::vector<A> gradients(count * kDepth);
  for (A& value : gradients) value = static_cast<A>(static_cast<int>(random() % 9) - 4);
  return gradients;
}

template <typename A>
class DistinctRowsTest : public testing::Test {
 protected:
  static void ExpectSums(Runtime& runtime, const std::vector<int64_t>& ids, int64_t num_rows) {
    const std::vector<A> gradients = Gradients<A>(static_cast<int64_t>(ids.size()));
    std::map<int64_t, std::vector<A>> sums;
    for (size_t k = 0; k < ids.size(); ++k) {
      std::vector<A>& sum = sums[ids[k]];
      sum.resize(kDepth);
      for (int64_t d = 0; d < kDepth; ++d) sum[d] += gradients[k * kDepth + d];
    }
    const DistinctRows<A> distinct = SumRepeatedRows(
        runtime, ids.data(), static_cast<int64_t>(ids.size()), num_rows, gradients.data(), kDepth);
    ASSERT_EQ(distinct.count, static_cast<int64_t>(sums.size()));
    for (int64_t k = 0; k < distinct.count; ++k) {
      const A* const row = distinct.Gradient(k, kDepth);
      ASSERT_EQ(std::vector<A>(row, row + kDepth), sums.at(distinct.ids[k])) << distinct.ids[k];
    }
    EXPECT_EQ(std::set<int64_t>(distinct.ids, distinct.ids + distinct.count).size(), sums.size());
  }

  static std::vector<int64_t> Random(int64_t count, int64_t num_rows) {
    std::mt19937_64 random(1);
    std::vector<int64_t> ids(count);
    for (int64_t& id : ids) id = static_cast<int64_t>(random() % num_rows);
    return ids;
  }

  static std::vector<int64_t> Shuffled(int64_t count) {
    std::vector<int64_t> ids(count);
    std::iota(ids.begin(), ids.end(), 0);
    std::shuffle(ids.begin(), ids.end(), std::mt19937_64(1));
    return ids;
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(DistinctRowsTest, Types);

TYPED_TEST(DistinctRowsTest, SumsRepeatedRows) {
  for (TestRuntime& runtime : TestRuntime::Various()) {
    SCOPED_TRACE(runtime.name());
    this->ExpectSums(runtime, {}, 10);
    this->ExpectSums(runtime, {3}, 10);
    this->ExpectSums(runtime, {3, 3}, 10);
    this->ExpectSums(runtime, {9, 0, 3, 0}, 10);
    this->ExpectSums(runtime, this->Random(1000, 300), 300);
    this->ExpectSums(runtime, this->Random(1000, int64_t{1} << 40), int64_t{1} << 40);
  }
}

// One row that occurs more often than a segment is long, as that of padding does.
TYPED_TEST(DistinctRowsTest, SumsALongRow) {
  std::vector<int64_t> ids = this->Random(5 * kSegmentLength, 200);
  std::fill_n(ids.begin() + 100, 3 * kSegmentLength + 1, 77);
  for (TestRuntime& runtime : TestRuntime::Various()) this->ExpectSums(runtime, ids, 200);
}

TYPED_TEST(DistinctRowsTest, SumsManyRows) {
  TestRuntime runtime = TestRuntime::Threads(3);
  this->ExpectSums(runtime, this->Random(40000, 30000), 30000);
}

// What every gradient of our losses is.
TYPED_TEST(DistinctRowsTest, DistinctRowsStayInPlace) {
  using A = TypeParam;
  for (const int64_t count : {100, 40000}) {
    for (const bool sorted : {false, true}) {
      TestRuntime runtime = TestRuntime::Threads(2);
      std::vector<int64_t> ids = this->Shuffled(count);
      if (sorted) std::sort(ids.begin(), ids.end());
      const std::vector<A> gradients = Gradients<A>(count);
      const DistinctRows<A> distinct =
          SumRepeatedRows(runtime, ids.data(), count, count, gradients.data(), kDepth);
      EXPECT_EQ(distinct.ids, ids.data());
      EXPECT_EQ(distinct.count, count);
      EXPECT_EQ(distinct.gradients, gradients.data());
      EXPECT_EQ(distinct.gradient_of_each, nullptr);
      EXPECT_EQ(runtime.allocations() == 0, sorted);
    }
  }
}

// Rounding depends on the order, so another order would show.
TYPED_TEST(DistinctRowsTest, SumsInTheOrderOfPositions) {
  using A = TypeParam;
  const std::vector<int64_t> ids = {4, 1, 4, 4, 1};
  const A big = A(1) / std::numeric_limits<A>::epsilon() * 4;
  const std::vector<A> gradients = {1, 7, big, -big, 2};
  TestRuntime runtime = TestRuntime::Whole();
  const DistinctRows<A> distinct = SumRepeatedRows(runtime, ids.data(), 5, 10, gradients.data(), 1);
  ASSERT_EQ(distinct.count, 2);
  EXPECT_EQ(distinct.ids[0], 1);
  EXPECT_EQ(distinct.Gradient(0, 1)[0], A(9));
  EXPECT_EQ(distinct.Gradient(1, 1)[0], A(0));
}

TYPED_TEST(DistinctRowsTest, MemoryThatRunsOutIsAnException) {
  using A = TypeParam;
  const std::vector<int64_t> ids = this->Random(1000, 300);
  const std::vector<A> gradients = Gradients<A>(1000);
  TestRuntime enough = TestRuntime::Whole();
  SumRepeatedRows(enough, ids.data(), 1000, 300, gradients.data(), kDepth);
  for (int64_t allowed = 0; allowed < enough.allocations(); ++allowed) {
    TestRuntime runtime = TestRuntime::Whole();
    runtime.LimitAllocations(allowed);
    EXPECT_THROW(SumRepeatedRows(runtime, ids.data(), 1000, 300, gradients.data(), kDepth),
                 std::bad_alloc);
  }
}

}  // namespace
}  // namespace candsamp
