"""Models as people handle them: what is on record of them. Members of a workspace see and use its models, admins change
them. Their files are in services/model_files.py; scopes are the routes' business (web/guards.py).
"""

import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from visiona.domain import labels
from visiona.domain.access import Actor
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, Invalid, NotFound, StorageFull, TooLarge
from visiona.domain.ids import ModelId, WorkspaceId, is_uuid
from visiona.domain.models import Model, ModelFilter, ModelSource, ModelStatus
from visiona.domain.pages import Page, Position, position_of
from visiona.services.audit import note
from visiona.services.minting import mint_id
from visiona.services.paging import all_items, checked_limit, page_of
from visiona.stores.interfaces import Stores, Tx

MAX_VERSION_CHARACTERS = 64
MAX_DESCRIPTION_CHARACTERS = 2000
MAX_CHIPS = 16
MAX_METRICS = 64

_CHIP = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Quota:
    """What one workspace may have."""

    models: int
    bytes: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Announced:
    """What somebody says of a model that they are about to bring. Made by `announced` alone, which checks it."""

    name: str
    version: str
    target_chips: tuple[str, ...]
    file_size: int
    sha256: str
    source: ModelSource
    description: str | None
    license: str | None
    metrics: Mapping[str, float] | None


def announced(
    *,
    name: str,
    version: str,
    target_chips: Sequence[str],
    file_size: int,
    sha256: str,
    source: str | None = None,
    description: str | None = None,
    license: str | None = None,  # noqa: A002 - the contract's word
    metrics: Mapping[str, float] | None = None,
) -> Announced:
    """Checks what somebody says of a model; raises Invalid, which names the field."""
    seen_version = labels.label(version, MAX_VERSION_CHARACTERS + 1)
    if not 1 <= len(seen_version) <= MAX_VERSION_CHARACTERS:
        raise Invalid(f"version: write 1 to {MAX_VERSION_CHARACTERS} characters")
    if file_size < 1:
        raise Invalid("file_size: write the size of the file in bytes, 1 at least")
    if not _SHA256.fullmatch(sha256.lower()):
        raise Invalid("sha256: write the file's SHA-256 as 64 hexadecimal digits")
    return Announced(
        labels.name(name),
        seen_version,
        chips(target_chips),
        file_size,
        sha256.lower(),
        _source(source),
        labels.label_or_none(description, MAX_DESCRIPTION_CHARACTERS),
        labels.label_or_none(license),
        _metrics(metrics) if metrics else None,
    )


def chips(texts: Sequence[str]) -> tuple[str, ...]:
    """Names of chips in the order given, in capitals, each once; raises Invalid."""
    chosen = tuple(dict.fromkeys(text.strip().upper() for text in texts))
    if not 1 <= len(chosen) <= MAX_CHIPS:
        raise Invalid(f"target_chips: write 1 to {MAX_CHIPS} of them, such as KL720")
    if not all(_CHIP.fullmatch(chip) for chip in chosen):
        raise Invalid("target_chips: write names of chips, such as KL720")
    return chosen


class Announcement(NamedTuple):
    """A model as it is on record now, and as it was before if another file was waited for: for that nobody waits now."""

    model: Model
    former: Model | None


async def announce_model(
    stores: Stores,
    actor: Actor,
    said: Announced,
    quota: Quota,
    now: datetime,
    *,
    workspace_id: WorkspaceId | None = None,
) -> Announcement:
    """Puts a model on record, pending until its file is there.

    One of the same name and version is that model: as long as its file is not there, everything of it may be said
    anew; after that, everything but the file.

    Args:
        workspace_id: whose it becomes; the caller's personal workspace, if None.

    Raises:
        NotFound, NotAllowed: the workspace is none of the caller's, or not the caller's to change.
        Conflict: this version is there, with another file.
        TooLarge, StorageFull: the file is too large, or the workspace's share is used up.
    """
    workspace = workspace_id or actor.personal_workspace
    actor.need_admin(workspace)
    if said.file_size > quota.file_bytes:
        raise TooLarge(f"file_size: a model has {quota.file_bytes} bytes at most")

    async def announce(tx: Tx) -> Announcement:
        # Held: versions and quotas are counted for each workspace (M-08).
        held = await tx.workspaces.lock_or_none(workspace)
        if held is None or held.deleted_at is not None:
            raise NotFound("no such workspace")
        before = await tx.models.by_version_or_none(workspace, said.name, said.version)
        model = _said_anew(before, said, now) if before is not None else _made(actor, workspace, said, now)
        await _need_share(tx, before, model, quota)
        await tx.models.upsert(model)
        deed = Deed.MODEL_CREATED if before is None else Deed.MODEL_CHANGED
        await note(
            tx, now, deed, workspace_id=workspace, subject=model.id, name=model.name, version=model.version
        )
        is_other_file = before is not None and before.faa_object_key != model.faa_object_key
        return Announcement(model, before if is_other_file else None)

    return await stores.write(announce)


