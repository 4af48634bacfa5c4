# SPDX-License-Identifier: Apache-2.0
"""The losses in plain NumPy and float64: what they compute, as a program.

In the ragged functions class ids come as one sequence for each row, and `log_q` likewise;
`label_log_q` and `candidate_log_q` may be None. In the others all rows share their candidates:
`labels` is [B, T], and `sampled_values` what a candidate sampler returns. `biases` may be None.
Each function returns its value and, for the gradient `grad` of some total with respect to that
value (None: ones), the total's `Gradients`, all of them dense.

A candidate is an accidental hit of a row if its class is one of the row's labels, or, where hit ids
of labels and candidates are given, its hit id one of theirs.

With options a class has the score s = softcap(<w, x> / temperature + b), where w and x are divided
by their norms with `normalize`, and z = s - log q.
"""

import collections

import numpy as np

Gradients = collections.namedtuple("Gradients", "weights biases inputs")


def ragged_sampled_softmax_loss(weights, biases, labels, inputs, candidates, **options):
    """loss_i = logsumexp(all z) - mean_k z(t_k)."""

    def row_loss(_, z, num_labels):
        return _softmax_row(z, num_labels)

    return _ragged_loss(row_loss, weights, biases, labels, inputs, candidates, **options)


def ragged_nce_loss(weights, biases, labels, inputs, candidates, *, positive_weight=1.0, **options):
    """loss_i = sum over all z of softplus(z) - mean_k z(t_k).

    positive_weight: a factor of what labels add.
    """

    def row_loss(_, z, num_labels):
        return _nce_row(z, num_labels, positive_weight)

    return _ragged_loss(row_loss, weights, biases, labels, inputs, candidates, **options)


def ragged_candidate_logits(weights, biases, inputs, candidates, *, grad=None, **scoring):
    """The scores of all rows, one after the other: by default <w_c, x_i> + b_c."""
    score = _Scores(weights, biases, inputs, **scoring)
    logits, position = [], 0
    for i, row in enumerate(candidates):
        classes = np.asarray(row, np.int64)
        row_grad = np.ones(len(row)) if grad is None else grad[position : position + len(row)]
        position += len(row)
        scores, slopes = score(i, classes)
        logits.append(scores)
        score.add_gradients(i, classes, row_grad * slopes)
    return np.concatenate([np.zeros(0), *logits]), score.gradients


def sampled_softmax_loss(weights, biases, labels, inputs, sampled_values, **options):
    """The ragged softmax loss in which every row has the same candidates."""
    options = _shared_candidates(labels, inputs, sampled_values, options)
    return ragged_sampled_softmax_loss(weights, biases, labels, inputs, **options)


def corrected_softmax_loss(weights, biases, labels, inputs, sampled_values, **options):
    """Correcting the LogQ Correction (RecSys 2025), with expected counts q among S draws.

    For the label p and the k negatives j that are left: with one-draw probabilities Q = q / S,
    Z = sum_j exp(s_j) (1 - Q(p)) / Q(j), P = exp(s_p) / (exp(s_p) + Z / k), and
    loss = (1 - P) (log Z - s_p), where 1 - P is a constant.
    """
    draws, label_counts = (
        len(sampled_values[0]),
        np.broadcast_to(sampled_values[1], [len(labels), 1]),
    )

    def row_loss(i, z, num_labels):
        log_q = np.log(label_counts[i, 0])
        score, negatives = z[0] + log_q, z[num_labels:]
        if not np.exp(negatives).sum() > 0:
            return 0.0, np.zeros(len(z))
        log_z = np.logaddexp.reduce(negatives) + np.log(draws - np.exp(log_q))
        weight = 1 / (1 + np.exp(score - (log_z - np.log(len(negatives)))))
        slope = weight * np.exp(negatives - np.logaddexp.reduce(negatives))
        return weight * (log_z - score), np.concatenate([[-weight], slope])

    options = _shared_candidates(labels, inputs, sampled_values, options)
    return _ragged_loss(row_loss, weights, biases, labels, inputs, **options)


