// SPDX-License-Identifier: Apache-2.0
// Rows in the type of the arithmetic: in place, or copied where they are asked for.
#include "cc/lib/rows/widened_rows.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>
#include <vector>

#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

constexpr int64_t kDepth = 5;

template <typename W>
class WidenedRowsTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(WidenedRowsTest, Types);

template <typename W>
std::vector<W> Rows(int64_t count) {
  std::vector<W> rows(count * kDepth);
  for (size_t k = 0; k < rows.size(); ++k) Narrow(static_cast<Accumulator<W>>(k), &rows[k]);
  return rows;
}

TYPED_TEST(WidenedRowsTest, HaveTheValuesOfTheRows) {
  const std::vector<TypeParam> rows = Rows<TypeParam>(4);
  TestRuntime runtime = TestRuntime::Whole();
  const WidenedRows<TypeParam> widened(runtime, 4, kDepth);
  // Two ranges that lie in different slots at the same time.
  const auto* last = widened.Widen(rows.data() + 3 * kDepth, 1, 0);
  const auto* first = widened.Widen(rows.data(), 3, 1);
  for (int64_t k = 0; k < kDepth; ++k) EXPECT_EQ(last[k], Widen(rows[3 * kDepth + k])) << k;
  for (int64_t k = 0; k < 3 * kDepth; ++k) EXPECT_EQ(first[k], Widen(rows[k])) << k;
}

TYPED_TEST(WidenedRowsTest, AreCopiedOnlyToAnotherType) {
  const std::vector<TypeParam> rows = Rows<TypeParam>(2);
  TestRuntime runtime = TestRuntime::Whole();
  const WidenedRows<TypeParam> widened(runtime, 2, kDepth);
  const void* wide = widened.Widen(rows.data(), 2, 0);
  const bool in_place = std::is_same_v<TypeParam, Accumulator<TypeParam>>;
  EXPECT_EQ(wide == static_cast<const void*>(rows.data()), in_place);
  EXPECT_EQ(runtime.allocations() == 0, in_place);
}

}  // namespace
}  // namespace candsamp
