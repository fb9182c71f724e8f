"""What the store of one-time links promises; see interfaces.py for what all promise."""

from datetime import datetime
from typing import Protocol

from visiona.domain.ids import UserId
from visiona.domain.one_time_links import LinkPurpose, OneTimeLink


class OneTimeLinkStore(Protocol):
    """One-time links, by their hash."""

    async def add(self, link: OneTimeLink) -> None:
        """Raises StoreConflict(about="link" | "reference" | "ttl"): at most 15 minutes of life."""
        ...

    async def get_or_none(self, link_hash: str) -> OneTimeLink | None: ...

    async def take_turns(self) -> None:
        """Whoever else decides about the first administrator waits until this transaction ends."""
        ...

    async def consume(self, link_hash: str, now: datetime) -> bool:
        """Marks it used if it is live. True for exactly one caller, however many there are."""
        ...

    async def end(self, purpose: LinkPurpose, user_id: UserId | None, at: datetime) -> int:
        """Marks all of the purpose and the user used that are not; says how many."""
        ...

    async def purge(self, ended_before: datetime, limit: int) -> int:
        """Forgets those that expired before; says how many."""
        ...