async def list_models(
    stores: Stores, actor: Actor, wanted: ModelFilter, *, limit: int | None = None, cursor: str | None = None
) -> Page[Model]:
    """The models of the caller's workspaces and the built-in ones, the newest first; all where no limit is given.

    Raises:
        Invalid: the limit or the cursor is none.
    """
    workspaces = tuple(actor.workspaces)
    if wanted.owner is not None and not is_uuid(wanted.owner):
        # Nobody's id, and not everything can be put to a database: PostgreSQL has no text with NUL.
        return Page((), None)

    async def newest(tx: Tx, size: int, before: Position | None) -> list[Model]:
        return await tx.models.list_in(workspaces, wanted, size, before)

    if limit is None:
        return Page(tuple(await all_items(stores, newest, _position)), None)
    size = checked_limit(limit)
    before = position_of(cursor) if cursor is not None else None
    return page_of(await stores.read(lambda tx: newest(tx, size + 1, before)), size, _position)


async def get_model(stores: Stores, actor: Actor, model_id: ModelId) -> Model:
    """One that the caller may see; NotFound for anything else."""
    return await stores.read(lambda tx: visible_model(tx, actor, model_id))


async def visible_model(tx: Tx, actor: Actor, model_id: ModelId, *, is_held: bool = False) -> Model:
    """The same, for an operation that goes on."""
    look_up = tx.models.lock_or_none if is_held else tx.models.get_or_none
    model = await look_up(model_id) if is_uuid(model_id) else None
    is_seen = model is not None and (model.workspace_id is None or model.workspace_id in actor.workspaces)
    if model is None or not is_seen or model.deleted_at is not None:
        raise NotFound("there is no such model")
    return model


async def changeable_model(tx: Tx, actor: Actor, model_id: ModelId) -> Model:
    """One that the caller may change, held until the transaction ends.

    Raises:
        NotFound, NotAllowed: it is not the caller's to see, or not to change.
    """
    model = await visible_model(tx, actor, model_id, is_held=True)
    need_change(actor, model)
    return model


def need_change(actor: Actor, model: Model) -> None:
    """Raises NotAllowed where the model is not the caller's to change, NotFound for a built-in one."""
    actor.need_admin(model.workspace_id or WorkspaceId(""))


def _made(actor: Actor, workspace: WorkspaceId, said: Announced, now: datetime) -> Model:
    return Model(
        id=ModelId(mint_id(now)),
        workspace_id=workspace,
        user_id=actor.user_id,
        name=said.name,
        version=said.version,
        target_chips=said.target_chips,
        file_size=said.file_size,
        sha256=said.sha256,
        source=said.source,
        status=ModelStatus.PENDING,
        created_at=now,
        updated_at=now,
        description=said.description,
        license=said.license,
        metrics=said.metrics,
        faa_object_key=_new_key(),
    )


def _said_anew(before: Model, said: Announced, now: datetime) -> Model:
    is_same_file = (before.file_size, before.sha256) == (said.file_size, said.sha256)
    if before.status is ModelStatus.READY and not is_same_file:
        raise Conflict(
            f"version {before.version} of {before.name} is there already, with another file; give this one another version",
            details={"model_id": before.id, "sha256": before.sha256},
        )
    return replace(
        before,
        target_chips=said.target_chips,
        file_size=said.file_size,
        sha256=said.sha256,
        source=said.source,
        description=said.description,
        license=said.license,
        metrics=said.metrics,
        updated_at=now,
        # Another content has another key: what was brought of the former one, or still is, never gets into it.
        faa_object_key=before.faa_object_key if is_same_file else _new_key(),
    )


async def _need_share(tx: Tx, before: Model | None, model: Model, quota: Quota) -> None:
    if before is not None and model.file_size <= before.file_size:
        return
    workspace = [model.workspace_id] if model.workspace_id is not None else []
    count = await tx.models.count_in(workspace) + (before is None)
    used = await tx.models.bytes_in(workspace) - (before.file_size if before is not None else 0)
    if count > quota.models:
        raise StorageFull(f"the workspace has {quota.models} models already; delete one first")
    if used + model.file_size > quota.bytes:
        raise StorageFull(
            f"the workspace's models have {used} of {quota.bytes} bytes already; delete some first",
            details={"used_bytes": used, "quota_bytes": quota.bytes},
        )


def _new_key() -> str:
    """Nobody's words are in it (M-01)."""
    return f"model-{secrets.token_hex(_KEY_BYTES)}"


def _source(text: str | None) -> ModelSource:
    if text in {None, ModelSource.UPLOADED.value}:
        return ModelSource.UPLOADED
    if text == ModelSource.CONVERTED.value:
        return ModelSource.CONVERTED
    raise Invalid("source: write uploaded or converted")


def _metrics(given: Mapping[str, float]) -> dict[str, float]:
    found = {labels.label(name): float(value) for name, value in given.items()}
    if len(given) > MAX_METRICS or len(found) != len(given):
        raise Invalid(f"metrics: at most {MAX_METRICS}, each by a name of its own")
    if "" in found or not all(math.isfinite(value) for value in found.values()):
        raise Invalid("metrics: write numbers by their names")
    return found


def _position(model: Model) -> Position:
    return Position(model.created_at, model.id)
