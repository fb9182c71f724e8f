from pathlib import Path

import pytest
import trio

from tests.cli.conftest import Run
from tests.stores.copying.sample import filled
from tests.support.servers.postgres import NamedPostgres, PostgresServer


@pytest.fixture
def url(postgres_server: PostgresServer | NamedPostgres) -> str:
    return postgres_server.create_database()


@pytest.fixture
def kept(state_dir: Path) -> Path:
    trio.run(filled, state_dir)
    return state_dir


def test_everything_moves_and_the_next_step_is_said(visiona: Run, kept: Path, url: str) -> None:
    ran = visiona("migrate", "to-postgres", url)
    assert ran.code == 0
    assert "[database]" in ran.out
    assert str(kept / "visiona.db") in ran.out
    users = visiona("user", "list", "--json", "--set", f"database.url={url}")
    assert users.json == visiona("user", "list", "--json").json
    again = visiona("migrate", "to-postgres", url)
    assert (again.code, "[NOT_EMPTY]" in again.err) == (1, True)


def test_the_way_back_is_a_backup(visiona: Run, kept: Path, url: str, tmp_path: Path) -> None:
    moved = visiona("migrate", "to-postgres", url, "--json").json
    there = ("--set", f"database.url={url}")
    assert visiona("backup", str(tmp_path / "file.zip"), "--json", *there).json["tables"] == moved["tables"]
    (kept / "visiona.db").unlink()
    assert visiona("restore", str(tmp_path / "file.zip")).code == 0
    assert visiona("user", "list", "--json").json == visiona("user", "list", "--json", *there).json


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_password_stays_out_of_sight(visiona: Run, kept: Path, tmp_path: Path, mode: int) -> None:
    with PostgresServer(password="open-sesame") as server:
        secret = server.url("postgres")
        (tmp_path / "url").write_text(secret + "\n")
        (tmp_path / "url").chmod(mode)
        ran = visiona("migrate", "to-postgres", "--url-file", str(tmp_path / "url"))
        assert ran.code == 0
        assert ("chmod o-r" in ran.err) == (mode == 0o644)
        typed = visiona("migrate", "to-postgres", secret)
        assert "--url-file keeps the password" in typed.err
        wrong = visiona("migrate", "to-postgres", server.url("postgres", password="sesame-2"))
        assert (wrong.code, "does not let this user in" in wrong.err) == (3, True)
        for each in (ran, typed, wrong):
            assert "sesame" not in each.out + each.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("postgresql://h/d", "--url-file", "x"), 2),
        (("mysql://h/d",), 2),
        (("postgresql://user:open-sesame@/",), 2),
        (("--url-file", "/nowhere/url"), 1),
        (("postgresql://127.0.0.1:1/d",), 3),
        (("postgresql://127.0.0.1:1/d", "--set", "database.url=postgresql://h/d"), 1),
        (("postgresql://127.0.0.1:1/d", "--set", "database.url=memory:"), 1),
    ],
)
def test_mistakes_are_sentences(visiona: Run, kept: Path, arguments: tuple[str, ...], code: int) -> None:
    refused = visiona("migrate", "to-postgres", *arguments)
    assert (refused.code, refused.out, refused.err.count("\n")) == (code, "", 1)
    assert "sesame" not in refused.err


def test_there_is_nothing_to_move(visiona: Run, state_dir: Path, url: str) -> None:
    refused = visiona("migrate", "to-postgres", url)
    assert (refused.code, "[NOTHING_THERE]" in refused.err) == (1, True)
