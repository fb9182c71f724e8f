"""Models in SQL."""

import heapq
import json
from collections.abc import Sequence
from datetime import datetime

from visiona.domain.ids import ModelId, UserId, WorkspaceId
from visiona.domain.models import Model, ModelFilter, ModelSource, ModelStatus
from visiona.domain.pages import Position
from visiona.stores.sql.columns import (
    Texts,
    to_micros,
    to_micros_or_none,
    to_moment,
    to_moment_or_none,
    to_texts,
)
from visiona.stores.sql.engine import Row, SqlTransaction, Value

_NAMES = (
    *("id", "created_at", "workspace_id", "user_id", "name", "description", "version", "target_chips"),
    *("file_size", "sha256", "source", "status", "license", "metrics", "faa_object_key", "updated_at"),
    "deleted_at",
)
_COLUMNS = ", ".join(_NAMES)
_SELECT = f"SELECT {_COLUMNS} FROM models"
_INSERT = f"INSERT INTO models ({_COLUMNS}) VALUES ({', '.join(f'${n}' for n in range(1, len(_NAMES) + 1))})"
_KEPT = {"id", "created_at"}
_UPSERT = f"""{_INSERT} ON CONFLICT (id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in _KEPT)}"""

# An empty text stands for no workspace, which built-in models have; the indexes say the same.
_IN_WORKSPACE = "coalesce(workspace_id, '') = $1 AND deleted_at IS NULL"
_BUILTIN = WorkspaceId("")

# Later than anything: the position before the newest.
_TOP = (2**62, "")


class SqlModels:
    """See models.ModelStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, model: Model) -> None:
        await self._tx.execute(_INSERT, *_values(model))

    async def upsert(self, model: Model) -> None:
        await self._tx.execute(_UPSERT, *_values(model))

    async def get_or_none(self, model_id: ModelId) -> Model | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE id = $1", model_id)
        return _model(row) if row is not None else None

    async def lock_or_none(self, model_id: ModelId) -> Model | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE id = $1 @for_update@", model_id)
        return _model(row) if row is not None else None

    async def by_version_or_none(self, workspace_id: WorkspaceId, name: str, version: str) -> Model | None:
        sql = f"""{_SELECT} WHERE workspace_id = $1 AND name = $2 AND version = $3 AND deleted_at IS NULL
            ORDER BY created_at DESC, id DESC LIMIT 1"""
        row = await self._tx.fetch_one(sql, workspace_id, name, version)
        return _model(row) if row is not None else None

    async def by_key_or_none(self, object_key: str) -> Model | None:
        row = await self._tx.fetch_one(
            f"{_SELECT} WHERE faa_object_key = $1 AND deleted_at IS NULL", object_key
        )
        return _model(row) if row is not None else None

    async def known_keys(self, object_keys: Sequence[str]) -> set[str]:
        sql = "SELECT faa_object_key FROM models WHERE faa_object_key @any_of($1)@ AND deleted_at IS NULL"
        return {str(row[0]) for row in await self._tx.fetch_all(sql, Texts(object_keys))}

    async def list_in(
        self,
        workspace_ids: Sequence[WorkspaceId],
        wanted: ModelFilter,
        limit: int,
        before: Position | None = None,
    ) -> list[Model]:
        # One question per workspace, each answered in order by its index, and merged here.
        at, last_id = (to_micros(before.at), before.id) if before is not None else _TOP
        narrower, values = _narrowed(wanted, first_place=5)
        sql = f"""{_SELECT} WHERE {_IN_WORKSPACE} AND (created_at, id) < ($2, $3){narrower}
            ORDER BY created_at DESC, id DESC LIMIT $4"""
        lists = [
            await self._tx.fetch_all(sql, workspace, at, last_id, limit, *values)
            for workspace in (*dict.fromkeys(workspace_ids), _BUILTIN)
        ]
        newest = heapq.merge(*lists, key=lambda row: (row[1], row[0]), reverse=True)
        return [_model(row) for row, _ in zip(newest, range(limit), strict=False)]

    async def count_in(self, workspace_ids: Sequence[WorkspaceId]) -> int:
        return await self._sum("count(*)", workspace_ids)

    async def bytes_in(self, workspace_ids: Sequence[WorkspaceId]) -> int:
        return await self._sum("coalesce(sum(file_size), 0)", workspace_ids)

    async def set_ready(self, model_id: ModelId, at: datetime) -> bool:
        sql = """UPDATE models SET status = 'ready', updated_at = $2
            WHERE id = $1 AND status = 'pending' AND deleted_at IS NULL"""
        return await self._tx.execute(sql, model_id, to_micros(at)) == 1

    async def delete(self, model_id: ModelId, at: datetime) -> bool:
        sql = "UPDATE models SET deleted_at = $2, updated_at = $2 WHERE id = $1 AND deleted_at IS NULL"
        return await self._tx.execute(sql, model_id, to_micros(at)) == 1

    async def _sum(self, what: str, workspace_ids: Sequence[WorkspaceId]) -> int:
        sql = f"SELECT {what} FROM models WHERE {_IN_WORKSPACE}"
        rows = [await self._tx.fetch_one(sql, workspace) for workspace in dict.fromkeys(workspace_ids)]
        return sum(int(row[0]) for row in rows if row is not None)


def _narrowed(wanted: ModelFilter, first_place: int) -> tuple[str, list[Value]]:
    """The filter as conditions, and their values: only what is asked for stands in the text, for an index to see."""
    source = wanted.source.value if wanted.source is not None else None
    conditions: tuple[tuple[str, Value], ...] = (
        (" AND user_id = ${0}", wanted.owner),
        (" AND source = ${0}", source),
        (" AND @contains(target_chips, ${0})@", wanted.chip),
    )
    given = [(text, value) for text, value in conditions if value is not None]
    text = "".join(text.format(place) for place, (text, _) in enumerate(given, first_place))
    return text, [value for _, value in given]


def _values(model: Model) -> tuple[Value, ...]:
    """In the order of _NAMES."""
    return (
        model.id,
        to_micros(model.created_at),
        model.workspace_id,
        model.user_id,
        model.name,
        model.description,
        model.version,
        Texts(model.target_chips),
        model.file_size,
        model.sha256,
        model.source.value,
        model.status.value,
        model.license,
        json.dumps(dict(model.metrics), ensure_ascii=False) if model.metrics is not None else None,
        model.faa_object_key,
        to_micros(model.updated_at),
        to_micros_or_none(model.deleted_at),
    )


def _model(row: Row) -> Model:
    found = dict(zip(_NAMES, row, strict=True))
    return Model(
        id=ModelId(found["id"]),
        workspace_id=WorkspaceId(found["workspace_id"]) if found["workspace_id"] is not None else None,
        user_id=UserId(found["user_id"]) if found["user_id"] is not None else None,
        name=found["name"],
        version=found["version"],
        target_chips=to_texts(found["target_chips"]),
        file_size=found["file_size"],
        sha256=found["sha256"],
        source=ModelSource(found["source"]),
        status=ModelStatus(found["status"]),
        created_at=to_moment(found["created_at"]),
        updated_at=to_moment(found["updated_at"]),
        description=found["description"],
        license=found["license"],
        metrics=json.loads(found["metrics"]) if found["metrics"] is not None else None,
        faa_object_key=found["faa_object_key"],
        deleted_at=to_moment_or_none(found["deleted_at"]),
    )
