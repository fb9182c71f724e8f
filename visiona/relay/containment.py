"""The containment point: an error in what serves one device ends that device's connection and nothing else.

Without it one bug in one device's handler brings the whole server down (tried). It is the first of the two places
that may say `except Exception`; everything below raises, everything above trusts this.
"""

import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


async def contain(
    name: str, work: Callable[[], Awaitable[None]], facts: Callable[[], dict[str, object]]
) -> None:
    """Runs the work; an error is logged with the facts known by then, and is over. Cancellation passes.

    Args:
        name: what it was, for the log line.
        work: one connection's whole life.
        facts: asked only when something went wrong: the device id, the address.
    """
    try:
        await work()
    except Exception:
        logger.exception("%s failed; only this connection is closed", name, extra=facts())
