"""Whether who began a load may still: asked when something was taken away that may have been theirs to use.

A load has no request of its own that a revocation would cut. So it stands among the calls in flight twice: as its
person's, wherever, and as its device's; what cuts either has the store asked, which knows whether it is about this load.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from visiona.domain.ids import DeviceId, SessionId, UserId
from visiona.domain.loads import Fault
from visiona.relay.calls import LiveCall, LiveCalls
from visiona.relay.running_load import RunningLoad
from visiona.services.kept_loads import why_not_theirs
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

NOBODY = UserId("")
"""Whose call it is as the device's: somebody else's as well as theirs."""


@asynccontextmanager
async def watching_access(stores: Stores, calls: LiveCalls, running: RunningLoad) -> AsyncIterator[None]:
    """Stops the load if what it needs is taken away while the block runs."""
    entries = _Entries(calls, running)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_look_when_doubted, stores, entries, running)
            yield
            nursery.cancel_scope.cancel()
    finally:
        entries.remove()


class _Entries:
    """The two calls of a load; one that is cut is entered again, for the next time."""

    def __init__(self, calls: LiveCalls, running: RunningLoad) -> None:
        self._calls = calls
        self._load = running.now
        self.doubted = trio.Event()
        self._person, self._device = self._enter_person(), self._enter_device()

    def remove(self) -> None:
        self._person.remove()
        self._device.remove()

    def _enter_person(self) -> LiveCall:
        load = self._load
        # A session's end is no reason: people close their laptops. A token is revoked because it is in wrong hands.
        credential = load.token_id if load.token_id is not None else SessionId(load.id)
        return self._calls.add(load.user_id, credential, None, self._doubt_person)

    def _enter_device(self) -> LiveCall:
        device_id: DeviceId = self._load.device_id
        return self._calls.add(NOBODY, SessionId(self._load.id), device_id, self._doubt_device)

    def _doubt_person(self, _: str) -> None:
        self._person = self._enter_person()
        self.doubted.set()

    def _doubt_device(self, _: str) -> None:
        self._device = self._enter_device()
        self.doubted.set()


async def _look_when_doubted(stores: Stores, entries: _Entries, running: RunningLoad) -> None:
    while True:
        await entries.doubted.wait()
        entries.doubted = trio.Event()
        try:
            sentence = await why_not_theirs(stores, running.now)
        except StoreUnavailable:
            sentence = "access was taken away while the model was loaded"
        if sentence is not None:
            running.stop(Fault.REVOKED, sentence)
            return
