"""What a machine that is busy with something else adds to every answer: how long one takes that waits for nobody."""

import math
import threading
import time
from http.client import HTTPException
from typing import NamedTuple, Self

from tests.e2e.client import Caller

PAUSE_SECONDS = 0.01


class Look(NamedTuple):
    """One look at /healthz, which asks no store; `failing` is None if nobody answered."""

    began: float
    ended: float
    failing: list[str] | None


class Idle:
    """Looks again and again while the block runs. How much the server's own work delays others the mixed load measures."""

    def __init__(self, web: str) -> None:
        self._caller = Caller(web, None)
        self._looks: list[Look] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def longest(self, began: float = 0.0, ended: float = math.inf) -> float:
        """Of the looks between these moments. Ask when the block is over: what is under way is not among them."""
        among = (look for look in self._looks if look.ended > began and look.began < ended)
        return max((look.ended - look.began for look in among), default=0.0)

    def named_at(self, store: str, after: float) -> float | None:
        """When it was first said that the store fails."""
        found = (look for look in self._looks if look.began > after and store in (look.failing or ()))
        return next((look.ended for look in found), None)

    def _run(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            try:
                failing = self._caller.ask("GET", "/healthz").json.get("failing", [])
            except (OSError, HTTPException):
                failing = None
            self._looks.append(Look(began, time.monotonic(), failing))
            self._over.wait(PAUSE_SECONDS)
