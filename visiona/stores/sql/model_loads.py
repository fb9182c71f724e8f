"""Loads in SQL."""

from collections.abc import Sequence
from datetime import datetime

from visiona.domain.ids import DeviceId, LoadId, ModelId, TokenId, UserId, WorkspaceId
from visiona.domain.loads import Fault, KeptLoad, Lease, Load, LoadState
from visiona.stores.sql.columns import Texts, to_micros, to_micros_or_none, to_moment, to_moment_or_none
from visiona.stores.sql.engine import Row, SqlTransaction, Value

_NAMES = (
    *("id", "created_at", "device_id", "accelerator", "chip", "model_id", "model_name", "model_version"),
    *("sha256", "size", "workspace_id", "user_id", "token_id"),
    *("state", "sent_bytes", "device_model_id", "fault", "sentence", "updated_at"),
    *("flashing_at", "ended_at", "current_since"),
)
_FIXED = 13
"""So many of them never change."""

_LEASE = ("holder", "leased_until")
_COLUMNS = ", ".join(_NAMES)
_SELECT = f"SELECT {_COLUMNS} FROM model_loads"
_SELECT_KEPT = f"SELECT {_COLUMNS}, holder, leased_until, stop_asked_at FROM model_loads"
_PLACES = ", ".join(f"${n}" for n in range(1, len(_NAMES) + len(_LEASE) + 1))
_INSERT = f"INSERT INTO model_loads ({_COLUMNS}, {', '.join(_LEASE)}) VALUES ({_PLACES})"
_CHANGES = ", ".join(f"{name} = ${place}" for place, name in enumerate(_NAMES[_FIXED:], 3))
_SAVE = f"""UPDATE model_loads SET {_CHANGES}, leased_until = ${3 + len(_NAMES) - _FIXED}
    WHERE id = $1 AND holder = $2 AND ended_at IS NULL"""


class SqlLoads:
    """See loads.LoadStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, load: Load, lease: Lease) -> None:
        await self._tx.execute(_INSERT, *_fixed(load), *_changing(load), lease.holder, to_micros(lease.until))

    async def get_or_none(self, load_id: LoadId) -> KeptLoad | None:
        row = await self._tx.fetch_one(f"{_SELECT_KEPT} WHERE id = $1", load_id)
        return _kept(row) if row is not None else None

    async def live_or_none(self, device_id: DeviceId, accelerator: str) -> Load | None:
        sql = f"{_SELECT} WHERE device_id = $1 AND accelerator = $2 AND ended_at IS NULL"
        row = await self._tx.fetch_one(sql, device_id, accelerator)
        return _load(row) if row is not None else None

    async def count_live(self, device_id: DeviceId) -> int:
        sql = "SELECT count(*) FROM model_loads WHERE device_id = $1 AND ended_at IS NULL"
        row = await self._tx.fetch_one(sql, device_id)
        return int(row[0]) if row is not None else 0

    async def list_of_device(self, device_id: DeviceId, limit: int) -> list[Load]:
        sql = f"{_SELECT} WHERE device_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
        return [_load(row) for row in await self._tx.fetch_all(sql, device_id, limit)]

    async def current_of_device(self, device_id: DeviceId, limit: int) -> list[Load]:
        sql = f"""{_SELECT} WHERE device_id = $1 AND current_since IS NOT NULL
            ORDER BY accelerator LIMIT $2"""
        return [_load(row) for row in await self._tx.fetch_all(sql, device_id, limit)]

    async def save(self, load: Load, lease: Lease) -> bool:
        values = (load.id, lease.holder, *_changing(load), to_micros(lease.until))
        return await self._tx.execute(_SAVE, *values) == 1

    async def clear_current(self, device_id: DeviceId, accelerator: str) -> None:
        sql = """UPDATE model_loads SET current_since = NULL
            WHERE device_id = $1 AND accelerator = $2 AND current_since IS NOT NULL"""
        await self._tx.execute(sql, device_id, accelerator)

    async def renew(self, holder: str, load_ids: Sequence[LoadId], until: datetime) -> None:
        sql = """UPDATE model_loads SET leased_until = $3
            WHERE holder = $1 AND ended_at IS NULL AND id @any_of($2)@"""
        await self._tx.execute(sql, holder, Texts(load_ids), to_micros(until))

    async def held(self, holder: str, limit: int) -> list[KeptLoad]:
        sql = f"{_SELECT_KEPT} WHERE holder = $1 AND ended_at IS NULL ORDER BY id LIMIT $2"
        return [_kept(row) for row in await self._tx.fetch_all(sql, holder, limit)]

    async def free(self, now: datetime, limit: int) -> list[KeptLoad]:
        sql = f"""{_SELECT_KEPT} WHERE ended_at IS NULL AND leased_until <= $1
            ORDER BY leased_until, id LIMIT $2"""
        return [_kept(row) for row in await self._tx.fetch_all(sql, to_micros(now), limit)]

    async def claim(self, load_id: LoadId, lease: Lease, now: datetime) -> bool:
        sql = """UPDATE model_loads SET holder = $2, leased_until = $3
            WHERE id = $1 AND ended_at IS NULL AND (leased_until <= $4 OR holder = $2)"""
        values = (load_id, lease.holder, to_micros(lease.until), to_micros(now))
        return await self._tx.execute(sql, *values) == 1

    async def free_all(self, now: datetime) -> int:
        sql = "UPDATE model_loads SET leased_until = $1 WHERE ended_at IS NULL AND leased_until > $1"
        return await self._tx.execute(sql, to_micros(now))

    async def ask_stop(self, load_id: LoadId, at: datetime) -> bool:
        sql = "UPDATE model_loads SET stop_asked_at = $2 WHERE id = $1 AND ended_at IS NULL"
        return await self._tx.execute(sql, load_id, to_micros(at)) == 1

    async def trim(self, device_id: DeviceId, keep: int) -> int:
        # What the device has is bounded, by this; LIMIT -1 is no text of both databases.
        sql = """DELETE FROM model_loads WHERE id IN (SELECT id FROM model_loads
            WHERE device_id = $1 AND ended_at IS NOT NULL AND current_since IS NULL
            ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET $2)"""
        return await self._tx.execute(sql, device_id, keep)

    async def purge(self, ended_before: datetime, limit: int) -> int:
        sql = """DELETE FROM model_loads WHERE id IN (SELECT id FROM model_loads
            WHERE ended_at < $1 AND current_since IS NULL LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(ended_before), limit)


