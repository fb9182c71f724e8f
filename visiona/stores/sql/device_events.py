"""Timelines of devices in SQL."""

from collections.abc import Sequence
from datetime import datetime

from visiona.domain.causes import Cause
from visiona.domain.devices import DeviceEvent, EventKind
from visiona.domain.ids import DeviceId, EventId
from visiona.domain.pages import Position
from visiona.stores.sql.columns import to_micros, to_moment
from visiona.stores.sql.engine import Row, SqlTransaction, Value


class SqlDeviceEvents:
    """See interfaces.DeviceEventStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def append(self, *events: DeviceEvent) -> None:
        await self._tx.execute_many(
            "INSERT INTO device_events (id, device_id, kind, at, cause, detail) VALUES ($1, $2, $3, $4, $5, $6)",
            [_from_event(event) for event in events],
        )

    async def list_of_device(
        self, device_id: DeviceId, limit: int, before: Position | None = None
    ) -> list[DeviceEvent]:
        rows = await self._tx.fetch_all(
            """SELECT id, device_id, kind, at, cause, detail FROM device_events
            WHERE device_id = $1 AND (at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT $4""",
            device_id,
            to_micros(before.at) if before is not None else 2**62,
            before.id if before is not None else "",
            limit,
        )
        return [_event(row) for row in rows]

    async def trim(self, device_ids: Sequence[DeviceId], keep: int) -> None:
        sql = """DELETE FROM device_events WHERE device_id = $1 AND (at, id) <= (
            SELECT at, id FROM device_events WHERE device_id = $1 ORDER BY at DESC, id DESC LIMIT 1 OFFSET $2)"""
        await self._tx.execute_many(sql, [(device_id, keep) for device_id in device_ids])

    async def purge(self, before: datetime, limit: int) -> int:
        sql = """DELETE FROM device_events WHERE id IN
            (SELECT id FROM device_events WHERE at < $1 LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(before), limit)


def _from_event(event: DeviceEvent) -> tuple[Value, ...]:
    return (
        event.id,
        event.device_id,
        event.kind.value,
        to_micros(event.at),
        event.cause.value if event.cause is not None else None,
        event.detail,
    )


def _event(row: Row) -> DeviceEvent:
    event_id, device_id, kind, at, cause, detail = row
    return DeviceEvent(
        EventId(event_id),
        DeviceId(device_id),
        EventKind(kind),
        to_moment(at),
        Cause(cause) if cause is not None else None,
        detail,
    )
