// SPDX-License-Identifier: Apache-2.0
// Checks of log q, the logs of expected counts that losses subtract from logits: must be finite.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_LOG_Q_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_LOG_Q_H_

#include <cstdint>

namespace candsamp {

// The position of the first value that is infinite or NaN, or `count`.
template <typename A>
int64_t FindNotFinite(const A* values, int64_t count);

// The end of an error about a label whose expected count is 0, after its class and row.
constexpr char kNeverDrawn[] =
    ", which the sampler can never draw (one of num_reserved_ids, or of weight 0): give the class "
    "a positive weight, or leave its rows out of the batch";

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_LOG_Q_H_
