"""Somebody who watches a copy: counts, or does something in the middle of it."""

from collections.abc import Callable


class Watching:
    """See ends.Progress.

    Args:
        at: calls of `step` and `pass_bytes` until `then` is called; later ones do nothing.
    """

    def __init__(self, at: int = 1, then: Callable[[], None] = lambda: None) -> None:
        self.total = 0
        self.rows = 0
        self.total_bytes = 0
        self.bytes = 0
        self.steps = 0
        self._at = at
        self._then = then

    def begin(self, total_rows: int, total_bytes: int = 0) -> None:
        self.total, self.total_bytes = total_rows, total_bytes

    def step(self, rows: int) -> None:
        self.rows += rows
        self._step()

    def pass_bytes(self, count: int) -> None:
        self.bytes += count
        self._step()

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._at:
            self._then()
