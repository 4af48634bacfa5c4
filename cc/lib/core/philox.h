// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 (Salmon et al., 2011), a random number generator without state: each block of 128
// bits is a function of a key and a counter.
#ifndef TF_CANDSAMP_CC_LIB_CORE_PHILOX_H_
#define TF_CANDSAMP_CC_LIB_CORE_PHILOX_H_

#include <stdint.h>

#include "cc/lib/core/host_device.h"

namespace candsamp {

constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53;
constexpr uint32_t kPhiloxMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kPhiloxKeyStep0 = 0x9E3779B9;
constexpr uint32_t kPhiloxKeyStep1 = 0xBB67AE85;
constexpr int kPhiloxRounds = 10;

// 128 random bits: four 32-bit words, the low half of bits[0] first.
struct PhiloxBlock {
  uint64_t bits[2];
};

// The start of a sequence of blocks: block b has the 128-bit counter (high, low) + b.
struct PhiloxStream {
  uint64_t key;
  uint64_t high;
  uint64_t low;
};

// The stream of an op's input: the lower half of the counter, its upper half, the key.
CANDSAMP_FORMULA PhiloxStream StreamOfWords(const int64_t* words) {
  return {static_cast<uint64_t>(words[2]), static_cast<uint64_t>(words[1]),
          static_cast<uint64_t>(words[0])};
}

CANDSAMP_FORMULA PhiloxBlock Philox(uint64_t key, uint64_t high, uint64_t low) {
  uint32_t c0 = static_cast<uint32_t>(low), c1 = static_cast<uint32_t>(low >> 32);
  uint32_t c2 = static_cast<uint32_t>(high), c3 = static_cast<uint32_t>(high >> 32);
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(kPhiloxMultiplier0) * c0;
    const uint64_t p1 = static_cast<uint64_t>(kPhiloxMultiplier1) * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += kPhiloxKeyStep0;
    k1 += kPhiloxKeyStep1;
  }
  return {{c0 | static_cast<uint64_t>(c1) << 32, c2 | static_cast<uint64_t>(c3) << 32}};
}

CANDSAMP_FORMULA PhiloxBlock PhiloxBlockOf(const PhiloxStream& stream, uint64_t block) {
  const uint64_t low = stream.low + block;
  return Philox(stream.key, stream.high + (low < block), low);
}

// A new stream, keyed by one block of another.
CANDSAMP_FORMULA PhiloxStream Child(const PhiloxStream& stream, uint64_t block) {
  const PhiloxBlock seed = PhiloxBlockOf(stream, block);
  return {seed.bits[0], seed.bits[1], 0};
}

// The 52-bit mantissa of a uniform double in [0, 1), as TensorFlow makes it: the first 32-bit word
// gives the upper 20 bits.
CANDSAMP_FORMULA uint64_t UnitMantissa(uint64_t bits) {
  return (bits << 32 | bits >> 32) & 0x000fffffffffffff;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CORE_PHILOX_H_
