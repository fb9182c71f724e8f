"""Models of the server on this machine: its stores and its folder, whether it runs or not."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from visiona.cli.model_shelf import Facts, measured, pieces_of
from visiona.cli.output import CommandError
from visiona.cli.progress import RowProgress
from visiona.config import from_process
from visiona.domain.access import ALL_SCOPES, Actor
from visiona.domain.audit import Through
from visiona.domain.errors import NotFound
from visiona.domain.ids import ModelId, TokenId, WorkspaceId
from visiona.domain.models import EVERY_MODEL, Model, ModelStatus
from visiona.services.audit import Origin, set_origin
from visiona.services.clock import now
from visiona.services.identify import actor_or_none
from visiona.services.model_files import announce_file, bringing, delete_model, file_of, finish_model
from visiona.services.models import Quota, announced, list_models
from visiona.services.users import find_user
from visiona.stores.files.interfaces import FileStore
from visiona.stores.files.opening import open_files
from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores
from visiona.web.api.models import model_item

_NOBODYS = TokenId("")
"""No credential: whoever may read the server's files may do this."""


@asynccontextmanager
async def here(config: Path | None, assignments: Sequence[str], email: str) -> AsyncIterator["LocalShelf"]:
    """Opens the stores and the folder.

    Raises:
        ConfigInvalid, CommandError, StoreError, NotFound, OSError: see cli/main.py.
    """
    settings = from_process(config, assignments).settings
    if settings.stores.is_memory:
        raise CommandError(
            "the database is memory: and lives in the server alone; say --server", code="NO_DATABASE"
        )
    storage = settings.storage
    _need_owner(storage.path or settings.state_dir)
    quota = Quota(storage.quota_models, storage.quota_bytes, storage.max_file_bytes)
    async with (
        open_stores(settings.stores, exclusive=False) as stores,
        open_files(storage, settings.state_dir) as files,
    ):
        actor = await _actor(stores, email)
        set_origin(
            Origin(
                Through.CLI,
                user_id=actor.user_id,
                email=actor.email,
                credential_id=f"uid {os.getuid()}",
            )
        )
        yield LocalShelf(stores, files, actor, quota)


class LocalShelf:
    """See model_shelf.Shelf."""

    def __init__(self, stores: Stores, files: FileStore, actor: Actor, quota: Quota) -> None:
        self._stores, self._files, self._actor, self._quota = stores, files, actor, quota

    async def push(self, path: Path, facts: Facts) -> Mapping[str, Any]:
        """Brings a file."""
        size, sha256 = await measured(path)
        said = announced(
            name=facts.name,
            version=facts.version,
            target_chips=facts.chips,
            file_size=size,
            sha256=sha256,
            description=facts.description,
            license=facts.license,
        )
        workspace = WorkspaceId(facts.workspace_id) if facts.workspace_id is not None else None
        model = await announce_file(
            self._stores, self._files, self._actor, said, self._quota, now(), workspace_id=workspace
        )
        if model.status is not ModelStatus.READY:
            await self._bring(path, model)
            model = await finish_model(self._stores, self._files, self._actor, model.id, now())
        return model_item(model)

    async def list(self) -> Sequence[Mapping[str, Any]]:
        """What the person can see."""
        page = await list_models(self._stores, self._actor, EVERY_MODEL)
        return [model_item(model) for model in page.items]

    async def remove(self, model_id: str) -> None:
        """Deletes one."""
        await delete_model(self._stores, self._files, self._actor, ModelId(model_id), now())

    async def _bring(self, path: Path, model: Model) -> None:
        ref = file_of(model)
        if await self._files.has(ref):
            return
        start = await self._files.received(ref)
        progress = RowProgress("copying", unit="bytes")
        progress.begin(ref.size)
        progress.step(start)
        async with bringing(self._files, ref, start) as upload, aclosing(pieces_of(path, start)) as pieces:
            async for piece in pieces:
                await upload.write(piece)
                progress.step(len(piece))
            await upload.commit()
        progress.end()


def _need_owner(folder: Path) -> None:
    """What this process writes there is for its owner alone, and the server has to read it."""
    if folder.exists() and (owner := folder.stat().st_uid) != os.geteuid():
        raise CommandError(
            f"{folder} belongs to another user (uid {owner}); run this as that user, or say --server",
            code="OTHER_OWNER",
        )


async def _actor(stores: Stores, email: str) -> Actor:
    user = await find_user(stores, email)
    actor = await stores.read(lambda tx: actor_or_none(tx, user.id, _NOBODYS, ALL_SCOPES, None))
    if actor is None:
        raise NotFound(f"{email} is disabled")
    return actor
