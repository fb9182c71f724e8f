"""What every engine promises about the audit log; see interfaces.py for what holds of all stores."""

from datetime import datetime
from typing import Protocol

from visiona.domain.audit import AuditEntry, AuditFilter, Sight
from visiona.domain.pages import Position


class AuditStore(Protocol):
    """The audit log. Entries are added and, when they are old, forgotten; nothing changes one."""

    async def append(self, *entries: AuditEntry) -> None: ...

    async def list_in(
        self, sight: Sight, wanted: AuditFilter, limit: int, before: Position | None = None
    ) -> list[AuditEntry]:
        """Of those that may be seen, the wanted ones; with `before`, those older than that position."""
        ...

    async def purge(self, before: datetime, limit: int) -> int:
        """Forgets older ones; says how many."""
        ...
