// SPDX-License-Identifier: Apache-2.0
// Updates of rows: the same bits for any threads, other rows as they were, a NaN in its row.
#include "cc/lib/optimizers/update_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

constexpr int64_t kRows = 500, kDepth = 13, kCount = 900;

template <typename W>
struct Tables {
  using A = Accumulator<W>;

  Tables() {
    std::mt19937 random(3);
    std::uniform_real_distribution<A> values(0.5, 2);
    table.resize(kRows * kDepth);
    for (W& value : table) Narrow(values(random), &value);
    for (std::vector<A>& slot : slots) {
      slot.resize(kRows * kDepth);
      for (A& value : slot) value = values(random);
    }
  }

  OptimizedTable<W> Pointers() {
    return {table.data(), {slots[0].data(), slots[1].data(), slots[2].data()}, kRows, kDepth};
  }

  std::vector<W> table;
  std::vector<A> slots[kMostSlots];
};

template <typename W>
class UpdateRowsTest : public testing::Test {
 protected:
  using A = Accumulator<W>;

  UpdateRowsTest() : ids(kCount), gradients(kCount * kDepth) {
    std::mt19937 random(4);
    for (int64_t& id : ids) id = static_cast<int64_t>(random() % kRows);
    std::uniform_real_distribution<A> values(-1, 1);
    for (A& value : gradients) value = values(random);
  }

  Tables<W> Updated(Runtime& runtime) {
    Tables<W> tables;
    UpdateRows(runtime, formula, tables.Pointers(), ids.data(), kCount, gradients.data());
    return tables;
  }

  const AdamFormula<A, true> formula = {A(0.1), A(0.1), A(0.01), A(1e-6), A(0.001)};
  std::vector<int64_t> ids;
  std::vector<A> gradients;
};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(UpdateRowsTest, Types);

TYPED_TEST(UpdateRowsTest, SameBitsWithAnyThreads) {
  TestRuntime whole = TestRuntime::Whole();
  const auto expected = this->Updated(whole);
  for (TestRuntime& runtime : TestRuntime::Various()) {
    SCOPED_TRACE(runtime.name());
    const auto found = this->Updated(runtime);
    EXPECT_TRUE(SameBits(found.table, expected.table));
    for (int s = 0; s < kMostSlots; ++s) EXPECT_TRUE(SameBits(found.slots[s], expected.slots[s]));
  }
}

TYPED_TEST(UpdateRowsTest, RowsThatDoNotOccurStay) {
  TestRuntime runtime = TestRuntime::Threads(3);
  const Tables<TypeParam> before;
  const auto after = this->Updated(runtime);
  const std::set<int64_t> touched(this->ids.begin(), this->ids.end());
  ASSERT_LT(touched.size(), static_cast<size_t>(kRows));
  for (int64_t row = 0; row < kRows; ++row) {
    bool same = true;
    for (int64_t at = row * kDepth; at < (row + 1) * kDepth; ++at) {
      same &= SameBits(before.table[at], after.table[at]);
      for (int s = 0; s < kMostSlots; ++s) {
        same &= SameBits(before.slots[s][at], after.slots[s][at]);
      }
    }
    EXPECT_EQ(same, touched.count(row) == 0) << row;
  }
}

TYPED_TEST(UpdateRowsTest, NanStaysInItsRow) {
  TestRuntime runtime = TestRuntime::Threads(2);
  const auto expected = this->Updated(runtime);
  std::fill_n(this->gradients.begin() + 7 * kDepth, kDepth, kNan<TypeParam>);
  const auto found = this->Updated(runtime);
  for (int64_t at = 0; at < kRows * kDepth; ++at) {
    if (at / kDepth == this->ids[7]) {
      EXPECT_TRUE(std::isnan(Widen(found.table[at])));
    } else {
      EXPECT_TRUE(SameBits(found.table[at], expected.table[at]));
    }
  }
}

TYPED_TEST(UpdateRowsTest, NothingToUpdate) {
  TestRuntime runtime = TestRuntime::Whole();
  Tables<TypeParam> tables;
  UpdateRows(runtime, this->formula, tables.Pointers(), nullptr, 0, nullptr);
  OptimizedTable<TypeParam> empty = tables.Pointers();
  empty.depth = 0;
  UpdateRows(runtime, this->formula, empty, this->ids.data(), kCount, this->gradients.data());
  EXPECT_TRUE(SameBits(tables.table, Tables<TypeParam>().table));
}

}  // namespace
}  // namespace candsamp
