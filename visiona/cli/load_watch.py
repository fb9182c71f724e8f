"""Following a load on a server somewhere to its end: over its restarts, with a bar, until somebody has seen enough."""

import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import quote

import trio

from visiona.cli.api_client import Api
from visiona.cli.output import CommandError, print_note
from visiona.cli.progress import RowProgress

Item = Mapping[str, Any]

OVER = frozenset({"active", "failed"})

ATTEMPTS = 10
"""Without a word from the server, about four minutes; a restart takes seconds."""

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0

_PASSING = frozenset({"UNREACHABLE", "UNEXPECTED_ANSWER", "STORE_UNAVAILABLE", "RATE_LIMITED"})
"""Refusals that may be other ones in a moment."""


class Shown:
    """A bar for the way to the device, and one for the accelerator."""

    def __init__(self) -> None:
        self._state = ""
        self._bar: RowProgress | None = None
        self._passed = 0
        self._is_away = False

    def show(self, load: Item) -> None:
        """So far it is."""
        if load["state"] != self._state:
            self._begin(load)
        if load["waiting_for_device"] and not self._is_away:
            self.note("the device is away; the load goes on when it is back")
            self._begin(load)
        self._is_away = load["waiting_for_device"]
        passed = load["sent_bytes"] if self._state == "pushing" else load.get("progress", 0)
        if self._bar is not None:
            step = self._bar.pass_bytes if self._state == "pushing" else self._bar.step
            step(passed - self._passed)
            self._passed = passed

    def note(self, words: str) -> None:
        """Says something on a line of its own."""
        self.end()
        self._state = ""
        print_note(words)

    def end(self) -> None:
        """Leaves what is shown as it is."""
        if self._bar is not None:
            self._bar.end()
        self._bar = None

    def _begin(self, load: Item) -> None:
        self.end()
        self._state, self._passed = load["state"], 0
        if self._state == "pushing":
            self._bar = RowProgress("pushing")
            self._bar.begin(0, load["total_bytes"])
        elif self._state == "flashing":
            self._bar = RowProgress("flashing", unit="percent")
            self._bar.begin(100)


class Watch:
    """One load, as it is followed.

    Attributes:
        load: what is known of it; None before the server has taken it on.
    """

    def __init__(self, api: Api, model_id: str, device_id: str, accelerator: str | None) -> None:
        self._api = api
        self._device = f"/api/devices/{quote(device_id, safe='')}/loads"
        self._wish = {"device_id": device_id}
        if accelerator is not None:
            self._wish["accelerator"] = accelerator
        self._begin = f"/api/models/{quote(model_id, safe='')}/load-to-device"
        self.load: Item | None = None

    async def to_the_end(self, show: Callable[[Item], None], note: Callable[[str], None]) -> Item:
        """Begins it, or joins it, and follows it, however often the server is away.

        Raises:
            CommandError: it was refused, or nothing was heard for too long.
        """
        silent = 0
        while True:
            before = self.load
            try:
                if await self._follow(show):
                    assert self.load is not None
                    return self.load
            except CommandError as refused:
                if self.load is None or refused.code not in _PASSING:
                    raise
            if self.load is None:
                raise CommandError("the server ended its answer at once", code="UNEXPECTED_ANSWER")
            silent = 0 if self.load is not before else silent + 1
            if silent >= ATTEMPTS:
                raise CommandError(
                    "nothing is heard from the server any more; the load may go on: see visiona model loads",
                    code="UNREACHABLE",
                )
            if silent == 1:
                note("the server is away; the load goes on when it is back")
            await trio.sleep(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** max(0, silent - 1)))

    async def cancel(self) -> None:
        """Ends it; raises CommandError where that cannot be."""
        assert self.load is not None
        await self._api.ask("DELETE", f"{self._device}/{self.load['id']}")

    async def _follow(self, show: Callable[[Item], None]) -> bool:
        """True when it is over."""
        events = (
            self._api.events("POST", self._begin, self._wish)
            if self.load is None
            else self._api.events("GET", f"{self._device}/{self.load['id']}/events")
        )
        async with aclosing(events) as heard:
            async for load in heard:
                self.load = load
                show(load)
        # Read to its end, which comes with the load's: what httpx has begun is not left to the collector.
        return self.load is not None and self.load["state"] in OVER


async def unless_interrupted(work: Callable[[], Awaitable[None]]) -> bool:
    """Does the work; False if Ctrl-C ended it. A second one ends the program."""
    failures: list[CommandError] = []
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            await nursery.start(_cancel_on_interrupt, scope)
            try:
                await work()
            except CommandError as error:
                failures.append(error)
        nursery.cancel_scope.cancel()
    if failures:
        raise failures[0]
    return not scope.cancelled_caught


async def _cancel_on_interrupt(scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]) -> None:
    async with _interrupts() as interrupts:
        task_status.started()
        async for _ in interrupts:
            scope.cancel()
            return


@asynccontextmanager
async def _interrupts() -> AsyncIterator[AsyncIterator[int]]:
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        yield signals


def wants_end() -> bool:
    """Asks the person, if there is one: a load goes on without whoever watches it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print("\ncancel the load? it goes on otherwise [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
