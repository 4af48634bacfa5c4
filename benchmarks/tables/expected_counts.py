# SPDX-License-Identifier: Apache-2.0
"""The block of benchmarks/expected_counts.py."""

import results

from . import markdown as md


def error(estimate):
    digits = 1 if estimate["mean"] > 100 else 3
    return f"{estimate['mean']:,.{digits}f} ± {estimate['standard_error']:.{digits}f}"


def line(case):
    exact, core = case["exact"], case["tf"]
    return [
        case["p"],
        f"{case['V']:,}",
        f"{case['true']:,.1f}",
        f"{case['S']:,}",
        f"{case['repetitions']:,}",
        error(exact),
        error(core),
        f"{core['mean'] / case['true'] - 1:+.1%}",
        f"{exact['standard_deviation'] / core['standard_deviation']:.2f}",
    ]


def expected_counts(folder):
    heads = (
        'p of class|V|true sum|S|repetitions|exact|"tf"|"tf" is off by|deviation, exact over "tf"'
    ).split("|")
    cases = md.newest(results.load("expected_counts", folder))
    return md.table(heads, [line(case) for case in cases]) if cases else md.NONE_YET


BLOCKS = {"expected-counts": expected_counts}
