"""The audit log in memory."""

from datetime import datetime

from visiona.domain.audit import AuditEntry, AuditFilter, Sight
from visiona.domain.pages import Position
from visiona.stores.memory.state import State


class MemoryAudit:
    """See audit.AuditStore."""

    def __init__(self, state: State) -> None:
        self._entries = state.audit_entries

    async def append(self, *entries: AuditEntry) -> None:
        for entry in entries:
            self._entries.put(entry.id, entry)

    async def list_in(
        self, sight: Sight, wanted: AuditFilter, limit: int, before: Position | None = None
    ) -> list[AuditEntry]:
        end = (before.at, before.id) if before is not None else None
        seen = [each for each in self._entries.rows() if sight.takes(each) and wanted.takes(each)]
        older = [each for each in seen if end is None or (each.at, each.id) < end]
        return sorted(older, key=lambda each: (each.at, each.id), reverse=True)[:limit]

    async def purge(self, before: datetime, limit: int) -> int:
        old = [entry.id for entry in self._entries.rows() if entry.at < before][:limit]
        for entry_id in old:
            self._entries.remove(entry_id)
        return len(old)
