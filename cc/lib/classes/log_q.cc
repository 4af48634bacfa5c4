// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/classes/log_q.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace candsamp {

template <typename A>
int64_t FindNotFinite(const A* values, int64_t count) {
  // An integer as wide as the values, so that the loop vectorises. A comparison with NaN is false.
  std::conditional_t<sizeof(A) == 4, int32_t, int64_t> found = 0;
  for (int64_t k = 0; k < count; ++k) {
    found |= !(std::abs(values[k]) <= std::numeric_limits<A>::max());
  }
  if (!found) return count;
  return std::find_if(values, values + count, [](A value) { return !std::isfinite(value); }) -
         values;
}

template int64_t FindNotFinite<float>(const float*, int64_t);
template int64_t FindNotFinite<double>(const double*, int64_t);

}  // namespace candsamp
