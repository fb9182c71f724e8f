"""What works and what does not: the board that /readyz reads, and the loop that keeps it true.

The board is told, it asks nobody. `check_forever` pings the stores with a deadline, counts tunnels and measures how
late the event loop runs. Answers are made from the board, so a thousand probes a second cost no store a query.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import trio

from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Ping

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Section `[health]`.

    Attributes:
        interval_seconds: between two rounds of checks, and so how old an answer of /readyz may be.
        store_seconds: how long a store may take to answer a ping.
        lag_seconds: a loop later than this is reported as unwell.
    """

    interval_seconds: float = 1.0
    store_seconds: float = 1.0
    lag_seconds: float = 1.0

    def check(self) -> list[str]:
        """Every fault, one sentence each."""
        return [
            f"{name} must be more than 0"
            for name, value in (
                ("interval_seconds", self.interval_seconds),
                ("store_seconds", self.store_seconds),
                ("lag_seconds", self.lag_seconds),
            )
            if value <= 0
        ]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        since: when it came into this state.
        why: for a person; empty when there is nothing to say.
        vital: whether the process can do its work without it; only vital checks make it unready.
    """

    ok: bool
    since: datetime
    why: str
    vital: bool


@dataclass(frozen=True, slots=True)
class Health:
    """The board at one moment. `ready` is False while draining, whatever the checks say."""

    ready: bool
    draining: bool
    checks: Mapping[str, Check]

    @property
    def failing(self) -> list[str]:
        """Names of the vital checks that fail."""
        return [name for name, check in self.checks.items() if check.vital and not check.ok]


class HealthBoard:
    """Who is well. One per process; told by the checkers, read by the health routes and the metrics."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._checks: dict[str, Check] = {}
        self._draining = False
        self._watchers: list[Callable[[Health], None]] = []

    def report(self, name: str, *, ok: bool, why: str = "", vital: bool = True) -> None:
        """Notes a state; `since` stays while the state does. Changes are logged and passed to the subscribers."""
        before = self._checks.get(name)
        changed = before is None or before.ok != ok
        since = self._now() if before is None or changed else before.since
        self._checks[name] = Check(ok, since, why, vital)
        if not changed:
            return
        if before is not None or not ok:
            log.log(
                logging.INFO if ok else logging.ERROR,
                "health changed",
                extra={"check": name, "ok": ok, "why": why},
            )
        self._tell()

    def drain(self) -> None:
        """From now on not ready (S-06): called first when the process is asked to stop."""
        if not self._draining:
            self._draining = True
            self._tell()

    def snapshot(self) -> Health:
        """The board now. Before the first check it is not ready: nothing is known yet."""
        ready = (
            bool(self._checks)
            and not self._draining
            and all(c.ok or not c.vital for c in self._checks.values())
        )
        return Health(ready, self._draining, dict(self._checks))

    @contextmanager
    def subscribe(self, watcher: Callable[[Health], None]) -> Iterator[None]:
        """Calls the watcher after each change of state until the block is left. It must neither wait nor raise."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def _tell(self) -> None:
        health = self.snapshot()
        for watcher in list(self._watchers):
            watcher(health)


class Tunnels(Protocol):
    """The registry as this module sees it."""

    def all(self) -> Collection[object]:
        """The tunnels that are up."""
        ...


async def check_forever(
    settings: HealthSettings,
    board: HealthBoard,
    registry: Tunnels,
    pings: Mapping[str, Ping],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Checks everything, round after round; started once the first round is on the board. Ends by cancellation."""
    await check_once(settings, board, registry, pings)
    board.report("event_loop", ok=True, vital=False)
    task_status.started()
    while True:
        due = trio.current_time() + settings.interval_seconds
        await trio.sleep_until(due)
        late_seconds = trio.current_time() - due
        why = f"it runs {late_seconds:.1f} s late" if late_seconds > settings.lag_seconds else ""
        # Not vital: a late loop still works, and who asks is answered late already. The watchdog judges the hopeless.
        board.report("event_loop", ok=not why, why=why, vital=False)
        await check_once(settings, board, registry, pings)


async def check_once(
    settings: HealthSettings, board: HealthBoard, registry: Tunnels, pings: Mapping[str, Ping]
) -> None:
    """One round: every store within its deadline, then the tunnels' number. Raises nothing of the stores'.

    They are asked at once: one that is silent delays no word about the others.
    """
    async with trio.open_nursery() as nursery:
        for name, ping in pings.items():
            nursery.start_soon(_check_store, settings, board, name, ping)
    board.report("tunnels", ok=True, why=f"{len(registry.all())} connected", vital=False)


async def _check_store(settings: HealthSettings, board: HealthBoard, name: str, ping: Ping) -> None:
    try:
        with trio.fail_after(settings.store_seconds):
            remark = await ping()
    except trio.TooSlowError:
        board.report(name, ok=False, why=f"no answer within {settings.store_seconds:g} s")
    except StoreUnavailable as error:
        board.report(name, ok=False, why=str(error) or "unavailable")
    else:
        board.report(name, ok=True, why=remark or "")
