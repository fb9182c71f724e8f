"""What the fuzz programs have in common: rounds until the time is over, and which of them failed."""

import argparse
import random
import time
import traceback
from collections.abc import Callable, Sequence

MAX_FAILURES = 10

Attempt = Callable[[random.Random], None]


def run_rounds(attempts: Sequence[Attempt], refusals: tuple[type[Exception], ...] = ()) -> int:
    """Makes each attempt in each round, with chance of its own; the exit code says whether one failed.

    Args:
        refusals: what may come out; anything else is the finding.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="repeat one round")
    options = parser.parse_args()
    number, inputs, failures = options.only or 0, 0, 0
    end = time.monotonic() + options.seconds
    while failures < MAX_FAILURES:
        for attempt in attempts:
            inputs += 1
            try:
                attempt(random.Random(f"{options.seed}/{number}"))
            except refusals:
                continue
            except Exception:  # noqa: BLE001 - whatever else comes out is the finding
                failures += 1
                traceback.print_exc()
                print(f"{attempt.__name__} failed: --seed {options.seed} --only {number}")
        number += 1
        if options.only is not None or time.monotonic() > end:
            break
    print(f"{inputs} inputs, {failures} failures")
    return 1 if failures else 0
