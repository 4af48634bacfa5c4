// SPDX-License-Identifier: Apache-2.0
// The order of classes by their logits, in which ranks and the best classes agree.
#ifndef TF_CANDSAMP_CC_LIB_EXACT_LOGIT_ORDER_H_
#define TF_CANDSAMP_CC_LIB_EXACT_LOGIT_ORDER_H_

#include <cmath>
#include <cstdint>
#include <limits>

#include "cc/lib/exact/class_order.h"
#include "cc/lib/exact/order_loops.h"

namespace candsamp {

// Counts the classes that are better than one of this logit, among classes whose ids are all lower
// than its own, or all higher. Bounds are normal numbers, so that flushing changes nothing.
template <typename A>
class BetterThan {
 public:
  explicit BetterThan(A logit) {
    const A zero_above = std::numeric_limits<A>::min();
    const A at = Ordered(logit);
    if (std::isnan(at)) {
      above_ = {-std::numeric_limits<A>::infinity(), true};
      all_from_ = true;
    } else if (at == A(0)) {
      above_ = {zero_above, true};
      from_ = {-zero_above, false};
    } else {
      above_ = {at, false};
      from_ = {at, true};
    }
  }

  int64_t CountLowerIds(const A* z, int64_t count) const {
    return all_from_ ? count : from_.Count(z, count);
  }
  int64_t CountHigherIds(const A* z, int64_t count) const { return above_.Count(z, count); }

 private:
  struct Bound {
    A value;
    bool included;
    int64_t Count(const A* z, int64_t count) const {
      const OrderLoops<A>& loops = ChosenOrderLoops<A>();
      return included ? loops.count_from(z, count, value) : loops.count_above(z, count, value);
    }
  };
  Bound above_, from_ = {};
  bool all_from_ = false;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_EXACT_LOGIT_ORDER_H_
