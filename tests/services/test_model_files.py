import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from visiona.domain.access import Role
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, Invalid, NotAllowed, NotFound, StorageFull
from visiona.domain.models import Model, ModelStatus
from visiona.services.model_files import (
    announce_file,
    bringing,
    delete_model,
    file_of,
    finish_model,
    sweep_files,
    wanted_file,
)
from visiona.services.models import announce_model, get_model
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.folder import FolderFiles
from visiona.stores.interfaces import Stores

from tests.services.test_models import ROOMY, deeds_of, said
from tests.support.nouns import LATER, NOW, Home, a_builtin_model

CONTENT = b"\x80\x04cos\nsystem\n" * 50  # as a pickle would begin that runs a program


@pytest.fixture
async def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path / "files", reserve_bytes=0)


async def announce(stores: Stores, home: Home, content: bytes = CONTENT, version: str = "1") -> Model:
    told = said(version=version, file_size=len(content), sha256=hashlib.sha256(content).hexdigest())
    return (await announce_model(stores, home.actor, told, ROOMY, NOW)).model


async def bring(files: FolderFiles, model: Model, content: bytes = CONTENT, start: int | None = None) -> None:
    async with bringing(files, file_of(model), start) as upload:
        await upload.write(content[start or 0 :])
        await upload.commit()


async def test_a_model_is_ready_when_its_file_is_there(
    stores: Stores, home: Home, files: FolderFiles
) -> None:
    model = await announce(stores, home)
    with pytest.raises(Conflict) as refused:
        await finish_model(stores, files, home.actor, model.id, LATER)
    assert refused.value.details == {"received_bytes": 0}
    await bring(files, model)
    for _ in range(2):
        ready = await finish_model(stores, files, home.actor, model.id, LATER)
        assert (ready.status, ready.updated_at) == (ModelStatus.READY, LATER)
    assert await deeds_of(stores, model) == [Deed.MODEL_CREATED, Deed.MODEL_UPLOADED]


async def test_m07_nothing_looks_into_a_file(stores: Stores, home: Home, files: FolderFiles) -> None:
    """Neither of these is opened, unpacked or run: they are bytes on their way in and out."""
    for version, content in enumerate(
        (CONTENT, b"PK\x03\x04../../x", b"\x1f\x8b" + bytes(100), b"#!/bin/sh\n")
    ):
        model = await announce(stores, home, content, str(version))
        await bring(files, model, content)
        await finish_model(stores, files, home.actor, model.id, LATER)
        async with files.open_file_or_none(file_of(model)) as file:
            assert file is not None
            assert b"".join([piece async for piece in file.read()]) == content


async def test_m03_another_byte_than_the_next_is_refused_and_says_which_is(
    stores: Stores, home: Home, files: FolderFiles
) -> None:
    model = await announce(stores, home)
    async with bringing(files, file_of(model), 0) as upload:
        await upload.write(CONTENT[:100])
    for wrong in (0, 50, 101, 200):
        with pytest.raises(Conflict) as refused:
            await bring(files, model, start=wrong)
        assert refused.value.details == {"received_bytes": 100}
    await bring(files, model, start=100)
    assert await files.has(file_of(model))


async def test_m03_two_at_once_and_wrong_content_are_answers(
    stores: Stores, home: Home, files: FolderFiles
) -> None:
    model = await announce(stores, home)
    async with bringing(files, file_of(model), None):
        with pytest.raises(Conflict, match="being brought already"):
            await bring(files, model)
    with pytest.raises(Invalid) as refused:
        await bring(files, model, b"x" + CONTENT[1:])
    assert refused.value.details == {"about": "sha256"}
    assert await files.received(file_of(model)) == 0


async def test_m04_a_full_disk_is_507_and_the_model_stays_as_it_was(
    stores: Stores, home: Home, tmp_path: Path
) -> None:
    model = await announce(stores, home)
    full = FolderFiles(tmp_path / "full", reserve_bytes=2**60)
    with pytest.raises(StorageFull):
        await bring(full, model)
    assert await get_model(stores, home.actor, model.id) == model
    assert [path for path in (tmp_path / "full").rglob("*") if path.is_file()] == []


