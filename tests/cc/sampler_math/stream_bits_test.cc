// SPDX-License-Identifier: Apache-2.0
// The pieces of a stream, against its blocks.
#include "cc/lib/sampler_math/stream_bits.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace candsamp {
namespace {

void ExpectPieces(const PhiloxStream& stream, uint64_t first, int64_t begin, int64_t end) {
  int64_t next = begin;
  ForEachBits(stream, first, begin, end, [&](int64_t at, int64_t n, const uint64_t* bits) {
    ASSERT_EQ(at, next);
    ASSERT_GT(n, 0);
    for (int64_t k = 0; k < n; ++k) {
      const uint64_t piece = first + static_cast<uint64_t>(at + k);
      ASSERT_EQ(bits[k], PhiloxBlockOf(stream, piece / 2).bits[piece % 2])
          << "piece " << k << " from " << at << " on, first " << first;
    }
    next = at + n;
  });
  EXPECT_EQ(next, end) << "first " << first << ", begin " << begin;
}

TEST(StreamBitsTest, HandsOutEveryPieceInOrder) {
  const PhiloxStream stream = {3, 4, ~uint64_t{0} - 100};
  for (const uint64_t first : {0, 1, 2, 511, 512, 1001}) {
    for (const int64_t begin : {0, 1, 2, 3, 600}) {
      for (const int64_t count : {0, 1, 2, 3, 511, 512, 513, 1024, 1500}) {
        ExpectPieces(stream, first, begin, begin + count);
      }
    }
  }
}

}  // namespace
}  // namespace candsamp
