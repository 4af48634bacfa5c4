# SPDX-License-Identifier: Apache-2.0
"""Each row optimizer in plain NumPy, in float64: the executable specification.

A step sums the gradients of each row, then updates the rows that have one. State is a dict of
arrays: "table" and the slots.
"""

import numpy as np

# Of each kind: its slots, and what they hold at the start.
SLOTS = {
    "sgd": {},
    "momentum": {"momentum": 0.0},
    "nesterov": {"momentum": 0.0},
    "adagrad": {"accumulator": 0.1},
    "rmsprop": {"velocity": 0.0},
    "rmsprop_momentum": {"velocity": 0.0, "momentum": 0.0},
    "rmsprop_centered": {"velocity": 0.0, "average_gradient": 0.0},
    "rmsprop_both": {"velocity": 0.0, "momentum": 0.0, "average_gradient": 0.0},
    "adam": {"momentum": 0.0, "velocity": 0.0},
    "amsgrad": {"momentum": 0.0, "velocity": 0.0, "velocity_hat": 0.0},
    "ftrl": {"accumulator": 0.1, "linear": 0.0},
    "ftrl_power": {"accumulator": 0.1, "linear": 0.0},
}
KINDS = tuple(SLOTS)

FACTOR, RHO, BETA_1, BETA_2, EPSILON = 0.8, 0.85, 0.9, 0.98, 1e-3
FTRL = {"l1": 0.02, "l2": 0.03, "l2_shrinkage": 0.04, "beta": 0.05}
POWER = {"ftrl": -0.5, "ftrl_power": -0.7}


def start(kind, table):
    """The state before the first step."""
    state = {"table": np.asarray(table).astype(np.float64)}
    return state | {key: np.full(state["table"].shape, v) for key, v in SLOTS[kind].items()}


def step(kind, state, indices, gradient, rate, number, weight_decay=0.0):
    """Updates the state in place; `number` counts the steps from 1."""
    rows = np.unique(indices)
    g = np.zeros((len(rows), *state["table"].shape[1:]))
    np.add.at(g, np.searchsorted(rows, indices), np.asarray(gradient, np.float64))
    s = {key: value[rows] for key, value in state.items()}
    w = s["table"] * (1 - rate * weight_decay)
    if kind == "sgd":
        w = w - rate * g
    elif kind in ("momentum", "nesterov"):
        s["momentum"] = FACTOR * s["momentum"] - rate * g
        w = w + (FACTOR * s["momentum"] - rate * g if kind == "nesterov" else s["momentum"])
    elif kind == "adagrad":
        s["accumulator"] = s["accumulator"] + g**2
        w = w - rate * g / np.sqrt(s["accumulator"] + EPSILON)
    elif kind.startswith("rmsprop"):
        s["velocity"] = RHO * s["velocity"] + (1 - RHO) * g**2
        variance = s["velocity"]
        if "average_gradient" in s:
            s["average_gradient"] = RHO * s["average_gradient"] + (1 - RHO) * g
            variance = variance - s["average_gradient"] ** 2
        change = rate * g / np.sqrt(variance + EPSILON)
        if "momentum" in s:
            change = s["momentum"] = FACTOR * s["momentum"] + change
        w = w - change
    elif kind in ("adam", "amsgrad"):
        s["momentum"] = BETA_1 * s["momentum"] + (1 - BETA_1) * g
        s["velocity"] = BETA_2 * s["velocity"] + (1 - BETA_2) * g**2
        square = s["velocity"]
        if kind == "amsgrad":
            square = s["velocity_hat"] = np.maximum(s["velocity_hat"], square)
        mean = s["momentum"] / (1 - BETA_1**number)
        root = np.sqrt(square / (1 - BETA_2**number))
        w = w - rate * mean / (root + EPSILON / np.sqrt(1 - BETA_2**number))
    else:
        power = -POWER[kind]
        old = s["accumulator"]
        s["accumulator"] = old + g**2
        raised = s["accumulator"] ** power / rate
        shift = (raised - old**power / rate) * w
        s["linear"] = s["linear"] + g + 2 * FTRL["l2_shrinkage"] * w - shift
        clipped = np.clip(s["linear"], -FTRL["l1"], FTRL["l1"])
        w = (clipped - s["linear"]) / (raised + 2 * FTRL["l2"] + FTRL["beta"] / rate)
    s["table"] = w
    for key, value in s.items():
        state[key][rows] = value
