// SPDX-License-Identifier: Apache-2.0
// Conversions of Half and Bfloat16: every bit pattern, every tie, both floating-point modes.
#include "cc/lib/core/half.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "tests/cc/testing/flush_denormals.h"

namespace candsamp {
namespace {

template <typename T>
struct Format;
template <>
struct Format<Half> {
  static constexpr int kFractionBits = 10, kMinExponent = -14;
  static constexpr uint32_t kInfinity = 0x7c00;
};
template <>
struct Format<Bfloat16> {
  static constexpr int kFractionBits = 7, kMinExponent = -126;
  static constexpr uint32_t kInfinity = 0x7f80;
};

// The value of the finite pattern `magnitude`. Infinity's pattern gives the power of two above the
// largest finite value, which is where infinity lies when rounding.
template <typename T>
double ValueOf(uint32_t magnitude) {
  constexpr uint32_t one = 1u << Format<T>::kFractionBits;
  const int exponent = static_cast<int>(magnitude / one);
  const uint32_t significand = magnitude % one + (exponent == 0 ? 0 : one);
  return std::ldexp(significand,
                    std::max(exponent, 1) - 1 + Format<T>::kMinExponent - Format<T>::kFractionBits);
}

// The nearest pattern, found by a search of all of them. Of two as near, the even one.
template <typename T>
uint32_t Nearest(const std::vector<double>& values, double magnitude) {
  const auto above = std::lower_bound(values.begin(), values.end(), magnitude);
  if (above == values.end()) return Format<T>::kInfinity;
  const uint32_t high = static_cast<uint32_t>(above - values.begin());
  if (high == 0) return 0;
  const double up = values[high] - magnitude;
  const double down = magnitude - values[high - 1];
  if (up == down) return high % 2 == 0 ? high : high - 1;
  return up < down ? high : high - 1;
}

template <typename T>
std::vector<double> AllValues() {
  std::vector<double> values;
  for (uint32_t m = 0; m <= Format<T>::kInfinity; ++m) values.push_back(ValueOf<T>(m));
  return values;
}

// All patterns, all ties with the floats beside them, and random floats.
template <typename T>
std::vector<float> FloatsToNarrow() {
  std::vector<float> floats;
  for (uint32_t m = 0; m < Format<T>::kInfinity; ++m) {
    const float tie = static_cast<float>((ValueOf<T>(m) + ValueOf<T>(m + 1)) / 2);
    for (const float x : {static_cast<float>(ValueOf<T>(m)), tie, std::nextafter(tie, 0.0f),
                          std::nextafter(tie, INFINITY)}) {
      floats.push_back(x);
      floats.push_back(-x);
    }
  }
  std::mt19937 random(1);
  for (int k = 0; k < 200000; ++k)
    floats.push_back(BitCast<float>(static_cast<uint32_t>(random())));
  return floats;
}

// Through memory and out of line, so that the conversions run in the current floating-point mode.
template <typename T>
__attribute__((noinline)) void WidenEvery(const T* in, size_t count, float* out) {
  for (size_t k = 0; k < count; ++k) out[k] = Widen(in[k]);
}
template <typename T>
__attribute__((noinline)) void NarrowEvery(const float* in, size_t count, T* out) {
  for (size_t k = 0; k < count; ++k) Narrow(in[k], &out[k]);
}

template <typename T>
std::vector<T> AllPatterns() {
  std::vector<T> patterns;
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) patterns.push_back({static_cast<uint16_t>(bits)});
  return patterns;
}

template <typename T>
void ExpectWidensEveryPattern() {
  const std::vector<T> patterns = AllPatterns<T>();
  std::vector<float> wide(patterns.size());
  WidenEvery(patterns.data(), patterns.size(), wide.data());
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const uint32_t magnitude = bits & 0x7fff;
    if (magnitude > Format<T>::kInfinity) {
      ASSERT_TRUE(std::isnan(wide[bits])) << std::hex << bits;
      continue;
    }
    const float expected = magnitude == Format<T>::kInfinity
                               ? std::numeric_limits<float>::infinity()
                               : static_cast<float>(ValueOf<T>(magnitude));
    ASSERT_EQ(BitCast<uint32_t>(wide[bits]), BitCast<uint32_t>(expected) | (bits & 0x8000) << 16)
        << std::hex << bits;
  }
}

template <typename T>
void ExpectNarrowsToNearestEven() {
  const std::vector<float> floats = FloatsToNarrow<T>();
  const std::vector<double> values = AllValues<T>();
  std::vector<T> narrow(floats.size());
  NarrowEvery(floats.data(), floats.size(), narrow.data());
  for (size_t k = 0; k < floats.size(); ++k) {
    const uint32_t sign = BitCast<uint32_t>(floats[k]) >> 16 & 0x8000;
    if (std::isnan(floats[k])) {
      ASSERT_GT(narrow[k].bits & 0x7fffu, Format<T>::kInfinity)
          << std::hex << BitCast<uint32_t>(floats[k]);
      ASSERT_EQ(narrow[k].bits & 0x8000u, sign);
    } else {
      ASSERT_EQ(narrow[k].bits,
                Nearest<T>(values, std::fabs(static_cast<double>(floats[k]))) | sign)
          << std::hexfloat << floats[k];
    }
  }
}

