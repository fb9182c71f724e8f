"""After a restore that was killed the keys are those of the rows, whoever comes first."""

from pathlib import Path

import pytest
from visiona.stores.copying.errors import CommitUncertain
from visiona.stores.copying.settling import settle_restore
from visiona.stores.copying.sqlite_end import SqliteEnd
from visiona.stores.copying.state_files import STAGE, staging
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.stores.copying.sample import dump, filled
from tests.stores.copying.test_backup import KEYS, backed_up, names_in, restored


async def test_where_there_is_no_database_the_keys_go(tmp_path: Path) -> None:
    settings = StoreSettings(None, tmp_path)
    (tmp_path / STAGE).mkdir()
    (tmp_path / STAGE / "session.key").write_bytes(b"new\n")
    (tmp_path / STAGE / "mark").write_bytes(b"0")
    await settle_restore(settings)
    assert names_in(tmp_path) == []
    await settle_restore(settings)


@pytest.mark.parametrize("was_committed", [True, False])
async def test_a_commit_whose_answer_was_lost_is_settled_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_committed: bool
) -> None:
    old, new = await filled(tmp_path / "old"), await filled(tmp_path / "new")
    before = dump(new.database_file)
    for name in KEYS:
        (new.state_dir / name).write_bytes(b"other\n")
    await backed_up(old, tmp_path / "file.zip")
    plain = SqliteEnd.commit

    def commit(end: SqliteEnd) -> None:
        if was_committed:
            plain(end)
        raise CommitUncertain("the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteEnd, "commit", commit)
        with pytest.raises(CommitUncertain):
            await restored(new, tmp_path / "file.zip", replaces=True)
    assert (new.state_dir / "session.key").read_bytes() == b"other\n"
    async with open_stores(new, exclusive=True):
        assert STAGE not in names_in(new.state_dir)
    assert dump(new.database_file) == (dump(old.database_file) if was_committed else before)
    for name in KEYS:
        expected = (old.state_dir / name).read_bytes() if was_committed else b"other\n"
        assert (new.state_dir / name).read_bytes() == expected


async def test_a_restore_that_is_alive_is_nobody_elses_business(tmp_path: Path) -> None:
    settings = await filled(tmp_path / "state")
    with staging(settings.state_dir, {"session.key": b"new\n"}):
        async with open_stores(settings, exclusive=False):
            assert names_in(settings.state_dir / STAGE) == ["mark", "session.key"]
    assert (settings.state_dir / "session.key").read_bytes() == b"new\n"


async def test_the_mark_of_one_restore_settles_no_other(tmp_path: Path) -> None:
    old, new = await filled(tmp_path / "old"), StoreSettings(None, tmp_path / "new")
    await backed_up(old, tmp_path / "file.zip")
    await restored(new, tmp_path / "file.zip")
    with pytest.raises(CommitUncertain), staging(new.state_dir, {"session.key": b"new\n"}):
        raise CommitUncertain("before it was marked")
    async with open_stores(new, exclusive=False):
        assert (new.state_dir / "session.key").read_bytes() == b"sealing\n"
