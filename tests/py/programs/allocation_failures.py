# SPDX-License-Identifier: Apache-2.0
"""Run by test_allocation_failures.py: fails every op's allocations in turn; prints what follows.

Usage: allocation_failures.py LIBRARY THREADS, where the library is that of allocation_failures.cc.
Prints JSON: of each case what it did and what was wrong, and which ops no case has used.
"""

import ctypes
import functools
import json
import sys

import tensorflow as tf

FOR_GOOD = 2**62


class Failures:
    """What allocation_failures.cc exports."""

    def __init__(self, path):
        self._library = ctypes.CDLL(path)
        self._library.ArmFailure.argtypes = [ctypes.c_int64] * 2
        for name in ("DisarmFailure", "CountAllocations", "CountTasks"):
            getattr(self._library, name).restype = ctypes.c_int64
        found = self._library.TakePlaces()
        assert found == 7, f"the op library allocates in other ways: {found} of 7 found"

    def during(self, call, first, last):
        """Calls while allocations first .. last fail; returns result, error, and how many did."""
        result = error = None
        self._library.ArmFailure(first, last)
        try:
            result = call()
        except tf.errors.ResourceExhaustedError as exhausted:
            error = exhausted
        finally:
            failed = self._library.DisarmFailure()
        assert error is None or failed > 0, error
        return result, error, failed

    def counts(self):
        """Of the last call: its allocations, and how often it asked for another thread."""
        return {
            "allocations": self._library.CountAllocations(),
            "tasks": self._library.CountTasks(),
        }


def attempt(failures, case, first, last):
    """One call, and whether all is well after it. Returns the error, and how many failed."""
    case.start()
    result, error, failed = failures.during(case.call, first, last)
    if error is None:
        case.check(result)
    case.check_after(failed=error is not None)
    return error, failed


def run(failures, make):
    """Makes a case and runs it; returns what it did, and what was wrong."""
    case = make()
    report = {"problem": None, "messages": []}
    at = "no allocation failed"
    try:
        attempt(failures, case, 0, 0)
        attempt(failures, case, 0, 0)  # the first one may have made kernels
        report |= failures.counts()
        for first in range(case.first_failure, FOR_GOOD):
            at = f"allocation {first} failed"
            error, failed = attempt(failures, case, first, first)
            if not failed:
                break
            report["messages"] += [str(error)] if error else []
            if first & (first - 1) == 0:
                at += " and all after it"
                attempt(failures, case, first, FOR_GOOD)
    except Exception as problem:
        report["problem"] = f"{at}: {type(problem).__name__}: {problem}"
    return report


def record(used):
    """Makes the package's ops note their names when they are called.

    The package keeps some ops when it is imported, so call this before. What it returns holds the
    names of all ops afterwards.
    """
    load, every = tf.load_op_library, set()

    def recorded(name, op):
        @functools.wraps(op)
        def call(*args, **kwargs):
            used.add(name)
            return op(*args, **kwargs)

        return call

    def load_recorded(path):
        ops = load(path)
        for name in dir(ops):
            if name.startswith("candsamp_") and not name.endswith("_eager_fallback"):
                every.add(name)
                setattr(ops, name, recorded(name, getattr(ops, name)))
        return ops

    tf.load_op_library = load_recorded
    return every


def main():
    library, threads = sys.argv[1:]
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    used = set()
    every = record(used)
    import allocation_cases  # imports the package, which Failures looks for

    failures = Failures(library)
    reports = {}
    for name, make in allocation_cases.CASES.items():
        print(name, file=sys.stderr, flush=True)  # the last one if the process ends here
        reports[name] = run(failures, make)
    json.dump({"cases": reports, "unused": sorted(every - used)}, sys.stdout)


if __name__ == "__main__":
    main()
