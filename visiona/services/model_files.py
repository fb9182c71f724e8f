"""The files of models: bringing one, whether it is there, and taking it away.

Only a file that has come whole, of the announced size and digest, is ever put into its place (stores/files); nothing
here looks into it, unpacks it or runs it (M-02, M-07).
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from visiona.domain.access import Actor
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, Invalid, NotFound, StorageFull
from visiona.domain.ids import ModelId, WorkspaceId
from visiona.domain.models import Model, ModelStatus
from visiona.services.audit import note
from visiona.services.models import Announced, Quota, announce_model, changeable_model, get_model, need_change
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.errors import NoRoom, UploadBusy, Withdrawn, WrongContent
from visiona.stores.files.interfaces import FileRef, FileStore, Upload
from visiona.stores.interfaces import Stores, Tx

logger = logging.getLogger(__name__)

KEEP_ORPHANS = timedelta(days=1)
"""A file that no model has, and an upload that nobody went on with: so long an interrupted one can be continued."""


def file_of(model: Model) -> FileRef:
    """Where a model's file is, or will be; NotFound for one that never had any."""
    if model.faa_object_key is None:
        raise NotFound("this model has no file")
    return FileRef(model.faa_object_key, model.file_size, model.sha256)


async def announce_file(
    stores: Stores,
    files: FileStore,
    actor: Actor,
    said: Announced,
    quota: Quota,
    now: datetime,
    *,
    workspace_id: WorkspaceId | None = None,
) -> Model:
    """As services.models.announce_model; what had come of a file that nobody waits for now goes at once.

    It counts for nobody's share any more, and would else lie there for a day.
    """
    model, former = await announce_model(stores, actor, said, quota, now, workspace_id=workspace_id)
    if former is not None:
        await _drop(files, former)
    return model


async def wanted_file(stores: Stores, ref: FileRef) -> Model:
    """The model whose file this is; raises NotFound where it was deleted or announced anew with another file."""
    model = await stores.read(lambda tx: tx.models.by_key_or_none(ref.key))
    if model is None or file_of(model) != ref:
        raise NotFound("nobody waits for this file any more")
    return model


@asynccontextmanager
async def bringing(files: FileStore, ref: FileRef, start: int | None) -> AsyncIterator[Upload]:
    """An upload, open at `start`, or afresh for None; what the file store says in it becomes an answer.

    Raises:
        NotFound: it was deleted, or announced anew with another file, while it came.
        Conflict: another byte is next, or somebody else is bringing this file; `details` say how much is here.
        Invalid: what came is not what was announced.
        StorageFull: there is no room.
    """
    try:
        async with files.open_upload(ref, afresh=start is None) as upload:
            if start is not None and start != upload.offset:
                raise Conflict(
                    f"byte {upload.offset} is next; continue from there",
                    details={"received_bytes": upload.offset},
                )
            yield upload
    except Withdrawn as error:
        raise NotFound("nobody waits for this file any more") from error
    except UploadBusy as error:
        raise Conflict("this file is being brought already; try again when that has ended") from error
    except NoRoom as error:
        raise StorageFull("the server has no room for this file; what had come of it is gone") from error
    except WrongContent as error:
        raise Invalid(f"{error}; begin anew", details={"about": error.about}) from error


async def finish_model(
    stores: Stores, files: FileStore, actor: Actor, model_id: ModelId, now: datetime
) -> Model:
    """The model is ready, if its file is there; also if it was ready before.

    Raises:
        NotFound, NotAllowed: it is not the caller's to see, or not to change.
        Conflict: the file is not there, or not all of it.
    """
    model = await get_model(stores, actor, model_id)
    need_change(actor, model)
    if model.status is ModelStatus.READY:
        return model
    ref = file_of(model)
    if not await _settled(files, ref):
        received = await files.received(ref)
        raise Conflict(
            f"{received} of {ref.size} bytes of the file are here; upload the rest first",
            details={"received_bytes": received},
        )

    async def finish(tx: Tx) -> Model:
        now_held = await changeable_model(tx, actor, model_id)
        if file_of(now_held) != ref:
            raise Conflict("the model was announced anew with another file in the meantime; upload that one")
        if await tx.models.set_ready(model_id, now):
            await _note(tx, now, Deed.MODEL_UPLOADED, now_held, sha256=now_held.sha256)
        return await changeable_model(tx, actor, model_id)

    return await stores.write(finish)


async def _settled(files: FileStore, ref: FileRef) -> bool:
    try:
        return await files.settle(ref)
    except WrongContent as error:
        raise Invalid(f"{error}; begin anew", details={"about": error.about}) from error


async def delete_model(
    stores: Stores, files: FileStore, actor: Actor, model_id: ModelId, now: datetime
) -> None:
    """Soft of the record; the file goes, and whoever reads it just now reads it to its end (M-05).

    Raises:
        NotFound, NotAllowed: it is not the caller's to see, or not to change.
    """

    async def delete(tx: Tx) -> Model:
        model = await changeable_model(tx, actor, model_id)
        await tx.models.delete(model_id, now)
        await _note(tx, now, Deed.MODEL_DELETED, model)
        return model

    await _drop(files, await stores.write(delete))


async def _drop(files: FileStore, model: Model) -> None:
    if model.faa_object_key is None:
        return
    try:
        await files.delete(file_of(model))
    except StoreUnavailable as error:
        # The deed is done; the sweep takes what is left.
        logger.warning("the file of a model stays until it is swept", extra={"reason": str(error)})


async def sweep_files(stores: Stores, files: FileStore, now: datetime) -> int:
    """Removes files that no model has, and what came of uploads that nobody went on with."""

    async def known(keys: Sequence[str]) -> set[str]:
        return await stores.read(lambda tx: tx.models.known_keys(keys))

    return await files.sweep(known, now - KEEP_ORPHANS)


async def _note(tx: Tx, now: datetime, deed: Deed, model: Model, sha256: str | None = None) -> None:
    await note(
        tx,
        now,
        deed,
        workspace_id=model.workspace_id,
        subject=model.id,
        name=model.name,
        version=model.version,
        sha256=sha256,
    )
