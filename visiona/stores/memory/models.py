"""Models in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from visiona.domain.ids import ModelId, WorkspaceId
from visiona.domain.models import Model, ModelFilter, ModelSource, ModelStatus
from visiona.domain.pages import Position
from visiona.stores.memory.state import State, need_new, need_other


class MemoryModels:
    """See models.ModelStore."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._models = state.models

    async def add(self, model: Model) -> None:
        need_new(model.id not in self._models, "model")
        self._put(model)

    async def upsert(self, model: Model) -> None:
        before = self._models.get(model.id)
        self._put(model if before is None else replace(model, created_at=before.created_at))

    async def get_or_none(self, model_id: ModelId) -> Model | None:
        return self._models.get(model_id)

    async def lock_or_none(self, model_id: ModelId) -> Model | None:
        return self._models.get(model_id)

    async def by_version_or_none(self, workspace_id: WorkspaceId, name: str, version: str) -> Model | None:
        found = [each for each in self._live({workspace_id}) if (each.name, each.version) == (name, version)]
        return max(found, key=lambda each: (each.created_at, each.id), default=None)

    async def by_key_or_none(self, object_key: str) -> Model | None:
        live = (each for each in self._models.rows() if each.deleted_at is None)
        return next((each for each in live if each.faa_object_key == object_key), None)

    async def known_keys(self, object_keys: Sequence[str]) -> set[str]:
        live = {each.faa_object_key for each in self._models.rows() if each.deleted_at is None}
        return {key for key in object_keys if key in live}

    async def list_in(
        self,
        workspace_ids: Sequence[WorkspaceId],
        wanted: ModelFilter,
        limit: int,
        before: Position | None = None,
    ) -> list[Model]:
        end = (before.at, before.id) if before is not None else None
        seen = [each for each in self._live({*workspace_ids, None}) if wanted.takes(each)]
        older = [each for each in seen if end is None or (each.created_at, each.id) < end]
        return sorted(older, key=lambda each: (each.created_at, each.id), reverse=True)[:limit]

    async def count_in(self, workspace_ids: Sequence[WorkspaceId]) -> int:
        return len(self._live(set(workspace_ids)))

    async def bytes_in(self, workspace_ids: Sequence[WorkspaceId]) -> int:
        return sum(each.file_size for each in self._live(set(workspace_ids)))

    async def set_ready(self, model_id: ModelId, at: datetime) -> bool:
        model = self._models.get(model_id)
        if model is None or model.deleted_at is not None or model.status is ModelStatus.READY:
            return False
        self._models.put(model_id, replace(model, status=ModelStatus.READY, updated_at=at))
        return True

    async def delete(self, model_id: ModelId, at: datetime) -> bool:
        model = self._models.get(model_id)
        if model is None or model.deleted_at is not None:
            return False
        self._models.put(model_id, replace(model, deleted_at=at, updated_at=at))
        return True

    def _live(self, workspace_ids: set[WorkspaceId | None] | set[WorkspaceId]) -> list[Model]:
        live = (each for each in self._models.rows() if each.deleted_at is None)
        return [each for each in live if each.workspace_id in workspace_ids]

    def _put(self, model: Model) -> None:
        is_builtin = model.source is ModelSource.BUILTIN
        need_other((model.workspace_id is None) == is_builtin == (model.user_id is None))
        if model.workspace_id is not None:
            self._state.need_workspace(model.workspace_id)
        if model.user_id is not None:
            self._state.need_user(model.user_id)
        others = (each.faa_object_key for each in self._models.rows() if each.id != model.id)
        need_new(model.faa_object_key is None or model.faa_object_key not in others, "object_key")
        self._models.put(model.id, model)
