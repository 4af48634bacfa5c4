# SPDX-License-Identifier: Apache-2.0
"""The block of benchmarks/gradient_bias.py."""

import results

from . import markdown as md


def bias(case):
    """A bias that its own error hides is only known to be small."""
    if case["bias"] < 2 * case["resolution"]:
        return f"below {2 * case['resolution']:.3f}"
    return f"{case['bias']:.3f}"


def gradient_bias(folder):
    cases = md.newest(results.load("gradient_bias", folder))
    if not cases:
        return md.NONE_YET
    sizes = sorted({case["S"] for case in cases})
    heads = ["loss", "p of candidates", "candidates"]
    heads += [f"S = {size}: bias / noise / cosine" for size in sizes]
    lines = {}
    for case in cases:
        key = (case["loss"], case["p"], case["candidates"])
        cells = lines.setdefault(key, dict.fromkeys(sizes, md.NO_FIGURE))
        cells[case["S"]] = f"{bias(case)} / {case['noise']:.2f} / {case['cosine']:.3f}"
    return md.table(heads, [[*key, *cells.values()] for key, cells in lines.items()])


BLOCKS = {"gradient-bias": gradient_bias}
