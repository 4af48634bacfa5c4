// SPDX-License-Identifier: Apache-2.0
// Gradients of classes: sums over all occurrences of a class in a batch.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_CLASS_GRADIENTS_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_CLASS_GRADIENTS_H_

#include <cstdint>

#include "cc/lib/classes/class_groups.h"
#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"

namespace candsamp {

// One occurrence of a class: the gradient of its logit, and the row of `inputs` in its dot product.
template <typename A>
struct Occurrence {
  uint32_t key;  // see ClassGroups
  A gradient;
  int64_t row;
};

// Gradients of the rows of the classes [first, last) of `groups`, which are distinct and ascending:
// row g - first of `out` is the sum of gradient * inputs[row] over the occurrences of class g.
template <typename W>
void SumClassRows(Runtime& runtime, const ClassGroups<Occurrence<Accumulator<W>>>& groups,
                  int64_t first, int64_t last, const Accumulator<W>* inputs, int64_t depth, W* out);

// The same for biases: value g - first of `out` is the sum of the gradients.
template <typename W>
void SumClassBiases(Runtime& runtime, const ClassGroups<Occurrence<Accumulator<W>>>& groups,
                    int64_t first, int64_t last, W* out);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_CLASS_GRADIENTS_H_
