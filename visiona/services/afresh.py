"""Beginning a transaction anew when somebody else was quicker.

Two do the same for the first time at the same moment: both see that nobody did it yet, and the schema lets one of them.
The other looks again, and finds itself second. So nobody is refused for a coincidence, and nobody is told of it.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores, Tx

T = TypeVar("T")

ATTEMPTS = 3
"""The second finds what the first one kept. A third is for when that was taken away again in between."""


class OvertakenError(Exception):
    """Raised by an operation: what it was about to build on has changed since it looked."""


async def write_afresh(stores: Stores, operation: Callable[[Tx], Awaitable[T]], *promises: str) -> T:
    """As `Stores.write`; begins anew if the operation was overtaken, or a conflict is about one of the promises."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await stores.write(operation)
        except OvertakenError:
            continue
        except StoreConflict as conflict:
            if conflict.about not in promises:
                raise
    return await stores.write(operation)
