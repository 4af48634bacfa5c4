# SPDX-License-Identifier: Apache-2.0
"""The block of benchmarks/sampler_choice.py."""

import results

from . import markdown as md


def line(case):
    found = [case["sampler"], f"{abs(case['divergence']):.2f}"]
    for estimate in case["log_z"].values():
        mean = round(estimate["mean"], 2) + 0.0  # no minus before a zero
        found.append(f"{mean:+.2f} ± {estimate['standard_deviation']:.2f}")
    return found


def sampler_choice(folder):
    cases = md.newest(results.load("sampler_choice", folder))
    if not cases:
        return md.NONE_YET
    sizes = [f"S = {int(size):,}" for size in cases[0]["log_z"]]
    return md.table(["sampler", "KL(p, q)", *sizes], [line(case) for case in cases])


BLOCKS = {"sampler-choice": sampler_choice}
