"""What is left of the files of models by a backup or a restore that is killed: never a row without its file."""

import random
import secrets
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from visiona.services.model_files import sweep_files
from visiona.stores.copying.backup import check
from visiona.stores.files.folder import FolderFiles
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.stores.copying.sample import dump
from tests.stores.copying.shelf import filled_with_files, lying, places
from tests.stores.copying.test_backup import names_in
from tests.stores.copying.test_killed import killed
from tests.stores.copying.test_model_files import restored_with_files, with_files
from tests.stores.copying.watching import Watching

CONTENTS = [*(secrets.token_bytes(2_500_000) for _ in range(3)), b"small", b"small"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def steps_of_a_restore(file: Path, folder: Path) -> int:
    await restored_with_files(StoreSettings(None, folder), file, watching := Watching())
    shutil.rmtree(folder)
    return watching.steps


def moments(steps: int) -> Sequence[str]:
    """Some at random, other ones each time; and those on which all hangs: files that have come to their places."""
    chance = random.Random()
    places = [f"placed-{number}" for number in (1, 4, 9)]
    return [*(str(chance.randrange(1, steps)) for _ in range(8)), *places, "commit", "committed"]


async def test_a_restore_leaves_the_old_files_and_rows_or_the_new(tmp_path: Path) -> None:
    old = await filled_with_files(tmp_path / "old", CONTENTS)
    await with_files(old, tmp_path / "file.zip")
    steps = await steps_of_a_restore(tmp_path / "file.zip", tmp_path / "trial")
    other = [b"theirs", CONTENTS[0]]
    new = await filled_with_files(tmp_path / "new", other)
    before, after = dump(new.database_file), dump(old.database_file)
    for moment in moments(steps):
        assert killed("restore", moment, tmp_path, "--replace"), moment
        rows = dump(new.database_file)
        assert rows == (after if moment == "committed" else before), moment
        # Whichever rows there are, their files are there.
        contents = CONTENTS if rows == after else other
        assert places(new.state_dir, contents) >= len(contents), moment
    await collected(new)
    assert names_in(new.state_dir / "files" / "aside") == []
    assert b"theirs" not in lying(new.state_dir).values()
    assert lying(new.state_dir) == lying(old.state_dir)


async def collected(settings: StoreSettings) -> None:
    """As a server does a day later."""
    files = FolderFiles(settings.state_dir / "files", reserve_bytes=0)
    async with open_stores(settings, exclusive=True) as stores:
        await sweep_files(stores, files, datetime.now(UTC) + timedelta(days=2))


async def test_a_restore_that_is_done_again_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    old = await filled_with_files(tmp_path / "old", CONTENTS)
    await with_files(old, tmp_path / "file.zip")
    steps = await steps_of_a_restore(tmp_path / "file.zip", tmp_path / "trial")
    new = StoreSettings(None, tmp_path / "new")
    for moment in (str(steps // 2), "placed-3", "commit"):
        assert killed("restore", moment, tmp_path), moment
    await restored_with_files(new, tmp_path / "file.zip")
    assert dump(new.database_file) == dump(old.database_file)
    assert lying(new.state_dir) == lying(old.state_dir)


async def test_a_backup_leaves_the_file_that_was_there_and_holds_nothing_for_long(tmp_path: Path) -> None:
    old = await filled_with_files(tmp_path / "old", CONTENTS)
    before = lying(old.state_dir)
    written = await with_files(old, tmp_path / "file.zip", watching := Watching())
    chance = random.Random()
    for _ in range(6):
        assert killed("backup", chance.randrange(1, watching.steps), tmp_path)
        assert await check(tmp_path / "file.zip", Watching()) == written
    await collected(old)
    assert lying(old.state_dir) == before
    (tmp_path / "file.zip").unlink()
    await with_files(old, tmp_path / "file.zip")
    assert names_in(tmp_path) == ["file.zip", "old"]
