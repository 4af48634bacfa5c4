# SPDX-License-Identifier: Apache-2.0
"""What every benchmark of the GPU shares: interleaved timing by events, the card's bandwidth."""

import time

import results
import torch

ROUNDS = 15
# A measurement makes as many calls as fit into SECONDS, but at most MOST_CALLS.
SECONDS = 2e-3
MOST_CALLS = 100


class Clock:
    """Measures seconds by the GPU's events or, in a rehearsal, by the host's clock."""

    def __init__(self, device):
        self.device = device

    def __call__(self, step, calls):
        if self.device == "cpu":
            start = time.perf_counter()
            for _ in range(calls):
                step()
            return (time.perf_counter() - start) / calls
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        for _ in range(calls):
            step()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / calls


def time_steps(clock, steps, rounds=ROUNDS):
    """Seconds of a call of each of `steps` (a dict of functions), as results hold them.

    The steps take turns, round by round: so whatever else the machine does slows all of them alike.
    """
    calls = {}
    for name, step in steps.items():
        clock(step, 3)
        calls[name] = int(min(MOST_CALLS, max(1, SECONDS / clock(step, 3))))
    seconds = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            seconds[name].append(clock(step, calls[name]))
    return {name: results.spread(values) for name, values in seconds.items()}


def host_seconds(step, rounds=50):
    """Seconds until a call is done and its results are there; `step` waits for them."""
    for _ in range(5):
        step()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return results.spread(seconds)


def copy_bandwidth(clock):
    """Bytes a second of a copy within the device's memory, read and written."""
    size = 2**30 if clock.device == "cuda" else 2**24
    source = torch.randint(0, 255, (size,), dtype=torch.uint8, device=clock.device)
    target = torch.empty_like(source)
    times = time_steps(clock, {"copy": lambda: target.copy_(source)})
    return 2 * size / times["copy"]["median"]
