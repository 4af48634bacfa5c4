// SPDX-License-Identifier: Apache-2.0
// ClassGroups against std::stable_sort.
#include "cc/lib/classes/class_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

struct PositionEntry {
  uint32_t key;
  int64_t position;
};

struct VectorEntries {
  const std::vector<int64_t>& ids;

  int64_t Id(int64_t position) const { return ids.at(position); }

  template <typename Emit>
  void ForEach(int64_t begin, int64_t end, Emit emit) const {
    for (int64_t k = begin; k < end; ++k) emit(ids.at(k), PositionEntry{0xffffffffu, k});
  }
};

// Groups by a stable sort of the positions.
struct ExpectedGroups {
  explicit ExpectedGroups(const std::vector<int64_t>& ids) : positions(ids.size()) {
    std::iota(positions.begin(), positions.end(), 0);
    std::stable_sort(positions.begin(), positions.end(),
                     [&](int64_t a, int64_t b) { return ids[a] < ids[b]; });
    for (size_t k = 0; k < positions.size(); ++k) {
      const int64_t id = ids[positions[k]];
      if (classes.empty() || classes.back() != id) {
        classes.push_back(id);
        starts.push_back(k);
      }
    }
    starts.push_back(positions.size());
  }

  std::vector<int64_t> positions, classes, starts;
};

void ExpectGroups(TestRuntime& runtime, const std::vector<int64_t>& ids, int64_t num_classes,
                  const ExpectedGroups& expected) {
  SCOPED_TRACE(runtime.name());
  const ClassGroups<PositionEntry> groups(runtime, static_cast<int64_t>(ids.size()), num_classes,
                                          VectorEntries{ids});
  ASSERT_EQ(groups.size(), static_cast<int64_t>(expected.classes.size()));
  for (int64_t g = 0; g < groups.size(); ++g) {
    ASSERT_EQ(groups.classes()[g], expected.classes[g]) << g;
  }
  for (int64_t g = 0; g <= groups.size(); ++g) ASSERT_EQ(groups.start(g), expected.starts[g]) << g;
  for (size_t k = 0; k < ids.size(); ++k) {
    ASSERT_EQ(groups.entry(k).position, expected.positions[k]) << k;
  }
}

std::vector<int64_t> UniformIds(int64_t count, int64_t num_classes, std::mt19937_64& random) {
  std::uniform_int_distribution<int64_t> id(0, num_classes - 1);
  std::vector<int64_t> ids(count);
  for (int64_t& k : ids) k = id(random);
  return ids;
}

// Log-uniform ids, nearly Zipf's law.
std::vector<int64_t> ZipfIds(int64_t count, int64_t num_classes, std::mt19937_64& random) {
  std::uniform_real_distribution<double> exponent(0,
                                                  std::log(static_cast<double>(num_classes) + 1));
  std::vector<int64_t> ids(count);
  for (int64_t& k : ids) {
    k = std::min(static_cast<int64_t>(std::exp(exponent(random))) - 1, num_classes - 1);
  }
  return ids;
}

// Ids at the upper border, all in one bucket.
std::vector<int64_t> LastIds(int64_t count, int64_t num_classes, std::mt19937_64& random) {
  std::vector<int64_t> ids(count);
  for (int64_t& k : ids) k = num_classes - 1 - static_cast<int64_t>(random() % 3) % num_classes;
  return ids;
}

std::vector<int64_t> EqualIds(int64_t count, int64_t num_classes, std::mt19937_64&) {
  return std::vector<int64_t>(count, num_classes / 2);
}

using MakeIds = std::vector<int64_t> (*)(int64_t, int64_t, std::mt19937_64&);
struct Distribution {
  std::string name;
  MakeIds make_ids;
};

class ClassGroupsTest : public testing::TestWithParam<Distribution> {};

TEST_P(ClassGroupsTest, EqualsAStableSort) {
  std::mt19937_64 random(1);
  for (const int64_t count : {0, 1, 10, 511, 512, 5000, 200000}) {
    for (const int64_t num_classes :
         {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{255}, int64_t{257}, int64_t{1000},
          int64_t{1} << 20, (int64_t{1} << 32) + 1, int64_t{1} << 33, int64_t{1} << 40}) {
      SCOPED_TRACE(std::to_string(count) + " ids of " + std::to_string(num_classes));
      const std::vector<int64_t> ids = GetParam().make_ids(count, num_classes, random);
      const ExpectedGroups expected(ids);
      TestRuntime whole = TestRuntime::Whole();
      ExpectGroups(whole, ids, num_classes, expected);
      TestRuntime cuts = TestRuntime::RandomCuts(7);
      ExpectGroups(cuts, ids, num_classes, expected);
    }
  }
}

TEST_P(ClassGroupsTest, DoesNotDependOnTheCutting) {
  std::mt19937_64 random(2);
  for (const int64_t num_classes : {int64_t{1000}, int64_t{1} << 33}) {
    const std::vector<int64_t> ids = GetParam().make_ids(100000, num_classes, random);
    const ExpectedGroups expected(ids);
    for (TestRuntime& runtime : TestRuntime::Various())
      ExpectGroups(runtime, ids, num_classes, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Ids, ClassGroupsTest,
                         testing::Values(Distribution{"Uniform", UniformIds},
                                         Distribution{"Zipf", ZipfIds},
                                         Distribution{"Last", LastIds},
                                         Distribution{"Equal", EqualIds}),
                         [](const auto& info) { return info.param.name; });

TEST(ClassGroupsMemoryTest, ThrowsWhenThereIsNone) {
  const std::vector<int64_t> ids(10000, 3);
  TestRuntime unlimited = TestRuntime::Whole();
  ClassGroups<PositionEntry>(unlimited, 10000, 10, VectorEntries{ids});
  ASSERT_GT(unlimited.allocations(), 0);
  for (int64_t limit = 0; limit < unlimited.allocations(); ++limit) {
    TestRuntime runtime = TestRuntime::Whole();
    runtime.LimitAllocations(limit);
    EXPECT_THROW(ClassGroups<PositionEntry>(runtime, 10000, 10, VectorEntries{ids}),
                 std::bad_alloc);
  }
}

// Scratch memory, and with it time, depends on the number of entries, not of classes.
TEST(ClassGroupsMemoryTest, DoesNotGrowWithTheClasses) {
  const std::vector<int64_t> ids = {5, 3, 5, 0};
  TestRuntime runtime = TestRuntime::Whole();
  runtime.LimitBytes(1000);
  ExpectGroups(runtime, ids, int64_t{1} << 32, ExpectedGroups(ids));
}

TEST(ClassGroupsMemoryTest, DoesNotGrowWithTheClassesOfTheLargestTable) {
  const int64_t num_classes = kMostClasses;
  const std::vector<int64_t> ids = {5, num_classes - 1, 5, 0, int64_t{1} << 42};
  TestRuntime runtime = TestRuntime::Whole();
  runtime.LimitBytes(1 << 20);
  ExpectGroups(runtime, ids, num_classes, ExpectedGroups(ids));
}

}  // namespace
}  // namespace candsamp
