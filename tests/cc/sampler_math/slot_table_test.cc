// SPDX-License-Identifier: Apache-2.0
// The arithmetic of slots against divisions, at the borders.
#include "cc/lib/sampler_math/slot_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace candsamp {
namespace {

TEST(SlotTableTest, BlockOfPlace) {
  std::mt19937_64 random(1);
  for (const auto& [blocks, most] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 1024}, {int64_t{1} << 27, 256}, {int64_t{1} << 27, 255}, {113, 237}}) {
    const SlotTable table = MakeSlotTable({blocks, most}, most, 0, 1, nullptr, nullptr);
    const uint64_t last = static_cast<uint64_t>(blocks * most) - 1;
    std::vector<uint64_t> places = {0, last};
    for (int k = 0; k < 2000; ++k) {
      // At the borders of blocks, and anywhere.
      const uint64_t first = random() % blocks * most;
      places.insert(places.end(), {first, first + most - 1, random() % (last + 1)});
    }
    for (const uint64_t place : places) ASSERT_EQ(BlockOfPlace(place, table), place / most);
  }
}

TEST(SlotTableTest, ShortReciprocal) {
  for (uint64_t of_block = 1; of_block <= 1024; ++of_block) {
    const ShortReciprocal reciprocal = ShortReciprocalOf(of_block);
    ASSERT_LT(reciprocal.multiplier, uint64_t{1} << 32);
    constexpr uint64_t kPlaces = 1 << 28;
    for (uint64_t block = 0; block * of_block < kPlaces; block += block < 100 ? 1 : block / 50) {
      const uint64_t first = block * of_block;
      ASSERT_EQ(first * reciprocal.multiplier >> reciprocal.shift, block) << of_block;
      ASSERT_EQ((first + of_block - 1) * reciprocal.multiplier >> reciprocal.shift, block);
    }
    const uint64_t last = (kPlaces - 1) * reciprocal.multiplier >> reciprocal.shift;
    ASSERT_EQ(last, (kPlaces - 1) / of_block) << of_block;
  }
}

TEST(SlotTableTest, ProbabilityOfCountsThatOthersChanged) {
  EXPECT_EQ(ProbabilityOfCount(4, 0.125), 0.625);
  EXPECT_EQ(ProbabilityOfCount(100, 0.125), 1);
  for (const int64_t count :
       {int64_t{-2}, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(ProbabilityOfCount(count, 0.125), 0) << count;
  }
}

TEST(SlotTableTest, ShortCount) {
  for (const uint64_t count : {0, 1, 126, 127}) EXPECT_EQ(ShortCount(count), count);
  for (const uint64_t count : {uint64_t{128}, uint64_t{129}, uint64_t{255}, uint64_t{1} << 62}) {
    EXPECT_EQ(ShortCount(count), 128 | count % 128);
  }
}

}  // namespace
}  // namespace candsamp
