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


def class_logits(
    weights,
    biases,
    inputs,
    *,
    num_classes=None,
    temperature=1.0,
    normalize=False,
    logit_softcap=None,
):
    """[B, V]: the logits of all classes."""
    weights, biases, inputs = _float64(weights, biases, inputs)
    weights, biases = weights[:num_classes], biases[:num_classes]
    if normalize:
        weights, inputs = _unit(weights)[0], _unit(inputs)[0]
    logits = inputs @ weights.T / temperature + biases
    return logits if logit_softcap is None else logit_softcap * np.tanh(logits / logit_softcap)


def full_softmax_loss(weights, biases, labels, inputs, *, grad=None, **options):
    """loss_i = logsumexp(all logits) - mean_k logit(t_k)."""
    logits = class_logits(weights, biases, inputs, **options)
    weights, biases, inputs = _float64(weights, biases, inputs)
    labels = np.asarray(labels).reshape(len(inputs), -1)
    gradients = _zeros_like(weights, biases, inputs)
    masked = logits.max(1) == -np.inf
    largest = np.where(masked, 0, logits.max(1))
    exponentials = np.exp(logits - largest[:, None])
    total = np.where(masked, 1, exponentials.sum(1))
    rows = np.arange(len(inputs))[:, None]
    losses = largest + np.log(total) - logits[rows, labels].mean(1)
    slopes = exponentials / total[:, None]
    np.add.at(slopes, (rows, labels), -1 / labels.shape[1])
    slopes *= np.ones(len(inputs))[:, None] if grad is None else np.asarray(grad)[:, None]
    cap = options.get("logit_softcap")
    if cap is not None:
        slopes *= 1 - (logits / cap) ** 2
    classes = logits.shape[1]
    gradients.biases[:classes] = slopes.sum(0)
    slopes = slopes / options.get("temperature", 1.0)
    if options.get("normalize"):
        (unit_weights, weight_norms), (unit_inputs, input_norms) = map(
            _unit, (weights[:classes], inputs)
        )
        gradients.weights[:classes] = _through_norm(
            slopes.T @ unit_inputs, unit_weights, weight_norms
        )
        gradients.inputs[:] = _through_norm(slopes @ unit_weights, unit_inputs, input_norms)
    else:
        gradients.weights[:classes] = slopes.T @ inputs
        gradients.inputs[:] = slopes @ weights[:classes]
    return losses, gradients


def class_order(logits, excluded=()):
    """The classes of a row that are not excluded, best first: ties by id, NaN last."""
    ids = np.setdiff1d(np.arange(len(logits)), np.asarray(excluded, np.int64))
    keys = np.where(np.isnan(logits), np.inf, -np.asarray(logits, np.float64))
    return ids[np.lexsort((ids, keys[ids], np.isnan(logits[ids])))]


def label_rank(logits, labels, exclude=None):
    """How many classes come before each label in `class_order`, leaving out excluded ones."""
    ranks = np.zeros(np.shape(labels), np.int64)
    for i, row in enumerate(labels):
        order = class_order(logits[i])
        competes = np.ones(len(order), bool) if exclude is None else ~np.isin(order, exclude[i])
        before = np.cumsum(competes) - competes
        for t, label in enumerate(row):
            ranks[i, t] = before[order == label][0]
    return ranks


def _unit(rows):
    """Rows divided by their norms, of which the smallest is 1e-6; and the norms, as a column."""
    norms = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return rows / norms, norms


def _through_norm(gradient, unit, norms):
    """The gradient with respect to rows, from that with respect to the rows as units."""
    along = (gradient * unit).sum(1, keepdims=True)
    return (gradient - np.where(norms > 1e-6, unit * along, 0)) / norms


def two_tower_softmax_loss(
    query,
    vectors,
    ids,
    expected_count,
    *,
    sample_weight=None,
    remove_accidental_hits=True,
    grad=None,
):
    """Row i's item is row i of `vectors`, and the other rows with another id are its negatives.

    `vectors` [N, D] holds the items of the B queries first. Returns the losses [B], and the
    gradients of `query` and `vectors`.
    """
    query, vectors = (np.asarray(x, np.float64) for x in (query, vectors))
    log_q = np.log(np.asarray(expected_count, np.float64))
    losses, query_grad, vectors_grad = np.zeros(len(query)), 0 * query, 0 * vectors
    for i, x in enumerate(query):
        others = [j for j in range(len(vectors)) if j != i]
        if remove_accidental_hits:
            others = [j for j in others if int(ids[j]) != int(ids[i])]
        rows = [i, *others]
        weight = 1.0 if sample_weight is None else sample_weight[i]
        loss, slope = _softmax_row(vectors[rows] @ x - log_q[rows], 1)
        losses[i] = weight * loss
        slope *= weight * (1.0 if grad is None else grad[i])
        query_grad[i] = slope @ vectors[rows]
        np.add.at(vectors_grad, rows, np.outer(slope, x))
    return losses, query_grad, vectors_grad


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
