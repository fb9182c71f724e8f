"""What every engine promises about models; see interfaces.py for what holds of all stores."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from visiona.domain.ids import ModelId, WorkspaceId
from visiona.domain.models import Model, ModelFilter
from visiona.domain.pages import Position


class ModelStore(Protocol):
    """Models. Soft-deleted ones are found by nothing but `get_or_none`."""

    async def add(self, model: Model) -> None:
        """Raises StoreConflict(about="model") for a known id, (about="object_key") for one that is taken.

        (about="reference") for an unknown workspace or user, and (about="other") for a built-in one that belongs to
        somebody, or another that belongs to nobody.
        """
        ...

    async def upsert(self, model: Model) -> None:
        """Adds it, or puts it in the place of the one with its id, whose `created_at` stays. Raises as `add`."""
        ...

    async def get_or_none(self, model_id: ModelId) -> Model | None:
        """Also a deleted one; see its `deleted_at`."""
        ...

    async def lock_or_none(self, model_id: ModelId) -> Model | None:
        """As `get_or_none`, held until this transaction ends."""
        ...

    async def by_version_or_none(self, workspace_id: WorkspaceId, name: str, version: str) -> Model | None:
        """The newest of that name and version. Whoever adds one holds the workspace, so that there is one at most."""
        ...

    async def by_key_or_none(self, object_key: str) -> Model | None:
        """Whose file lies there."""
        ...

    async def known_keys(self, object_keys: Sequence[str]) -> set[str]:
        """Those of the keys under which models have their files."""
        ...

    async def list_in(
        self,
        workspace_ids: Sequence[WorkspaceId],
        wanted: ModelFilter,
        limit: int,
        before: Position | None = None,
    ) -> list[Model]:
        """Those of the workspaces and the built-in ones; with `before`, those older than that position."""
        ...

    async def count_in(self, workspace_ids: Sequence[WorkspaceId]) -> int:
        """How many the workspaces have, pending ones included and built-in ones not."""
        ...

    async def bytes_in(self, workspace_ids: Sequence[WorkspaceId]) -> int:
        """The sum of those models' sizes."""
        ...

    async def set_ready(self, model_id: ModelId, at: datetime) -> bool:
        """Its file is there; False if it was ready already, is deleted, or there is none."""
        ...

    async def delete(self, model_id: ModelId, at: datetime) -> bool:
        """Soft; False if it was deleted already or there is none."""
        ...