def nce_loss(weights, biases, labels, inputs, sampled_values, **options):
    """The ragged NCE loss in which every row has the same candidates."""
    options = {"remove_accidental_hits": False} | options
    options = _shared_candidates(labels, inputs, sampled_values, options)
    return ragged_nce_loss(weights, biases, labels, inputs, **options)


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
    if logit_softcap is None:
        return logits
    return np.where(logits == -np.inf, logits, logit_softcap * np.tanh(logits / logit_softcap))


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
        slopes *= 1 - (np.where(logits == -np.inf, cap, logits) / cap) ** 2
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
    """Rows divided by their norms, and these as a column; a row of zeros stays one."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms != 0), norms


def _through_norm(gradient, unit, norms):
    """The gradient with respect to rows, from that with respect to the rows as units."""
    across = gradient - unit * (gradient * unit).sum(-1, keepdims=True)
    return np.divide(across, norms, out=np.zeros_like(across), where=norms != 0)


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


def stats(weights, biases, labels, inputs, candidates, **options):
    """For each row logsumexp(all z), and whether no z is above all those of labels."""
    rows = _rows(
        _Scores(weights, biases, inputs, **_scoring(options)), labels, candidates, **options
    )
    log_sum_exp, is_top = [], []
    for _, _, z, _, num_labels in rows:
        log_sum_exp.append(np.logaddexp.reduce(z) if len(z) else -np.inf)
        largest = z[:num_labels].max(initial=-np.inf)
        is_top.append(largest > -np.inf and largest >= z.max())
    return np.array(log_sum_exp), np.array(is_top)


def sampled_stats(weights, biases, labels, inputs, sampled_values, **options):
    """The same where every row has the same candidates."""
    options = _shared_candidates(labels, inputs, sampled_values, options)
    return stats(weights, biases, labels, inputs, **options)


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


def _nce_row(z, num_labels, positive_weight):
    with np.errstate(invalid="ignore"):  # NaN stays NaN
        terms = np.logaddexp(0, z)
        slope = np.exp(-np.logaddexp(0, -z))
    if num_labels > 0:
        terms[:num_labels] -= z[:num_labels] / num_labels
        slope[:num_labels] -= 1 / num_labels
        terms[:num_labels] *= positive_weight
        slope[:num_labels] *= positive_weight
    return terms.sum(), slope


_SCORING = ("temperature", "normalize", "logit_softcap")


def _scoring(options):
    """Takes what concerns scores out of the options."""
    return {name: options.pop(name) for name in _SCORING if name in options}


def _ragged_loss(row_loss, weights, biases, labels, inputs, candidates, *, grad=None, **options):
    score = _Scores(weights, biases, inputs, **_scoring(options))
    losses = np.zeros(len(score.inputs))
    for i, classes, z, slopes, num_labels in _rows(score, labels, candidates, **options):
        losses[i], slope = row_loss(i, z, num_labels)
        row_grad = 1.0 if grad is None else grad[i]
        score.add_gradients(i, classes, row_grad * slope * slopes)
    return losses, score.gradients


def _rows(
    score,
    labels,
    candidates,
    *,
    label_log_q=None,
    candidate_log_q=None,
    remove_accidental_hits=True,
    label_hits=None,
    candidate_hits=None,
):
    """For each row: its number, its classes, labels first, their z, slopes, number of labels."""
    for i in range(len(score.inputs)):
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
        scores, slopes = score(i, classes)
        yield i, classes, scores - np.concatenate([true_log_q, negative_log_q]), slopes, len(true)


def _shared_candidates(labels, inputs, sampled_values, options):
    """The options of a ragged loss in which every row has these candidates."""
    options = dict(options)
    sampled, *expected_counts = sampled_values
    true_log_q, sampled_log_q = (np.log(np.asarray(q, np.float64)) for q in expected_counts)
    rows = len(inputs)
    hit_ids = options.pop("hit_ids", None)
    if hit_ids is not None:
        label_hits, candidate_hits = hit_ids
        options |= {"label_hits": label_hits, "candidate_hits": [candidate_hits] * rows}
    return options | {
        "candidates": [sampled] * rows,
        "label_log_q": np.broadcast_to(true_log_q, np.shape(labels)),
        "candidate_log_q": [np.broadcast_to(sampled_log_q, np.shape(sampled))] * rows,
    }


def _float64(weights, biases, inputs):
    biases = np.zeros(len(weights)) if biases is None else biases
    return [np.asarray(x, np.float64) for x in (weights, biases, inputs)]


def _zeros_like(weights, biases, inputs):
    return Gradients(np.zeros_like(weights), np.zeros_like(biases), np.zeros_like(inputs))


class _Scores:
    """The scores of classes, and the gradients of what they are made of.

    A bias of minus infinity masks its class, with a softcap, too.
    """

    def __init__(
        self, weights, biases, inputs, *, temperature=1.0, normalize=False, logit_softcap=None
    ):
        self.weights, self.biases, self.inputs = _float64(weights, biases, inputs)
        self.temperature, self.normalize, self.cap = temperature, normalize, logit_softcap
        self.gradients = _zeros_like(self.weights, self.biases, self.inputs)

    def __call__(self, i, classes):
        """The scores for row i of the inputs, and their derivatives by what the softcap caps."""
        rows, x = self.unit(self.weights[classes]), self.unit(self.inputs[i])
        biases = self.biases[classes]
        v = rows @ x / self.temperature + biases
        if self.cap is None:
            return v, np.ones(len(v))
        masked = biases == -np.inf
        v = np.where(masked, rows @ x / self.temperature, v)
        tanh = np.tanh(v / self.cap)
        return np.where(masked, -np.inf, self.cap * tanh), np.cosh(
            np.minimum(np.abs(v / self.cap), 300)
        ) ** -2

    def unit(self, rows):
        return _unit(rows)[0] if self.normalize else rows

    def add_gradients(self, i, classes, gradients):
        """Adds those of <row, x> / temperature + bias for each class; classes may repeat."""
        rows, x = self.weights[classes], self.inputs[i]
        np.add.at(self.gradients.biases, classes, gradients)
        products = gradients / self.temperature
        of_rows = self.through_norm(rows, np.outer(products, self.unit(x)))
        np.add.at(self.gradients.weights, classes, of_rows)
        self.gradients.inputs[i] = self.through_norm(x, products @ self.unit(rows))

    def through_norm(self, rows, gradients):
        """The gradients of rows from those of rows divided by their norms."""
        return _through_norm(gradients, *_unit(rows)) if self.normalize else gradients
