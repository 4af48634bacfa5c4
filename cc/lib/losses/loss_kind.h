// SPDX-License-Identifier: Apache-2.0
// The two losses over labels and candidates.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_LOSS_KIND_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_LOSS_KIND_H_

#include "cc/lib/logits/logit_options.h"

namespace candsamp {

// A row has the input x, the labels t_1 .. t_T and the candidates n_1 .. n_S. The logit of a class
// is z(c) = s(c) - log q(c), where s(c) is as LogitOptions say, by default <w_c, x> + b_c, and q(c)
// is its expected count.
enum class LossKind {
  kSoftmax,  // logsumexp(all z) - mean_k z(t_k)
  kNce,      // sum over all z of softplus(z) - mean_k z(t_k)
};

// What users can change of a loss. The defaults change nothing.
struct LossOptions {
  LogitOptions logit = {};
  double positive_weight = 1;  // NCE: a factor of the labels' terms
  // Softmax with one label p: the correction of "Correcting the LogQ Correction" (RecSys 2025).
  bool corrected_log_q = false;
  bool stats = false;  // whether statistics of each row are wanted
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_LOSS_KIND_H_
