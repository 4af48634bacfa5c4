// SPDX-License-Identifier: Apache-2.0
// Counts of logits above a bound, compiled once for each instruction set into namespace
// CANDSAMP_ISA.
#include "cc/lib/exact/order_loops_isa.h"

#include <stdint.h>

#include "cc/lib/core/host_device.h"

namespace candsamp {
namespace CANDSAMP_ISA {
namespace {

// An integer as wide as the logits, so that the loop counts in lanes of one width. It adds up fewer
// than 2^31 of them at a time.
template <typename A>
struct Count;
template <>
struct Count<float> {
  using type = int32_t;
};
template <>
struct Count<double> {
  using type = int64_t;
};

template <typename A, typename IsCounted>
CANDSAMP_FORMULA int64_t CountIf(const A* z, int64_t count, IsCounted is_counted) {
  constexpr int64_t kAtOnce = int64_t{1} << 20;
  int64_t total = 0;
  for (int64_t first = 0; first < count; first += kAtOnce) {
    const int64_t end = count - first < kAtOnce ? count : first + kAtOnce;
    typename Count<A>::type counted = 0;
    for (int64_t k = first; k < end; ++k) counted += is_counted(z[k]) ? 1 : 0;
    total += counted;
  }
  return total;
}

template <typename A>
int64_t CountAbove(const A* z, int64_t count, A bound) {
  return CountIf(z, count, [bound](A logit) { return logit > bound; });
}

template <typename A>
int64_t CountFrom(const A* z, int64_t count, A bound) {
  return CountIf(z, count, [bound](A logit) { return logit >= bound; });
}

}  // namespace

extern const OrderLoops<float> kFloatOrder = {CountAbove<float>, CountFrom<float>};
extern const OrderLoops<double> kDoubleOrder = {CountAbove<double>, CountFrom<double>};

}  // namespace CANDSAMP_ISA
}  // namespace candsamp