def _fixed(load: Load) -> tuple[Value, ...]:
    return (
        load.id,
        to_micros(load.created_at),
        load.device_id,
        load.accelerator,
        load.chip,
        load.model_id,
        load.model_name,
        load.model_version,
        load.sha256,
        load.size,
        load.workspace_id,
        load.user_id,
        load.token_id,
    )


def _changing(load: Load) -> tuple[Value, ...]:
    return (
        load.state.value,
        load.sent_bytes,
        load.device_model_id,
        load.fault.value if load.fault is not None else None,
        load.sentence,
        to_micros(load.updated_at),
        to_micros_or_none(load.flashing_at),
        to_micros_or_none(load.ended_at),
        to_micros_or_none(load.current_since),
    )


def _kept(row: Row) -> KeptLoad:
    holder, until, stop_asked_at = row[len(_NAMES) :]
    return KeptLoad(_load(row), Lease(holder, to_moment(until)), to_moment_or_none(stop_asked_at))


def _load(row: Row) -> Load:
    found = dict(zip(_NAMES, row, strict=False))
    return Load(
        id=LoadId(found["id"]),
        created_at=to_moment(found["created_at"]),
        device_id=DeviceId(found["device_id"]),
        accelerator=found["accelerator"],
        chip=found["chip"],
        model_id=ModelId(found["model_id"]),
        model_name=found["model_name"],
        model_version=found["model_version"],
        sha256=found["sha256"],
        size=found["size"],
        workspace_id=WorkspaceId(found["workspace_id"]),
        user_id=UserId(found["user_id"]),
        token_id=TokenId(found["token_id"]) if found["token_id"] is not None else None,
        state=LoadState(found["state"]),
        sent_bytes=found["sent_bytes"],
        device_model_id=found["device_model_id"],
        fault=Fault(found["fault"]) if found["fault"] is not None else None,
        sentence=found["sentence"],
        updated_at=to_moment(found["updated_at"]),
        flashing_at=to_moment_or_none(found["flashing_at"]),
        ended_at=to_moment_or_none(found["ended_at"]),
        current_since=to_moment_or_none(found["current_since"]),
    )
