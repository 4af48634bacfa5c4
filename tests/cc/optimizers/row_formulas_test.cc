// SPDX-License-Identifier: Apache-2.0
// The formulas, on numbers whose results can be worked out by hand.
#include "cc/lib/optimizers/row_formulas.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace candsamp {
namespace {

template <typename A>
class RowFormulasTest : public testing::Test {
 protected:
  // Updates a value and its slots. They must then be as given.
  template <typename Formula>
  static void Expect(const Formula& formula, A gradient, A value, std::vector<A> slots, A new_value,
                     const std::vector<A>& new_slots) {
    ASSERT_EQ(static_cast<int>(slots.size()), Formula::kSlots);
    formula.Update(gradient, &value, slots.data());
    EXPECT_EQ(value, new_value);
    EXPECT_EQ(slots, new_slots);
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RowFormulasTest, Types);

TYPED_TEST(RowFormulasTest, GradientDescent) {
  using A = TypeParam;
  this->Expect(SgdFormula<A>{0.5, 0}, A(3), A(2), {}, A(0.5), {});
  this->Expect(SgdFormula<A>{0.5, 0.25}, A(3), A(2), {}, A(0), {});
}

TYPED_TEST(RowFormulasTest, Momentum) {
  using A = TypeParam;
  // The momentum becomes 0.5 * 4 - 0.5 * 2 = 1.
  this->Expect(MomentumFormula<A, false>{0.5, 0.5, 0}, A(2), A(8), {4}, A(9), {1});
  this->Expect(MomentumFormula<A, false>{0.5, 0.5, 0.25}, A(2), A(8), {4}, A(7), {1});
  // A step of 0.5 * 1 - 0.5 * 2.
  this->Expect(MomentumFormula<A, true>{0.5, 0.5, 0}, A(2), A(8), {4}, A(7.5), {1});
}

TYPED_TEST(RowFormulasTest, Adagrad) {
  using A = TypeParam;
  this->Expect(AdagradFormula<A>{2, 3, 0}, A(3), A(8), {13}, A(6.8), {22});
  this->Expect(AdagradFormula<A>{2, 3, 0.5}, A(3), A(8), {13}, A(2.8), {22});
}

TYPED_TEST(RowFormulasTest, Rmsprop) {
  using A = TypeParam;
  // The mean of squares becomes 0.5 * 14 + 0.5 * 16 = 15, and with epsilon 16.
  this->Expect(RmspropFormula<A, false, false>{2, 0.5, 0.5, 0, 1, 0}, A(4), A(8), {14}, A(6), {15});
  this->Expect(RmspropFormula<A, false, false>{2, 0.5, 0.5, 0, 1, 0.5}, A(4), A(8), {14}, A(2),
               {15});
  // The momentum becomes 0.25 * 4 + 2.
  this->Expect(RmspropFormula<A, true, false>{2, 0.5, 0.5, 0.25, 1, 0}, A(4), A(8), {14, 4}, A(5),
               {15, 3});
  // The mean becomes 3, and 15 + 3 - 9 = 9.
  this->Expect(RmspropFormula<A, false, true>{3, 0.5, 0.5, 0, 3, 0}, A(4), A(8), {14, 2}, A(4),
               {15, 3});
  this->Expect(RmspropFormula<A, true, true>{3, 0.5, 0.5, 0.25, 3, 0}, A(4), A(8), {14, 4, 2}, A(3),
               {15, 5, 3});
}

TYPED_TEST(RowFormulasTest, Adam) {
  using A = TypeParam;
  // The means become 4 + (2 - 4) / 2 = 3 and 12 + (4 - 12) / 4 = 10.
  this->Expect(AdamFormula<A, false>{4, 0.5, 0.375, 1, 0}, A(2), A(8), {4, 12}, A(8 - 12.0 / 4),
               {3, 9});
  this->Expect(AdamFormula<A, false>{4, 0.5, 0.375, 1, 0.25}, A(2), A(8), {4, 12}, A(3), {3, 9});
  this->Expect(AdamFormula<A, true>{4, 0.5, 0.375, 1, 0}, A(2), A(8), {4, 12, 25}, A(6),
               {3, 9, 25});
  this->Expect(AdamFormula<A, true>{4, 0.5, 0.375, 1, 0}, A(2), A(8), {4, 12, 4}, A(5), {3, 9, 9});
}

TYPED_TEST(RowFormulasTest, LargestVelocityKeepsNan) {
  using A = TypeParam;
  A value = 1, slots[3] = {0, 0, 5};
  AdamFormula<A, true>{1, 0.5, 0.5, 0, 0}.Update(std::numeric_limits<A>::quiet_NaN(), &value,
                                                 slots);
  EXPECT_NE(slots[2], slots[2]);
  EXPECT_NE(value, value);
}

TYPED_TEST(RowFormulasTest, Ftrl) {
  using A = TypeParam;
  // The root of the sum grows from 3 to 5, over a rate of 0.5 by 4. The linear sum becomes
  // 7 + 4 - 4 * 2 = 3; less l1 that is 2, over 5 / 0.5.
  this->Expect(FtrlFormula<A, true>{2, 0.5, 1, 0, 0, 0}, A(4), A(2), {9, 7}, A(-0.2), {25, 3});
  this->Expect(FtrlFormula<A, false>{2, 0.5, 1, 0, 0, 0}, A(4), A(2), {9, 7}, A(-0.2), {25, 3});
  // Within l1 the value is 0.
  this->Expect(FtrlFormula<A, true>{2, 0.5, 4, 0, 0, 0}, A(4), A(2), {9, 7}, A(0), {25, 3});
  // Both l2 and shrinkage: 7 + (4 + 0.5 * 2) - 8 = 4; -3 over 10 + 2.
  this->Expect(FtrlFormula<A, true>{2, 0.5, 1, 2, 0.5, 0}, A(4), A(2), {9, 7}, A(-0.25), {25, 4});
  // Sums of a power of 1: 2 (25 - 9) = 32 times 2.
  this->Expect(FtrlFormula<A, false>{2, 1, 1, 0, 0, 0}, A(4), A(2), {9, 7}, A(52.0 / 50),
               {25, -53});
}

}  // namespace
}  // namespace candsamp
