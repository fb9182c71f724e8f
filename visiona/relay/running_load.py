"""A load that goes on here: what it is now, who waits for news of it, and how it is stopped, or left to another server.

Whoever watches is told each state that it went through, and of its progress the newest: a slow viewer costs nothing.
"""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime

import trio

from visiona.domain.loads import Fault, Load, LoadState
from visiona.domain.models import Model
from visiona.services.audit import Origin

TELL_SECONDS = 0.1
"""Between two words about progress; a gigabyte is 16,000 pieces."""


class RunningLoad:
    """One load and its only writer.

    Attributes:
        now: it, at this moment.
        origin: from where it was asked for; for the audit log.
        is_left: it goes on, but not here: the server stops, or another one has it.
        is_unwritten: the store does not know yet what it is now.
        pen: held by whoever writes it down.
    """

    def __init__(self, load: Load, model: Model, origin: Origin) -> None:
        self.now = load
        self.model = model
        self.origin = origin
        self.is_left = False
        self.is_unwritten = False
        self.pen = trio.Lock()
        self._before: list[Load] = []
        self._changed = trio.Event()
        self._finished = trio.Event()
        self._scope = trio.CancelScope()
        self._stopped_by: tuple[Fault, str] | None = None

    @property
    def scope(self) -> trio.CancelScope:
        """What it runs in."""
        return self._scope

    @property
    def is_done(self) -> bool:
        """Whether nothing more happens to it here."""
        return self.now.is_over or self.is_left

    def move(self, state: LoadState, at: datetime) -> None:
        """On to the next state."""
        self._before.append(self.now)
        self._set(self.now.moved(state, at))

    def fail(self, fault: Fault, sentence: str, at: datetime) -> None:
        """It is over; after the first time, or where it was left, nothing changes."""
        if not self.is_done:
            self._before.append(self.now)
            self._set(self.now.failed(fault, sentence, at))

    def sent(self, count: int) -> None:
        """So much is there, or on its way."""
        self._set(replace(self.now, sent_bytes=count, is_waiting=False))

    def received_as(self, device_model_id: str) -> None:
        """All of it is there, and the device calls it so."""
        self._set(replace(self.now, device_model_id=device_model_id))

    def written(self, percent: int) -> None:
        """So much is on the accelerator."""
        self._set(replace(self.now, progress=percent, is_waiting=False))

    def wait(self) -> None:
        """The device is away."""
        self._set(replace(self.now, is_waiting=True))

    def come_back(self) -> None:
        """The device is here again."""
        self._set(replace(self.now, is_waiting=False))

    def stop(self, fault: Fault, sentence: str) -> None:
        """Ends it at its next wait; the first reason counts."""
        if self._stopped_by is None:
            self._stopped_by = (fault, sentence)
        self._scope.cancel()

    def leave(self) -> None:
        """Ends the work on it here, at its next wait; the load itself goes on."""
        if not self.is_done:
            self.is_left = True
            self._scope.cancel()
            self.wake()

    @property
    def stopped_by(self) -> tuple[Fault, str]:
        """Why `stop` was called; the server's end, if nobody did."""
        return self._stopped_by or (Fault.SERVER_STOPPING, "the server was stopped; load the model again")

    async def wait_over(self) -> None:
        """Returns when nothing more happens to it here, and that is on record as far as it can be."""
        await self._finished.wait()

    def finish(self) -> None:
        """Nothing more happens to it."""
        self._finished.set()

    def wake(self) -> None:
        """Has whoever follows look again."""
        self._changed.set()
        self._changed = trio.Event()

    async def follow(self, quiet_seconds: float, cut: trio.Event) -> AsyncGenerator[Load | None, None]:
        """Each state, and now and then the newest progress, to its end here or until `cut` and `wake`.

        None where nothing happened for a while.
        """
        told = 0
        last: Load | None = None
        while not cut.is_set():
            changed = self._changed
            if told < len(self._before):
                told += 1
                if self._before[told - 1] is not last:
                    yield self._before[told - 1]
            elif self.now is not last:
                last = self.now
                yield last
                if not self.is_done:
                    await trio.sleep(TELL_SECONDS)
            elif self.is_done:
                return
            else:
                with trio.move_on_after(quiet_seconds) as quiet:
                    await changed.wait()
                if quiet.cancelled_caught:
                    yield None

    def _set(self, load: Load) -> None:
        self.now = load
        self.wake()
