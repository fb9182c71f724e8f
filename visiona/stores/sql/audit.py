"""The audit log in SQL."""

import heapq
import json
from datetime import datetime
from itertools import groupby

from visiona.domain.audit import AuditEntry, AuditFilter, Sight
from visiona.domain.ids import AuditId, UserId, WorkspaceId
from visiona.domain.pages import Position
from visiona.stores.sql.columns import to_micros, to_moment
from visiona.stores.sql.engine import Row, SqlTransaction, Value

_COLUMNS = "id, at, deed, outcome, user_id, email, credential_id, through, address, request_id, workspace_id, subject, details"
_INSERT = f"""INSERT INTO audit_entries ({_COLUMNS})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"""
_TOP = (2**62, "")


Lane = dict[str, Value]


class SqlAudit:
    """See audit.AuditStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def append(self, *entries: AuditEntry) -> None:
        await self._tx.execute_many(_INSERT, [_values(entry) for entry in entries])

    async def list_in(
        self, sight: Sight, wanted: AuditFilter, limit: int, before: Position | None = None
    ) -> list[AuditEntry]:
        # One question for each reason to see an entry, each answered in order by its index, and merged here.
        lists = [await self._lane(lane, wanted, limit, before) for lane in _lanes(sight, wanted)]
        newest = heapq.merge(*lists, key=_position, reverse=True)
        each_once = (next(same) for _, same in groupby(newest, key=_position))
        return [_entry(row) for row, _ in zip(each_once, range(limit), strict=False)]

    async def purge(self, before: datetime, limit: int) -> int:
        sql = """DELETE FROM audit_entries WHERE id IN
            (SELECT id FROM audit_entries WHERE at < $1 LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(before), limit)

    async def _lane(self, lane: Lane, wanted: AuditFilter, limit: int, before: Position | None) -> list[Row]:
        conditions: Lane = {
            "deed": wanted.deed,
            "user_id": wanted.user_id,
            "subject": wanted.subject,
            "workspace_id": wanted.workspace_id,
            **lane,
        }
        given = [(column, value) for column, value in conditions.items() if value is not None]
        text = "".join(f" AND {column} = ${place}" for place, (column, _) in enumerate(given, 5))
        since = to_micros(wanted.since) if wanted.since is not None else -(2**62)
        sql = f"""SELECT {_COLUMNS} FROM audit_entries WHERE (at, id) < ($1, $2) AND at >= $3{text}
            ORDER BY at DESC, id DESC LIMIT $4"""
        return await self._tx.fetch_all(sql, *_end(wanted, before), since, limit, *(v for _, v in given))


def _lanes(sight: Sight, wanted: AuditFilter) -> list[Lane]:
    """The reasons to see an entry, each as what a column must hold; without those that find nothing wanted."""
    if sight.user_id is None:
        return [{}]
    lanes: list[Lane] = []
    if wanted.user_id in {None, sight.user_id}:
        lanes.append({"user_id": sight.user_id})
    if wanted.subject in {None, sight.user_id}:
        lanes.append({"subject": sight.user_id})
    ids = [each for each in dict.fromkeys(sight.workspace_ids) if wanted.workspace_id in {None, each}]
    lanes += [{"workspace_id": each} for each in ids]
    return lanes


def _end(wanted: AuditFilter, before: Position | None) -> tuple[int, str]:
    """Before which position: that of the page before, or that where the time asked for ends."""
    ends = [_TOP]
    if before is not None:
        ends.append((to_micros(before.at), before.id))
    if wanted.until is not None:
        ends.append((to_micros(wanted.until), ""))
    return min(ends)


def _position(row: Row) -> tuple[int, str]:
    return row[1], row[0]


def _values(entry: AuditEntry) -> tuple[Value, ...]:
    """In the order of _COLUMNS."""
    return (
        entry.id,
        to_micros(entry.at),
        str(entry.deed),
        str(entry.outcome),
        entry.user_id,
        entry.email,
        entry.credential_id,
        str(entry.through),
        entry.address,
        entry.request_id,
        entry.workspace_id,
        entry.subject,
        json.dumps(dict(entry.details), ensure_ascii=False, separators=(",", ":")) if entry.details else None,
    )


def _entry(row: Row) -> AuditEntry:
    entry_id, at, deed, outcome, user_id, email, credential_id, through, address, request_id, *rest = row
    workspace_id, subject, details = rest
    return AuditEntry(
        id=AuditId(entry_id),
        at=to_moment(at),
        deed=deed,
        outcome=outcome,
        user_id=UserId(user_id) if user_id is not None else None,
        email=email,
        credential_id=credential_id,
        through=through,
        address=address,
        request_id=request_id,
        workspace_id=WorkspaceId(workspace_id) if workspace_id is not None else None,
        subject=subject,
        details=json.loads(details) if details is not None else {},
    )
