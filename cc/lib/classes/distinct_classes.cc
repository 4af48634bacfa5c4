#include "cc/lib/classes/distinct_classes.h"

#include <algorithm>

namespace candsamp {

DistinctClasses::DistinctClasses(Runtime& runtime, int64_t most) {
  int64_t slots = 16;
  shift_ = 60;
  for (; slots < 2 * most; slots *= 2) --shift_;
  mask_ = slots - 1;
  slots_ = runtime.Allocate<int64_t>(slots);
  ids_ = runtime.Allocate<int64_t>(most);
  std::fill_n(slots_, slots, -1);
}

}  // namespace candsamp
