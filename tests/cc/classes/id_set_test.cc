// SPDX-License-Identifier: Apache-2.0
// IdSet against std::set, in memory of exactly the size it asks for.
#include "cc/lib/classes/id_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace candsamp {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// A set in memory of exactly its size, so that AddressSanitizer sees accesses beyond it.
class Set {
 public:
  Set(int64_t capacity, int64_t range)
      : words_(new uint64_t[IdSet::Words(capacity, range)]),
        set_(Filled(capacity, range), capacity, range) {}
  IdSet* operator->() { return &set_; }

 private:
  // Garbage: scratch memory is not zero either.
  uint64_t* Filled(int64_t capacity, int64_t range) {
    std::fill_n(words_.get(), IdSet::Words(capacity, range), 0x5a5a5a5a5a5a5a5a);
    return words_.get();
  }

  std::unique_ptr<uint64_t[]> words_;
  IdSet set_;
};

// Inserts the ids, of which up to `capacity` are different.
void ExpectSet(const std::vector<int64_t>& ids, int64_t capacity, int64_t range) {
  SCOPED_TRACE(std::to_string(capacity) + " of " + std::to_string(range));
  Set set(capacity, range);
  std::set<int64_t> expected;
  for (const int64_t id : ids) {
    const bool is_new = expected.count(id) == 0;
    if (is_new && static_cast<int64_t>(expected.size()) == capacity) continue;
    set->Prefetch(id);
    ASSERT_EQ(set->Contains(id), !is_new) << id;
    ASSERT_EQ(set->Insert(id), is_new) << id;
    ASSERT_TRUE(set->Contains(id)) << id;
    expected.insert(id);
  }
  for (const int64_t id : ids) {
    for (const int64_t other : {id, id ^ 1, range - 1 - id, int64_t{0}, range - 1}) {
      if (other < 0 || other >= range) continue;
      ASSERT_EQ(set->Contains(other), expected.count(other) == 1) << other;
    }
  }
}

TEST(IdSetTest, IsASet) {
  std::mt19937_64 random(1);
  for (const int64_t range : {int64_t{1}, int64_t{2}, int64_t{63}, int64_t{64}, int64_t{65},
                              int64_t{1000}, int64_t{1} << 20, int64_t{1} << 40, kMost}) {
    for (const int64_t wanted : {1, 2, 7, 8, 9, 100, 1000}) {
      const int64_t capacity = std::min(wanted, range);
      std::uniform_int_distribution<int64_t> any(0, range - 1), few(0, std::min(range, 2 * wanted));
      std::vector<int64_t> ids = {0, range - 1};
      for (int64_t k = 0; k < 4 * wanted; ++k) {
        ids.push_back(any(random));
        ids.push_back(std::min(few(random), range - 1));
        ids.push_back(ids[random() % ids.size()]);
      }
      ExpectSet(ids, capacity, range);
    }
  }
}

// Ids of equal hash: multiples of the inverse of the golden ratio, and neighbours.
TEST(IdSetTest, CollidingIdsAreKeptApart) {
  uint64_t inverse = 1;
  for (int k = 0; k < 6; ++k) inverse *= 2 - kGoldenRatio * inverse;
  std::vector<int64_t> ids;
  for (uint64_t k = 0; k < 200; ++k) ids.push_back(static_cast<int64_t>(k * inverse >> 1));
  for (uint64_t k = 0; k < 200; ++k) ids.push_back(static_cast<int64_t>(k << 55));
  for (int64_t k = 0; k < 200; ++k) ids.push_back(kMost - 1 - k);
  ExpectSet(ids, 600, kMost);
}

TEST(IdSetTest, TakesTheSmallerOfTwoForms) {
  // A bit for each class.
  EXPECT_LE(IdSet::Words(1000, 640), 11);
  EXPECT_LE(IdSet::Words(1000000, 64000), 1001);
  // A table that is at most half full.
  EXPECT_LE(IdSet::Words(1, kMost), 16);
  for (const int64_t capacity : {8, 9, 1000, 1024, 1025}) {
    EXPECT_GE(IdSet::Words(capacity, kMost), 2 * capacity);
    EXPECT_LE(IdSet::Words(capacity, kMost), 4 * capacity + 16);
  }
}

}  // namespace
}  // namespace candsamp
