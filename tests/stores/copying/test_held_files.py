"""What a backup takes along while a server goes on, and what it says of files that are not there."""

import errno
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from visiona.domain.models import Model
from visiona.services.model_files import file_of
from visiona.stores.copying import held_files
from visiona.stores.copying.ends import Source
from visiona.stores.copying.wanted_files import WantedFile, wanted_files
from visiona.stores.files.folder import FolderFiles
from visiona.stores.files.interfaces import FileStore
from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.stores.copying.sample import filled
from tests.stores.copying.shelf import add_models, filled_with_files, lying, places
from tests.stores.copying.test_backup import names_in
from tests.stores.copying.test_model_files import restored_with_files, with_files
from tests.stores.copying.watching import Watching
from tests.support.servers.postgres import NamedPostgres, PostgresServer

CONTENTS = [b"first" * 100_000, b"second", b"third"]


async def delete(stores: Stores, files: FileStore, models: list[Model]) -> None:
    """As services.model_files.delete_model: the row, then the file."""
    for model in models:
        await stores.write(lambda tx, model=model: tx.models.delete(model.id, datetime.now(UTC)))
        await files.delete(file_of(model))


async def test_uploads_and_deletions_go_on_and_the_backup_has_the_files_of_its_rows(tmp_path: Path) -> None:
    settings = await filled(tmp_path / "old")
    files = FolderFiles(tmp_path / "old" / "files", reserve_bytes=0)
    async with open_stores(settings, exclusive=True) as stores:
        models = await add_models(stores, files, CONTENTS)
        token = trio.lowlevel.current_trio_token()

        async def everything_changes() -> None:
            await delete(stores, files, models)
            await add_models(stores, files, [b"later"], "later@example.com")

        def change() -> None:
            trio.from_thread.run(everything_changes, trio_token=token)

        # While the first rows are written, before any file is.
        written = await with_files(settings, tmp_path / "file.zip", Watching(1, change))
    assert written.files is not None
    assert written.files.missing_count == 0
    new = StoreSettings(None, tmp_path / "new")
    done = await restored_with_files(new, tmp_path / "file.zip")
    assert done.files is not None
    assert (done.files.count, done.files.absent) == (len(CONTENTS), ())
    assert places(new.state_dir, CONTENTS) == len(CONTENTS)
    assert b"later" not in lying(new.state_dir).values()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    server: PostgresServer | NamedPostgres = request.getfixturevalue("postgres_server")
    return server.create_database()


async def test_a_model_deleted_between_its_row_and_its_file_is_in_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine_url: str | None
) -> None:
    settings = StoreSettings(engine_url, tmp_path / "old")
    files = FolderFiles(tmp_path / "old" / "files", reserve_bytes=0)
    async with open_stores(settings, exclusive=True) as stores:
        models = await add_models(stores, files, CONTENTS)
        rounds = []

        def read_and_lose_one(source: Source) -> Iterator[WantedFile]:
            found = list(wanted_files(source))
            rounds.append(len(found))
            if len(rounds) <= 2:
                trio.from_thread.run(delete, stores, files, [models[len(rounds) - 1]])
            return iter(found)

        monkeypatch.setattr(held_files, "wanted_files", read_and_lose_one)
        written = await with_files(settings, tmp_path / "file.zip")
    # The second one's file was held before it was deleted.
    assert rounds == [3, 2]
    assert written.files is not None
    assert (written.files.listed.rows, written.files.missing_count) == (2, 0)
    new = StoreSettings(None, tmp_path / "new")
    done = await restored_with_files(new, tmp_path / "file.zip")
    assert done.files is not None
    assert (done.files.count, done.files.absent) == (2, ())


@pytest.mark.parametrize("how", ["missing", "shorter", "damaged", "link", "no folder"])
async def test_a_file_that_is_not_there_is_left_out_and_named(tmp_path: Path, how: str) -> None:
    settings = await filled_with_files(tmp_path / "old", CONTENTS[:2])
    objects = settings.state_dir / "files" / "objects"
    path = next(path for path in objects.iterdir() if path.stat().st_size == len(CONTENTS[0]))
    blob = next(
        blob
        for blob in (settings.state_dir / "files" / "blobs").rglob("*")
        if blob.is_file() and blob.samefile(path)
    )
    match how:
        case "missing":
            path.unlink()
            blob.unlink()
        case "shorter":
            path.write_bytes(CONTENTS[0][:-1])
        case "damaged":
            path.write_bytes(b"x" * len(CONTENTS[0]))
        case "link":
            path.unlink()
            path.symlink_to(blob.rename(tmp_path / "blob"))
        case "no folder":
            (settings.state_dir / "files").rename(tmp_path / "files")
    written = await with_files(settings, tmp_path / "file.zip")
    assert written.files is not None
    count = 2 if how == "no folder" else 1
    assert (written.files.listed.rows, written.files.missing_count) == (2 - count, count)
    assert {each.why for each in written.files.missing} == {"damaged" if how == "damaged" else "missing"}
    assert all(each.name == "yolo" for each in written.files.missing)
    new = StoreSettings(None, tmp_path / "new")
    done = await restored_with_files(new, tmp_path / "file.zip")
    assert done.manifest == written
    assert done.files is not None
    assert {each.model for each in done.files.absent} == {each.model for each in written.files.missing}


async def test_a_content_without_its_second_name_is_found_by_the_first(tmp_path: Path) -> None:
    for lost in ("objects", "blobs"):
        settings = await filled_with_files(tmp_path / lost, CONTENTS)
        good = lying(settings.state_dir)
        for path in (settings.state_dir / "files" / lost).rglob("*"):
            if path.is_file():
                path.unlink()
        written = await with_files(settings, tmp_path / f"{lost}.zip")
        assert written.files is not None
        assert written.files.missing_count == 0
        new = StoreSettings(None, tmp_path / f"new-{lost}")
        await restored_with_files(new, tmp_path / f"{lost}.zip")
        assert lying(new.state_dir) == good


async def test_a_file_that_may_not_be_held_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as another user's, with `fs.protected_hardlinks`."""
    settings = await filled_with_files(tmp_path / "old", CONTENTS)

    def refuse(source: Path, target: Path, **_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(source), None, str(target))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        with pytest.raises(PermissionError) as caught:
            await with_files(settings, tmp_path / "file.zip")
    assert "/files/objects/model-" in caught.value.filename
    assert names_in(tmp_path) == ["old"]


async def test_what_is_held_is_let_go_and_what_a_dead_one_held_too(tmp_path: Path) -> None:
    settings = await filled_with_files(tmp_path / "old", CONTENTS)
    aside = settings.state_dir / "files" / "aside"
    (aside / "of-a-dead-one").mkdir(parents=True)
    (aside / "of-a-dead-one" / "link").write_bytes(b"left")
    await with_files(settings, tmp_path / "file.zip")
    assert names_in(aside) == []
