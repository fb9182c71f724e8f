"""How late this machine is: what a busy one adds to any wait, whoever waits. A promise in seconds is judged without it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

NAP_SECONDS = 0.005
USUAL_SECONDS = 0.001
"""So much later than it asked for anybody is woken."""


class Lateness:
    """Naps while the block runs; `seconds` is by how much its naps were too long, all together."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        is_over = False
        while not is_over:
            began = time.monotonic()
            is_over = self._over.wait(NAP_SECONDS)
            late = time.monotonic() - began - NAP_SECONDS
            if late > USUAL_SECONDS:
                self.seconds += late


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """The block must not take longer, on a machine that has nothing else to do."""
    began = time.monotonic()
    with Lateness() as lateness:
        yield
        took = time.monotonic() - began
    assert took - lateness.seconds <= seconds, f"{took:.3f} s, {lateness.seconds:.3f} s of them the machine's"
