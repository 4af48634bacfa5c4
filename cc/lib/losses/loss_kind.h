// SPDX-License-Identifier: Apache-2.0
// The two losses over labels and candidates.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_LOSS_KIND_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_LOSS_KIND_H_

namespace candsamp {

// A row has the input x, the labels t_1 .. t_T and the candidates n_1 .. n_S. The logit of a class
// is z(c) = <w_c, x> + b_c - log q(c), where q(c) is its expected count.
enum class LossKind {
  kSoftmax,  // logsumexp(all z) - mean_k z(t_k)
  kNce,      // sum over all z of softplus(z) - mean_k z(t_k)
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_LOSS_KIND_H_
