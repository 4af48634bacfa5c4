# SPDX-License-Identifier: Apache-2.0
"""The blocks of the examples."""

import results

from . import markdown as md

MODEL = "the model"


def line(case):
    nll = md.NO_FIGURE if case["nll"] is None else f"{case['nll']:.3f}"
    cells = [case["predictor"], *(f"{hits:.3f}" for hits in case["accuracy"].values()), nll]
    return [f"**{cell}**" for cell in cells] if case["predictor"] == MODEL else cells


def doudizhu(folder):
    heads = ["predictor", "accuracy", "leading", "following", "NLL, nats"]
    cases = md.newest(results.load("doudizhu", folder))
    return md.table(heads, [line(case) for case in cases]) if cases else md.NONE_YET


def movielens(folder):
    heads = ["way", "HR@10", "HR@50", "mean reciprocal rank", "popularity", "seconds of training"]
    cases = md.newest(results.load("movielens", folder))

    def share(case, name):
        value = case[name]
        return f"{value:.3f} ± {(value * (1 - value) / case['users']) ** 0.5:.3f}"

    lines = [
        [
            case["way"],
            share(case, "HR@10"),
            share(case, "HR@50"),
            f"{case['MRR']:.3f}",
            f"{case['popularity']:.0f}",
            f"{case['seconds']:.0f}" if case["seconds"] else md.NO_FIGURE,
        ]
        for case in cases
    ]
    return md.table(heads, lines) if cases else md.NONE_YET


BLOCKS = {"doudizhu": doudizhu, "movielens": movielens}
