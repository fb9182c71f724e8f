"""Which files a backup has to have: those of models that are ready and not deleted."""

import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from visiona.stores.copying.sqlite_opening import sqlite_source
from visiona.stores.copying.wanted_files import files_here, folder_has, wanted_files
from visiona.stores.sql import sqlite_migrate
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.sqlite_file import connect

from tests.stores.copying.shelf import filled_with_files, folder_in


async def test_each_model_that_is_ready_has_one(tmp_path: Path) -> None:
    settings = await filled_with_files(tmp_path, [b"one", b"three", b"four!"])
    with closing(sqlite3.connect(settings.database_file)) as connection, connection:
        connection.execute("UPDATE models SET status = 'pending' WHERE file_size = 3")
        connection.execute("UPDATE models SET deleted_at = 7 WHERE sha256 = (SELECT max(sha256) FROM models)")
        wanted = connection.execute(
            "SELECT id, faa_object_key, file_size, sha256 FROM models WHERE status = 'ready'"
            " AND deleted_at IS NULL AND faa_object_key IS NOT NULL"
        ).fetchall()
    with sqlite_source(settings.database_file, is_frozen=False) as source:
        found = list(wanted_files(source))
        assert {(each.model, *dataclasses.astuple(each.ref)) for each in found if each.ref} == set(wanted)
        here = files_here(source, lambda ref: folder_has(folder_in(tmp_path), ref))
        assert (here.count, here.absent) == (len(wanted), ())
        nowhere = files_here(source, lambda _: False)
        assert (nowhere.count, nowhere.bytes, nowhere.absent) == (0, 0, tuple(found))


@pytest.mark.parametrize(("column", "value"), [("faa_object_key", "../../etc/passwd"), ("sha256", "none")])
async def test_a_row_that_names_no_file_lacks_one(tmp_path: Path, column: str, value: str) -> None:
    settings = await filled_with_files(tmp_path, [b"one"])
    with closing(sqlite3.connect(settings.database_file)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE models SET {column} = ? WHERE faa_object_key IS NOT NULL", (value,))
    with sqlite_source(settings.database_file, is_frozen=False) as source:
        assert [each.ref for each in wanted_files(source)] == [None]


def test_before_there_were_models_there_are_no_files(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "visiona.db", "off")) as connection:
        sqlite_migrate.up(connection, known_migrations()[:1])
    with sqlite_source(tmp_path / "visiona.db", is_frozen=False) as source:
        assert list(wanted_files(source)) == []


async def test_a_file_of_another_length_or_by_a_link_is_none(tmp_path: Path) -> None:
    settings = await filled_with_files(tmp_path, [b"one"])
    folder = folder_in(tmp_path)
    (path,) = (folder.root / "objects").iterdir()
    with sqlite_source(settings.database_file, is_frozen=False) as source:
        path.write_bytes(b"longer")
        assert files_here(source, lambda ref: folder_has(folder, ref)).count == 0
        path.unlink()
        path.symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").write_bytes(b"one")
        assert files_here(source, lambda ref: folder_has(folder, ref)).count == 0
