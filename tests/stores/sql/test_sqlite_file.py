import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from visiona.stores.errors import StoreBusy, StoreDamaged
from visiona.stores.sql import sqlite_file
from visiona.stores.sql.sqlite_file import check, connect, prepare, sole_server


def damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE a (x TEXT)")
        connection.executemany("INSERT INTO a VALUES (?)", [("x" * 1000,)] * 100)
        connection.commit()
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 6] = b"\xaa" * 4096
    path.write_bytes(content)


def test_preparing_twice_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "visiona.db"
    prepare(path)
    with closing(connect(path, "normal")) as connection:
        connection.execute("CREATE TABLE a (x TEXT)")
    prepare(path)
    with closing(connect(path, "normal")) as connection:
        assert connection.execute("SELECT count(*) FROM a").fetchone() == (0,)


def test_the_lock_is_free_again_whatever_happened(tmp_path: Path) -> None:
    path = tmp_path / "visiona.db"
    with pytest.raises(KeyError), sole_server(path):
        raise KeyError
    with sole_server(path), pytest.raises(StoreBusy), sole_server(path):
        pass
    with sole_server(path):
        pass


def test_s03_a_damaged_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / "visiona.db"
    damaged(path)
    with closing(connect(path, "normal")) as connection, pytest.raises(StoreDamaged, match=r"visiona\.db"):
        check(connection, path)


def test_a_file_too_large_to_be_read_at_start_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "visiona.db"
    damaged(path)
    monkeypatch.setattr(sqlite_file, "CHECKED_UP_TO_BYTES", 4096)
    with closing(connect(path, "normal")) as connection:
        check(connection, path)


def test_a_connection_keeps_foreign_keys_and_leaves_checkpoints_to_others(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "visiona.db", "full")) as connection:
        settings = {
            pragma: connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            for pragma in (
                "journal_mode",
                "synchronous",
                "wal_autocheckpoint",
                "foreign_keys",
                "busy_timeout",
            )
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "wal_autocheckpoint": 0,
        "foreign_keys": 1,
        "busy_timeout": 0,
    }
