"""Running an operation without ever giving the loop away.

An operation awaits only its transaction, and the transactions of SQLite and memory never wait. So the whole of it
runs between two instructions of everybody else: no cancellation, no other task and no second operation can come in
between, and there is nothing to lock.
"""

from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


def run_inline(awaitable: Awaitable[T]) -> T:
    """Runs it to its end now; RuntimeError if it tries to wait for anything else, which is a bug in it."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    if hasattr(steps, "close"):
        steps.close()
    raise RuntimeError("an operation may await its transaction and nothing else")
