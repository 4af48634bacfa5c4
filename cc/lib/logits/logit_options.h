// SPDX-License-Identifier: Apache-2.0
// How the score of a class becomes its logit.
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_LOGIT_OPTIONS_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_LOGIT_OPTIONS_H_

namespace candsamp {

// A class with the row w and the bias b has, for the input x, the logit
//   softcap(<w, x> / temperature + b), where softcap(v) = cap * tanh(v / cap).
// Where `normalize` is set, w and x are divided by their Euclidean norms first; a row of zeros
// stays one. A bias of minus infinity masks its class: its logit is minus infinity with a softcap,
// too.
struct LogitOptions {
  double temperature = 1;
  double softcap = 0;  // cap; 0 stands for none
  bool normalize = false;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOGITS_LOGIT_OPTIONS_H_
