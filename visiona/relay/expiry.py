"""Ends what goes on after its token has run out: tunnels (T-45), and the requests and sockets of a caller (H-14).

By the wall clock, because that is what an expiry is written in; a clock that jumps moves it, and that is right.
"""

from collections.abc import Callable
from datetime import datetime

import trio

from visiona.relay.registry import Registry
from visiona.services import clock

LOOK_SECONDS = 2.0
"""An expired token has ten seconds at the most."""


async def expire_forever(
    registry: Registry,
    now: Callable[[], datetime] = clock.now,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Looks until cancelled."""
    task_status.started()
    while True:
        at = now()
        registry.expire(at)
        registry.calls.expire(at)
        await trio.sleep(LOOK_SECONDS)
