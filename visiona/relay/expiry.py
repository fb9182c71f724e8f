"""Ends what goes on after its token has run out: tunnels (T-45), and the requests and sockets of a caller (H-14).

By the wall clock, because that is what an expiry is written in; a clock that jumps moves it, and that is right.
"""

import contextlib
from collections.abc import Callable
from datetime import datetime

import trio

from visiona.domain.ids import SessionId
from visiona.relay.calls import LiveCalls
from visiona.relay.registry import Registry
from visiona.services import clock
from visiona.stores.errors import StoreUnavailable
from visiona.stores.sessions import SessionStore

LOOK_SECONDS = 2.0
"""An expired token has ten seconds at the most."""


async def expire_forever(
    registry: Registry,
    sessions: SessionStore,
    now: Callable[[], datetime] = clock.now,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Looks until cancelled."""
    task_status.started()
    while True:
        at = now()
        registry.expire(at)
        await _prolong(registry.calls, sessions, at)
        registry.calls.expire(at)
        await trio.sleep(LOOK_SECONDS)


async def _prolong(calls: LiveCalls, sessions: SessionStore, now: datetime) -> None:
    """A person's session lives on while it is used, and only its store knows since when it was not.

    While that cannot be known, what runs on the session ends as it was to: better once too often (ASVS 16.5.3). A store
    that gave no answer about one is not asked about the next: each may take its time, and expiries do not wait.
    """
    with contextlib.suppress(StoreUnavailable):
        for credential_id in calls.overdue(now):
            session = await sessions.by_id_or_none(SessionId(credential_id), now)
            if session is not None:
                calls.prolong(credential_id, session.idle_expires_at)
