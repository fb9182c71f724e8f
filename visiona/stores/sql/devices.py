"""Devices in SQL."""

import heapq
from collections.abc import Sequence
from datetime import datetime

from visiona.domain.causes import Cause
from visiona.domain.devices import Accelerator, Device
from visiona.domain.ids import DeviceId, UserId, WorkspaceId
from visiona.domain.pages import Position
from visiona.stores.devices import Sighting
from visiona.stores.sql.columns import (
    Texts,
    from_accelerators,
    to_accelerators,
    to_micros,
    to_micros_or_none,
    to_moment,
    to_moment_or_none,
    to_texts,
)
from visiona.stores.sql.engine import Row, SqlTransaction, Value

_COLUMNS = (
    "id, workspace_id, user_id, name, device_type, serial_number, created_at, updated_at, agent_version, "
    "instance, tags, accelerators, last_seen_at, last_connected_at, offline_cause, offline_detail, deleted_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM devices"

# Later than anything: the position before the newest.
_TOP = (2**62, "")


class SqlDevices:
    """See interfaces.DeviceStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, device: Device) -> None:
        await self._tx.execute(
            f"INSERT INTO devices ({_COLUMNS}) VALUES"
            " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
            device.id,
            device.workspace_id,
            device.user_id,
            device.name,
            device.device_type,
            device.serial_number,
            to_micros(device.created_at),
            to_micros(device.updated_at),
            device.agent_version,
            device.instance,
            Texts(device.tags),
            from_accelerators(device.accelerators),
            to_micros_or_none(device.last_seen_at),
            to_micros_or_none(device.last_connected_at),
            device.offline_cause.value if device.offline_cause is not None else None,
            device.offline_detail,
            to_micros_or_none(device.deleted_at),
        )

    async def get_or_none(self, device_id: DeviceId) -> Device | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE id = $1", device_id)
        return _device(row) if row is not None else None

    async def lock_or_none(self, device_id: DeviceId) -> Device | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE id = $1 @for_update@", device_id)
        return _device(row) if row is not None else None

    async def lock_known(self, device_ids: Sequence[DeviceId]) -> set[DeviceId]:
        sql = "SELECT id FROM devices WHERE id @any_of($1)@ ORDER BY id @for_update@"
        return {DeviceId(row[0]) for row in await self._tx.fetch_all(sql, Texts(device_ids))}

    async def by_serial_or_none(self, workspace_id: WorkspaceId, serial_number: str) -> Device | None:
        row = await self._tx.fetch_one(
            f"{_SELECT} WHERE workspace_id = $1 AND serial_number = $2 AND deleted_at IS NULL",
            workspace_id,
            serial_number,
        )
        return _device(row) if row is not None else None

    async def list_in(
        self, workspace_ids: Sequence[WorkspaceId], limit: int, before: Position | None = None
    ) -> list[Device]:
        # One question per workspace, each answered in order by its index, and merged here: an IN list would be
        # sorted afresh for every page.
        at, last_id = (to_micros(before.at), before.id) if before is not None else _TOP
        sql = f"""{_SELECT} WHERE workspace_id = $1 AND deleted_at IS NULL AND (created_at, id) < ($2, $3)
            ORDER BY created_at DESC, id DESC LIMIT $4"""
        lists = [await self._tx.fetch_all(sql, workspace, at, last_id, limit) for workspace in workspace_ids]
        newest = heapq.merge(*lists, key=lambda row: (row[6], row[0]), reverse=True)
        return [_device(row) for row, _ in zip(newest, range(limit), strict=False)]

    async def list_all(self, limit: int, before: Position | None = None) -> list[Device]:
        at, last_id = (to_micros(before.at), before.id) if before is not None else _TOP
        sql = f"""{_SELECT} WHERE deleted_at IS NULL AND (created_at, id) < ($1, $2)
            ORDER BY created_at DESC, id DESC LIMIT $3"""
        return [_device(row) for row in await self._tx.fetch_all(sql, at, last_id, limit)]

    async def count_in(self, workspace_ids: Sequence[WorkspaceId]) -> int:
        sql = "SELECT count(*) FROM devices WHERE workspace_id = $1 AND deleted_at IS NULL"
        rows = [await self._tx.fetch_one(sql, workspace) for workspace in workspace_ids]
        return sum(row[0] for row in rows if row is not None)

    async def set_label(self, device_id: DeviceId, name: str, tags: Sequence[str], at: datetime) -> bool:
        sql = "UPDATE devices SET name = $2, tags = $3, updated_at = $4 WHERE id = $1 AND deleted_at IS NULL"
        return await self._tx.execute(sql, device_id, name, Texts(tags), to_micros(at)) == 1

    async def set_paired(
        self,
        device_id: DeviceId,
        user_id: UserId,
        at: datetime,
        device_type: str | None,
        agent_version: str | None,
        instance: str | None,
    ) -> bool:
        sql = """UPDATE devices SET user_id = $2, updated_at = $3, device_type = coalesce($4, device_type),
            agent_version = coalesce($5, agent_version), instance = coalesce($6, instance)
            WHERE id = $1 AND deleted_at IS NULL"""
        changed = await self._tx.execute(
            sql, device_id, user_id, to_micros(at), device_type, agent_version, instance
        )
        return changed == 1

    async def move(
        self, device_id: DeviceId, workspace_id: WorkspaceId, user_id: UserId, at: datetime
    ) -> bool:
        sql = """UPDATE devices SET workspace_id = $2, user_id = $3, updated_at = $4
            WHERE id = $1 AND deleted_at IS NULL"""
        return await self._tx.execute(sql, device_id, workspace_id, user_id, to_micros(at)) == 1

    async def note_sightings(self, sightings: Sequence[Sighting]) -> None:
        sql = """UPDATE devices SET last_seen_at = $2, last_connected_at = coalesce($3, last_connected_at),
            offline_cause = $4, offline_detail = $5, agent_version = coalesce($6, agent_version),
            instance = coalesce($7, instance)
            WHERE id = $1 AND deleted_at IS NULL"""
        await self._tx.execute_many(sql, [_from_sighting(seen) for seen in sightings])

    async def set_accelerators(
        self,
        device_id: DeviceId,
        at: datetime,
        accelerators: Sequence[Accelerator],
        agent_version: str | None,
    ) -> bool:
        sql = """UPDATE devices SET accelerators = $2, updated_at = $3,
            agent_version = coalesce($4, agent_version)
            WHERE id = $1 AND deleted_at IS NULL"""
        column = from_accelerators(accelerators)
        return await self._tx.execute(sql, device_id, column, to_micros(at), agent_version) == 1

    async def delete(self, device_id: DeviceId, at: datetime) -> bool:
        sql = "UPDATE devices SET deleted_at = $2, updated_at = $2 WHERE id = $1 AND deleted_at IS NULL"
        return await self._tx.execute(sql, device_id, to_micros(at)) == 1


def _from_sighting(seen: Sighting) -> tuple[Value, ...]:
    return (
        seen.device_id,
        to_micros(seen.at),
        to_micros(seen.at) if seen.cause is None else None,
        seen.cause.value if seen.cause is not None else None,
        seen.detail,
        seen.agent_version,
        seen.instance,
    )


def _device(row: Row) -> Device:
    return Device(
        id=DeviceId(row[0]),
        workspace_id=WorkspaceId(row[1]),
        user_id=UserId(row[2]),
        name=row[3],
        device_type=row[4],
        serial_number=row[5],
        created_at=to_moment(row[6]),
        updated_at=to_moment(row[7]),
        agent_version=row[8],
        instance=row[9],
        tags=to_texts(row[10]),
        accelerators=to_accelerators(row[11]),
        last_seen_at=to_moment_or_none(row[12]),
        last_connected_at=to_moment_or_none(row[13]),
        offline_cause=Cause(row[14]) if row[14] is not None else None,
        offline_detail=row[15],
        deleted_at=to_moment_or_none(row[16]),
    )
