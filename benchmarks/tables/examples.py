# SPDX-License-Identifier: Apache-2.0
"""The block of the Dou Dizhu example."""

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


BLOCKS = {"doudizhu": doudizhu}
