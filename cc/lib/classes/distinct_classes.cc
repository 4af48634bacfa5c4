// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/classes/distinct_classes.h"

#include <algorithm>

namespace candsamp {

DistinctClasses::DistinctClasses(Runtime& runtime, int64_t most) {
  const int64_t slots = LinearProbing::SlotsFor(most);
  probing_ = LinearProbing(slots);
  numbers_ = runtime.Allocate<int64_t>(slots);
  ids_ = runtime.Allocate<int64_t>(most);
  std::fill_n(numbers_, slots, -1);
}

}  // namespace candsamp
