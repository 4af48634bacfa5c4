// SPDX-License-Identifier: Apache-2.0
// What each optimizer does to one value of a table, given the gradient of that value.
//
// A formula is a struct of the step's numbers, all of the type of the arithmetic. Its method
// Update(gradient, value, slots) changes the value and its kSlots slots in place. It has no branch
// and reads nothing else, so the loops over it vectorise, and a device can call it.
//
// The formulas are those of Keras, applied to the rows that have a gradient. Each first shrinks the
// value by `decay`, the product of learning rate and weight decay.
#ifndef TF_CANDSAMP_CC_LIB_OPTIMIZERS_ROW_FORMULAS_H_
#define TF_CANDSAMP_CC_LIB_OPTIMIZERS_ROW_FORMULAS_H_

#include <math.h>
#include <stdint.h>

#include "cc/lib/core/host_device.h"

namespace candsamp {

CANDSAMP_FORMULA float SquareRoot(float x) { return sqrtf(x); }
CANDSAMP_FORMULA double SquareRoot(double x) { return sqrt(x); }

CANDSAMP_FORMULA float Power(float x, float exponent) { return powf(x, exponent); }
CANDSAMP_FORMULA double Power(double x, double exponent) { return pow(x, exponent); }

template <typename A>
struct SgdFormula {
  static constexpr int kSlots = 0;
  A learning_rate, decay;

  CANDSAMP_METHOD void Update(A gradient, A* value, A*) const {
    *value -= *value * decay;
    *value -= learning_rate * gradient;
  }
};

// Slot: the momentum.
template <typename A, bool kNesterov>
struct MomentumFormula {
  static constexpr int kSlots = 1;
  A learning_rate, momentum, decay;

  CANDSAMP_METHOD void Update(A gradient, A* value, A* slots) const {
    const A step = learning_rate * gradient;
    const A moved = slots[0] * momentum - step;
    slots[0] = moved;
    *value -= *value * decay;
    *value += kNesterov ? moved * momentum - step : moved;
  }
};

// Slot: the sum of squares.
template <typename A>
struct AdagradFormula {
  static constexpr int kSlots = 1;
  A learning_rate, epsilon, decay;

  CANDSAMP_METHOD void Update(A gradient, A* value, A* slots) const {
    slots[0] += gradient * gradient;
    *value -= *value * decay;
    *value -= learning_rate * gradient / SquareRoot(slots[0] + epsilon);
  }
};

// Slots: the mean of squares, then with kMomentum the momentum, then with kCentered the mean.
template <typename A, bool kMomentum, bool kCentered>
struct RmspropFormula {
  static constexpr int kSlots = 1 + kMomentum + kCentered;
  // kept: the share of the old means, "rho". added: 1 - kept.
  A learning_rate, kept, added, momentum, epsilon, decay;

  CANDSAMP_METHOD void Update(A gradient, A* value, A* slots) const {
    slots[0] = kept * slots[0] + added * (gradient * gradient);
    A variance = slots[0];
    if constexpr (kCentered) {
      A& mean = slots[1 + kMomentum];
      mean = kept * mean + added * gradient;
      variance -= mean * mean;
    }
    A step = learning_rate * gradient / SquareRoot(variance + epsilon);
    if constexpr (kMomentum) {
      slots[1] = momentum * slots[1] + step;
      step = slots[1];
    }
    *value -= *value * decay;
    *value -= step;
  }
};

// Slots: the mean, the mean of squares, and with kAmsgrad the largest mean of squares so far.
template <typename A, bool kAmsgrad>
struct AdamFormula {
  static constexpr int kSlots = 2 + kAmsgrad;
  // step_size has the corrections of both means' bias. The next two are 1 - beta_1 and 1 - beta_2.
  A step_size, new_share, new_square_share, epsilon, decay;

  CANDSAMP_METHOD void Update(A gradient, A* value, A* slots) const {
    slots[0] += (gradient - slots[0]) * new_share;
    slots[1] += (gradient * gradient - slots[1]) * new_square_share;
    A square = slots[1];
    if constexpr (kAmsgrad) {
      // A NaN stays one.
      square = slots[2] >= square ? slots[2] : square;
      slots[2] = square;
    }
    *value -= *value * decay;
    *value -= slots[0] * step_size / (SquareRoot(square) + epsilon);
  }
};

// Slots: the sum of squares, and the sum of the shifted gradients, "linear". The sum of squares is
// raised to `power`, which kSquareRoot says is 1/2.
template <typename A, bool kSquareRoot>
struct FtrlFormula {
  static constexpr int kSlots = 2;
  // l1: bounds what the clipped sum takes off. twice_l2: added to the denominator.
  // twice_shrinkage: of the value, added to the gradient.
  A inverse_learning_rate, power, l1, twice_l2, twice_shrinkage, decay;

  CANDSAMP_METHOD A Raised(A sum) const {
    if constexpr (kSquareRoot) return SquareRoot(sum);
    return Power(sum, power);
  }

  CANDSAMP_METHOD void Update(A gradient, A* value, A* slots) const {
    *value -= *value * decay;
    const A old_sum = slots[0];
    const A sum = old_sum + gradient * gradient;
    const A raised = Raised(sum);
    const A grown = (raised - Raised(old_sum)) * inverse_learning_rate;
    const A linear = slots[1] + (gradient + twice_shrinkage * *value - grown * *value);
    const A below = linear < -l1 ? -l1 : linear;
    const A clipped = below > l1 ? l1 : below;
    *value = (clipped - linear) / (raised * inverse_learning_rate + twice_l2);
    slots[0] = sum;
    slots[1] = linear;
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_OPTIMIZERS_ROW_FORMULAS_H_
