# SPDX-License-Identifier: Apache-2.0
"""The losses in plain NumPy and float64: what they compute, as a program.

In the ragged functions class ids come as one sequence for each row, and `log_q` likewise;
`label_log_q` and `candidate_log_q` may be None. In the others all rows share their candidates:
`labels` is [B, T], and `sampled_values` what a candidate sampler returns. `biases` may be None.
Each function returns its value and, for the gradient `grad` of some total with respect to that
value (None: ones), the total's `Gradients`, all of them dense.

A candidate is an accidental hit of a row if its class is one of the row's labels, or, where hit ids
of labels and candidates are given, its hit id one of theirs.
"""

import collections

import numpy as np

Gradients = collections.namedtuple("Gradients", "weights biases inputs")


def ragged_sampled_softmax_loss(weights, biases, labels, inputs, candidates, **options):
    """loss_i = logsumexp(all z) - mean_k z(t_k)."""
    return _ragged_loss(_softmax_row, weights, biases, labels, inputs, candidates, **options)


def ragged_nce_loss(weights, biases, labels, inputs, candidates, **options):
    """loss_i = sum over all z of softplus(z) - mean_k z(t_k)."""
    return _ragged_loss(_nce_row, weights, biases, labels, inputs, candidates, **options)


def ragged_candidate_logits(weights, biases, inputs, candidates, *, grad=None):
    """The logits of all rows, one after the other: <w_c, x_i> + b_c. grad: one for each."""
    weights, biases, inputs = _float64(weights, biases, inputs)
    gradients = _zeros_like(weights, biases, inputs)
    logits, position = [], 0
    for i, row in enumerate(candidates):
        classes = np.asarray(row, np.int64)
        row_grad = np.ones(len(row)) if grad is None else grad[position : position + len(row)]
        position += len(row)
        logits.append(weights[classes] @ inputs[i] + biases[classes])
        _add_row(gradients, i, classes, row_grad, weights, inputs)
    return np.concatenate([np.zeros(0), *logits]), gradients


def sampled_softmax_loss(weights, biases, labels, inputs, sampled_values, **options):
    """The ragged softmax loss in which every row has the same candidates."""
    return _sampled_loss(_softmax_row, weights, biases, labels, inputs, sampled_values, **options)


def nce_loss(weights, biases, labels, inputs, sampled_values, **options):
    """The ragged NCE loss in which every row has the same candidates."""
    options = {"remove_accidental_hits": False} | options
    return _sampled_loss(_nce_row, weights, biases, labels, inputs, sampled_values, **options)


def _softmax_row(z, num_labels):
    """The loss of a row with the logits z, labels first, and its derivative for each logit.

    A row whose classes are all masked, by logits of minus infinity, has an infinite loss.
    """
    masked = z.max() == -np.inf
    largest = 0.0 if masked else z.max()
    exponentials = np.exp(z - largest)
    total = 1.0 if masked else exponentials.sum()
    loss = largest + np.log(total) - z[:num_labels].mean()
    slope = exponentials / total
    slope[:num_labels] -= 1 / num_labels
    return loss, slope


def _nce_row(z, num_labels):
    with np.errstate(invalid="ignore"):  # NaN stays NaN
        loss = np.logaddexp(0, z).sum()
        slope = np.exp(-np.logaddexp(0, -z))
    if num_labels > 0:
        loss -= z[:num_labels].mean()
        slope[:num_labels] -= 1 / num_labels
    return loss, slope


def _ragged_loss(
    row_loss,
    weights,
    biases,
    labels,
    inputs,
    candidates,
    *,
    label_log_q=None,
    candidate_log_q=None,
    remove_accidental_hits=True,
    label_hits=None,
    candidate_hits=None,
    grad=None,
):
    weights, biases, inputs = _float64(weights, biases, inputs)
    gradients = _zeros_like(weights, biases, inputs)
    losses = np.zeros(len(inputs))
    for i, x in enumerate(inputs):
        true = np.asarray(labels[i], np.int64)
        negative = np.asarray(candidates[i], np.int64)
        true_log_q = np.zeros(len(true)) if label_log_q is None else label_log_q[i]
        negative_log_q = np.zeros(len(negative)) if candidate_log_q is None else candidate_log_q[i]
        if remove_accidental_hits:
            by_class = label_hits is None
            hits = (negative, true) if by_class else (candidate_hits[i], label_hits[i])
            kept = ~np.isin(*hits)
            negative, negative_log_q = negative[kept], np.asarray(negative_log_q)[kept]
        classes = np.concatenate([true, negative])
        log_q = np.concatenate([true_log_q, negative_log_q])
        z = weights[classes] @ x + biases[classes] - log_q
        losses[i], slope = row_loss(z, len(true))
        row_grad = 1.0 if grad is None else grad[i]
        _add_row(gradients, i, classes, row_grad * slope, weights, inputs)
    return losses, gradients


def _sampled_loss(
    row_loss, weights, biases, labels, inputs, sampled_values, *, hit_ids=None, **options
):
    sampled, *expected_counts = sampled_values
    true_log_q, sampled_log_q = (np.log(np.asarray(q, np.float64)) for q in expected_counts)
    rows = len(inputs)
    if hit_ids is not None:
        label_hits, candidate_hits = hit_ids
        options |= {"label_hits": label_hits, "candidate_hits": [candidate_hits] * rows}
    return _ragged_loss(
        row_loss,
        weights,
        biases,
        labels,
        inputs,
        [sampled] * rows,
        label_log_q=np.broadcast_to(true_log_q, np.shape(labels)),
        candidate_log_q=[np.broadcast_to(sampled_log_q, np.shape(sampled))] * rows,
        **options,
    )


def _add_row(gradients, i, classes, logit_gradients, weights, inputs):
    """Adds what row i, whose logits have these gradients, contributes; classes may repeat."""
    np.add.at(gradients.weights, classes, np.outer(logit_gradients, inputs[i]))
    np.add.at(gradients.biases, classes, logit_gradients)
    gradients.inputs[i] = logit_gradients @ weights[classes]


def _float64(weights, biases, inputs):
    biases = np.zeros(len(weights)) if biases is None else biases
    return [np.asarray(x, np.float64) for x in (weights, biases, inputs)]


def _zeros_like(weights, biases, inputs):
    return Gradients(np.zeros_like(weights), np.zeros_like(biases), np.zeros_like(inputs))
