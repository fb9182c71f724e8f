import io
from pathlib import Path

import pytest
from visiona.stores.settings import StoreSettings
from visiona.stores.sql import sqlite_file
from visiona.stores.sql.migrate import known_migrations

from tests.cli.conftest import Run

LAST = len(known_migrations())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def applied(visiona: Run) -> list[int]:
    return [step["number"] for step in visiona("migrate", "status", "--json").json["applied"]]


def test_status_changes_nothing_and_up_brings_it_up(visiona: Run) -> None:
    before = visiona("migrate", "status", "--json").json
    assert before["applied"] == []
    assert before["pending"][0]["number"] == 1
    assert visiona("migrate", "status", "--json").json == before
    assert visiona("migrate", "up").code == 0
    assert visiona("migrate", "up").out == "the schema is up to date\n"
    assert visiona("migrate", "up", "--json").json == {"ran": []}
    after = visiona("migrate", "status", "--json").json
    assert (after["applied"], after["pending"]) == (before["pending"], [])
    assert visiona("migrate", "status").out.splitlines()[1].split() == ["0001", "initial", "ran"]


def test_memory_has_no_schema_and_nothing_for_a_command(visiona: Run) -> None:
    assert visiona("migrate", "status", "--set", "database.url=memory:").code == 0
    refused = visiona("user", "list", "--set", "database.url=memory:")
    assert (refused.code, "[NO_DATABASE]" in refused.err) == (1, True)


def test_s07_a_state_directory_that_cannot_be_written_is_one_sentence(visiona: Run) -> None:
    refused = visiona("user", "list", "--set", "state_dir=/proc/nowhere")
    assert refused.code in {1, 3}
    assert refused.err.count("\n") == 1
    assert "/proc/nowhere" in refused.err


def test_down_takes_the_newest_step_back_and_up_runs_it_again(visiona: Run) -> None:
    visiona("migrate", "up")
    done = visiona("migrate", "down", "--yes")
    assert (done.code, done.out) == (0, f"undone: {LAST:04}\n")
    assert "install the older one first" in done.err
    assert applied(visiona) == list(range(1, LAST))
    assert visiona("migrate", "up", "--json").json == {"ran": [LAST]}


def test_down_goes_as_far_as_it_is_told(visiona: Run) -> None:
    assert visiona("migrate", "down").out == "nothing to undo\n"
    visiona("migrate", "up")
    assert visiona("migrate", "down", "--to", str(LAST)).out == "nothing to undo\n"
    assert visiona("migrate", "down", "--to", "-1").code == 2
    undone = list(range(LAST, 1, -1))
    assert visiona("migrate", "down", "--to", "1", "--yes", "--json").json == {"undone": undone}
    assert applied(visiona) == [1]
    assert visiona("migrate", "down", "--to", "0", "--yes").code == 0
    assert applied(visiona) == []
    assert visiona("migrate", "down", "--set", "database.url=memory:").out == "nothing to undo\n"


def test_nothing_is_lost_unasked(visiona: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    visiona("migrate", "up")
    refused = visiona("migrate", "down", "--to", "3")
    assert (refused.code, "[USAGE]" in refused.err) == (2, True)
    assert "step 0004 (models): the list of models" in refused.err
    monkeypatch.setattr(io, "StringIO", Terminal)
    asked = visiona("migrate", "down", "--to", "3", stdin="no\n")
    assert (asked.code, "not confirmed" in asked.err) == (1, True)
    assert "the list of models" in asked.out
    assert applied(visiona) == list(range(1, LAST + 1))
    assert visiona("migrate", "down", "--to", "3", stdin="down\n").code == 0
    assert applied(visiona) == [1, 2, 3]


def test_s01_down_is_refused_while_a_server_runs(visiona: Run, state_dir: Path) -> None:
    visiona("migrate", "up")
    with sqlite_file.sole_server(StoreSettings(None, state_dir).database_file):
        refused = visiona("migrate", "down", "--yes")
    assert (refused.code, "stop it first" in refused.err) == (3, True)
    assert applied(visiona) == list(range(1, LAST + 1))
