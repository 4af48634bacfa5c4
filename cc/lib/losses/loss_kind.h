// Which of the two losses over true classes and negatives is computed.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_LOSS_KIND_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_LOSS_KIND_H_

namespace candsamp {

// A row has the true classes t_1 .. t_T and negatives n_1 .. n_S, with
// z(c) = <w_c, x> + b_c - log q(c).
enum class LossKind {
  kSoftmax,  // logsumexp(all z) - mean_k z(t_k)
  kNce,      // sum over all z of softplus(z) - mean_k z(t_k)
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_LOSS_KIND_H_