template <typename T>
class HalfTest : public testing::Test {};
using HalfTypes = testing::Types<Half, Bfloat16>;
TYPED_TEST_SUITE(HalfTest, HalfTypes);

TYPED_TEST(HalfTest, WidensEveryPattern) { ExpectWidensEveryPattern<TypeParam>(); }

TYPED_TEST(HalfTest, WidensEveryPatternWhenDenormalsAreFlushed) {
  // The oracle uses normal doubles only, and makes its floats before the mode is set.
  const std::vector<TypeParam> patterns = AllPatterns<TypeParam>();
  std::vector<float> expected(patterns.size()), wide(patterns.size());
  WidenEvery(patterns.data(), patterns.size(), expected.data());
  {
    const FlushDenormals flush;
    WidenEvery(patterns.data(), patterns.size(), wide.data());
  }
  for (size_t k = 0; k < patterns.size(); ++k) {
    ASSERT_EQ(BitCast<uint32_t>(wide[k]), BitCast<uint32_t>(expected[k])) << std::hex << k;
  }
}

TYPED_TEST(HalfTest, RoundTripKeepsEveryPattern) {
  for (const TypeParam pattern : AllPatterns<TypeParam>()) {
    TypeParam again;
    Narrow(Widen(pattern), &again);
    if ((pattern.bits & 0x7fffu) > Format<TypeParam>::kInfinity) {
      ASSERT_GT(again.bits & 0x7fffu, Format<TypeParam>::kInfinity) << std::hex << pattern.bits;
      ASSERT_EQ(again.bits & 0x8000u, pattern.bits & 0x8000u);
    } else {
      ASSERT_EQ(again.bits, pattern.bits);
    }
  }
}

TYPED_TEST(HalfTest, NarrowsToNearestEven) { ExpectNarrowsToNearestEven<TypeParam>(); }

TYPED_TEST(HalfTest, NarrowsAlikeWhenDenormalsAreFlushed) {
  const std::vector<float> floats = FloatsToNarrow<TypeParam>();
  std::vector<TypeParam> expected(floats.size()), narrow(floats.size());
  NarrowEvery(floats.data(), floats.size(), expected.data());
  {
    const FlushDenormals flush;
    NarrowEvery(floats.data(), floats.size(), narrow.data());
  }
  for (size_t k = 0; k < floats.size(); ++k) {
    ASSERT_EQ(narrow[k].bits, expected[k].bits) << std::hex << BitCast<uint32_t>(floats[k]);
  }
}

TYPED_TEST(HalfTest, NarrowKeepsInfinities) {
  TypeParam narrow;
  Narrow(INFINITY, &narrow);
  EXPECT_EQ(narrow.bits, Format<TypeParam>::kInfinity);
  Narrow(-INFINITY, &narrow);
  EXPECT_EQ(narrow.bits, Format<TypeParam>::kInfinity | 0x8000u);
}

// Narrow cuts off the low bits, which may hold all of the payload of a NaN.
TYPED_TEST(HalfTest, NarrowKeepsNanWithLowPayload) {
  for (const uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fffffffu, 0xffffffffu, 0x7fc00000u}) {
    TypeParam narrow;
    Narrow(BitCast<float>(bits), &narrow);
    EXPECT_GT(narrow.bits & 0x7fffu, Format<TypeParam>::kInfinity) << std::hex << bits;
  }
}

uint16_t NarrowedHalf(float x) {
  Half narrow;
  Narrow(x, &narrow);
  return narrow.bits;
}

TEST(HalfTest, RoundsAtTheBordersOfItsRange) {
  EXPECT_EQ(NarrowedHalf(65504.0f), 0x7bff);
  EXPECT_EQ(NarrowedHalf(65519.99f), 0x7bff);
  EXPECT_EQ(NarrowedHalf(65520.0f), 0x7c00);
  EXPECT_EQ(NarrowedHalf(-65520.0f), 0xfc00);
  EXPECT_EQ(NarrowedHalf(65536.0f), 0x7c00);
  const float smallest = std::ldexp(1.0f, -24);
  EXPECT_EQ(NarrowedHalf(smallest), 0x0001);
  EXPECT_EQ(NarrowedHalf(smallest / 2), 0x0000);
  EXPECT_EQ(NarrowedHalf(std::nextafter(smallest / 2, 1.0f)), 0x0001);
  EXPECT_EQ(NarrowedHalf(-smallest / 2), 0x8000);
  EXPECT_EQ(NarrowedHalf(smallest * 1.5f), 0x0002);
  const float smallest_normal = std::ldexp(1.0f, -14);
  EXPECT_EQ(NarrowedHalf(smallest_normal), 0x0400);
  EXPECT_EQ(NarrowedHalf(std::nextafter(smallest_normal, 0.0f)), 0x0400);
  EXPECT_EQ(NarrowedHalf(smallest_normal - smallest / 2), 0x0400);
  EXPECT_EQ(NarrowedHalf(smallest_normal - smallest), 0x03ff);
}

TEST(HalfTest, FloatAndDoubleStayWhatTheyAre) {
  float narrow_float;
  Narrow(Widen(0.1f), &narrow_float);
  EXPECT_EQ(narrow_float, 0.1f);
  double narrow_double;
  Narrow(Widen(0.1), &narrow_double);
  EXPECT_EQ(narrow_double, 0.1);
}

}  // namespace
}  // namespace candsamp
