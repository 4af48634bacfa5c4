// SPDX-License-Identifier: Apache-2.0
// Philox against the known answers of Random123, and the streams made of it.
#include "cc/lib/core/philox.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace candsamp {
namespace {

uint64_t Joined(uint32_t low, uint32_t high) { return low | static_cast<uint64_t>(high) << 32; }

struct KnownAnswer {
  uint32_t counter[4];
  uint32_t key[2];
  uint32_t words[4];
};

// Random123's kat_vectors, philox 4x32 with 10 rounds.
constexpr KnownAnswer kKnownAnswers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

TEST(PhiloxTest, KnownAnswers) {
  for (const KnownAnswer& known : kKnownAnswers) {
    const PhiloxBlock block =
        Philox(Joined(known.key[0], known.key[1]), Joined(known.counter[2], known.counter[3]),
               Joined(known.counter[0], known.counter[1]));
    EXPECT_EQ(block.bits[0], Joined(known.words[0], known.words[1])) << std::hex << known.words[0];
    EXPECT_EQ(block.bits[1], Joined(known.words[2], known.words[3])) << std::hex << known.words[0];
  }
}

void ExpectBlock(const PhiloxStream& stream, uint64_t block, uint64_t high, uint64_t low) {
  const PhiloxBlock got = PhiloxBlockOf(stream, block), expected = Philox(stream.key, high, low);
  EXPECT_EQ(got.bits[0], expected.bits[0]) << high << " " << low;
  EXPECT_EQ(got.bits[1], expected.bits[1]) << high << " " << low;
}

TEST(PhiloxTest, CountersCarryFromTheLowerHalfToTheUpper) {
  constexpr uint64_t kMost = ~uint64_t{0};
  const PhiloxStream stream = {5, 7, kMost - 1};
  ExpectBlock(stream, 0, 7, kMost - 1);
  ExpectBlock(stream, 1, 7, kMost);
  ExpectBlock(stream, 2, 8, 0);
  ExpectBlock(stream, 3, 8, 1);
  ExpectBlock(stream, kMost, 8, kMost - 2);
  ExpectBlock({5, 7, 1}, kMost, 8, 0);
  ExpectBlock({5, 7, 0}, kMost, 7, kMost);
  ExpectBlock({5, kMost, kMost}, 1, 0, 0);
}

TEST(PhiloxTest, AChildIsKeyedByABlock) {
  const PhiloxStream stream = {5, 7, ~uint64_t{0}};
  for (const uint64_t block : {0, 1, 511}) {
    const PhiloxBlock seed = PhiloxBlockOf(stream, block);
    const PhiloxStream child = Child(stream, block);
    EXPECT_EQ(child.key, seed.bits[0]);
    EXPECT_EQ(child.high, seed.bits[1]);
    EXPECT_EQ(child.low, 0u);
  }
}

// TensorFlow's Uint64ToDouble takes two words in this order.
TEST(PhiloxTest, TheFirstWordGivesTheUpperBitsOfAMantissa) {
  EXPECT_EQ(UnitMantissa(0), 0u);
  EXPECT_EQ(UnitMantissa(Joined(0xfffff, 0)), uint64_t{0xfffff00000000});
  EXPECT_EQ(UnitMantissa(Joined(0, 0xffffffff)), uint64_t{0xffffffff});
  EXPECT_EQ(UnitMantissa(Joined(0xfff00000, 0)), 0u);
  EXPECT_EQ(UnitMantissa(Joined(0x12345678, 0x9abcdef0)), uint64_t{0x456789abcdef0});
}

}  // namespace
}  // namespace candsamp