async def test_m05_a_deleted_models_file_is_gone_and_nobody_waits_for_it(
    stores: Stores, home: Home, files: FolderFiles
) -> None:
    model = await announce(stores, home)
    assert await wanted_file(stores, file_of(model)) == model
    await bring(files, model)
    await delete_model(stores, files, home.actor, model.id, LATER)
    assert not await files.has(file_of(model))
    for attempt in (
        get_model(stores, home.actor, model.id),
        finish_model(stores, files, home.actor, model.id, LATER),
        delete_model(stores, files, home.actor, model.id, LATER),
        wanted_file(stores, file_of(model)),
    ):
        with pytest.raises(NotFound):
            await attempt
    again = await announce(stores, home)
    assert again.id != model.id
    assert await deeds_of(stores, model) == [Deed.MODEL_CREATED, Deed.MODEL_DELETED]


@pytest.mark.parametrize("is_whole", [False, True])
async def test_m08_what_came_of_a_file_that_is_announced_anew_goes_at_once(
    stores: Stores, home: Home, files: FolderFiles, tmp_path: Path, is_whole: bool
) -> None:
    """It counts for nobody's share, and a hundred of them would fill the disk."""
    for number in range(3):
        content = CONTENT + bytes([number])
        told = said(file_size=len(content), sha256=hashlib.sha256(content).hexdigest())
        model = await announce_file(stores, files, home.actor, told, ROOMY, NOW)
        async with bringing(files, file_of(model), 0) as upload:
            await upload.write(content[: None if is_whole else -1])
            if is_whole:
                await upload.commit()
    assert len({path.stat().st_ino for path in (tmp_path / "files").rglob("*") if path.is_file()}) == 1


async def test_m08_who_brings_a_file_that_is_announced_anew_is_told_at_the_next_piece(
    stores: Stores, home: Home, files: FolderFiles, tmp_path: Path
) -> None:
    """Else it takes room that nobody can see for as long as the upload goes on."""
    model = await announce(stores, home)
    with pytest.raises(NotFound):
        async with bringing(files, file_of(model), 0) as upload:
            await upload.write(CONTENT[:100])
            other = said(file_size=5, sha256="b" * 64)
            await announce_file(stores, files, home.actor, other, ROOMY, NOW)
            await upload.write(CONTENT[100:200])
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


async def test_m05_a_model_is_deleted_also_where_its_file_cannot_be(
    stores: Stores, home: Home, files: FolderFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store of files is away: it is swept when it is back."""
    model = await announce(stores, home)
    await bring(files, model)

    async def away(ref: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(files, "delete", away)
        await delete_model(stores, files, home.actor, model.id, LATER)
    with pytest.raises(NotFound):
        await get_model(stores, home.actor, model.id)
    assert await sweep_files(stores, files, datetime.now(UTC) + timedelta(days=2)) == 1
    assert not await files.has(file_of(model))


async def test_m05_what_was_brought_of_a_file_never_gets_into_the_one_announced_after_it(
    stores: Stores, home: Home, files: FolderFiles
) -> None:
    first = await announce(stores, home)
    await bring(files, first)
    second = await announce(stores, home, b"other")
    assert (second.id, second.status) == (first.id, ModelStatus.PENDING)
    with pytest.raises(NotFound):
        await wanted_file(stores, file_of(first))
    with pytest.raises(Conflict):
        await finish_model(stores, files, home.actor, first.id, LATER)


async def test_only_who_may_change_a_model_finishes_or_deletes_it(
    stores: Stores, home: Home, files: FolderFiles
) -> None:
    model = await announce(stores, home)
    await bring(files, model)
    member = replace(home.actor, workspaces={home.workspace.id: Role.MEMBER})
    with pytest.raises(NotAllowed):
        await finish_model(stores, files, member, model.id, LATER)
    with pytest.raises(NotAllowed):
        await delete_model(stores, files, member, model.id, LATER)
    builtin = a_builtin_model()
    await stores.write(lambda tx: tx.models.add(builtin))
    with pytest.raises(NotFound):
        await delete_model(stores, files, home.actor, builtin.id, LATER)


async def test_m03_files_that_no_model_has_are_swept(stores: Stores, home: Home, files: FolderFiles) -> None:
    kept, orphan = await announce(stores, home), await announce(stores, home, b"other", "2")
    await bring(files, kept)
    await bring(files, orphan, b"other")
    await stores.write(lambda tx: tx.models.delete(orphan.id, LATER))
    now = datetime.now(UTC)
    assert await sweep_files(stores, files, now) == 0
    assert await sweep_files(stores, files, now + timedelta(days=2)) == 1
    assert await files.has(file_of(kept))
    assert not await files.has(file_of(orphan))
