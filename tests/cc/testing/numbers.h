// SPDX-License-Identifier: Apache-2.0
// Special numbers, comparisons of bits, and the tolerance that rounding needs.
#ifndef TF_CANDSAMP_TESTS_CC_TESTING_NUMBERS_H_
#define TF_CANDSAMP_TESTS_CC_TESTING_NUMBERS_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "cc/lib/core/half.h"

namespace candsamp {

// In the type of the arithmetic.
template <typename W>
constexpr Accumulator<W> kInfinity = std::numeric_limits<Accumulator<W>>::infinity();
template <typename W>
constexpr Accumulator<W> kNan = std::numeric_limits<Accumulator<W>>::quiet_NaN();

// The unit roundoff of a stored type, relative to a value. 0 for the types of the arithmetic, whose
// roundings each test counts by itself.
template <typename W>
double Rounding() {
  return std::is_same_v<W, Half>       ? std::ldexp(1.0, -11)
         : std::is_same_v<W, Bfloat16> ? std::ldexp(1.0, -8)
                                       : 0.0;
}

template <typename T>
bool SameBits(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <typename T>
bool AllFinite(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](const T& value) { return std::isfinite(Widen(value)); });
}

// Fills an output with bits that no result has, so that a value that is not written shows.
template <typename T>
void FillWithGarbage(std::vector<T>& values) {
  if (!values.empty()) {
    std::memset(static_cast<void*>(values.data()), 0x5a, values.size() * sizeof(T));
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_TESTING_NUMBERS_H_
