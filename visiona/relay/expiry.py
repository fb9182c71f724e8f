"""Ends tunnels whose token has run out while they were up (T-45).

By the wall clock, because that is what an expiry is written in; a clock that jumps moves it, and that is right.
"""

from collections.abc import Callable
from datetime import datetime

import trio

from visiona.relay.registry import Registry
from visiona.services import clock

LOOK_SECONDS = 2.0
"""An expired token has ten seconds at the most."""


async def expire_tunnels(
    registry: Registry,
    now: Callable[[], datetime] = clock.now,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Looks until cancelled."""
    task_status.started()
    while True:
        registry.expire(now())
        await trio.sleep(LOOK_SECONDS)
