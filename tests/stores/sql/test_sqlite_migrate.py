import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from visiona.stores.errors import SchemaMismatch
from visiona.stores.sql.migrate import Migration, known_migrations
from visiona.stores.sql.sqlite_file import connect
from visiona.stores.sql.sqlite_migrate import down, status, up

ONE = Migration(
    1, "one", "CREATE TABLE a (x TEXT);\n-- a ; in a comment\nINSERT INTO a VALUES ('; ');\n", "DROP TABLE a;"
)
TWO = Migration(
    2,
    "two",
    "INSERT INTO a VALUES ('2');\nCREATE TABLE b (x TEXT);\n",
    "DELETE FROM a WHERE x = '2';\nDROP TABLE b;",
)
BROKEN = Migration(2, "broken", "INSERT INTO a VALUES ('2');\nINSERT INTO nowhere VALUES (1);\n")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(tmp_path / "visiona.db", "normal")) as opened:
        yield opened


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_steps_run_in_order_and_only_once(connection: sqlite3.Connection) -> None:
    assert up(connection, (ONE,)).pending == (ONE,)
    assert up(connection, (ONE, TWO)).pending == (TWO,)
    assert up(connection, (ONE, TWO)).pending == ()
    assert tables(connection) == {"a", "b", "schema_migrations"}
    assert connection.execute("SELECT x FROM a").fetchall() == [("; ",), ("2",)]


def test_asking_for_the_status_changes_nothing(connection: sqlite3.Connection) -> None:
    assert status(connection, (ONE,)).pending == (ONE,)
    assert tables(connection) == set()


def test_s01_a_step_that_fails_is_undone_whole_and_those_before_it_stay(
    connection: sqlite3.Connection,
) -> None:
    with pytest.raises(SchemaMismatch, match=r"0002 \(broken\).*undone: no such table: nowhere"):
        up(connection, (ONE, BROKEN))
    assert not connection.in_transaction
    assert [step.number for step in status(connection, (ONE, BROKEN)).applied] == [1]
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (1,)
    up(connection, (ONE, TWO))


def test_a_step_cut_within_a_statement_is_undone(connection: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="ends within"):
        up(connection, (Migration(1, "cut", "CREATE TABLE a (x TEXT);\nCREATE TABLE b ("),))
    assert tables(connection) == set()


def test_s01_who_comes_second_finds_nothing_left_to_do(
    tmp_path: Path, connection: sqlite3.Connection
) -> None:
    """Another program ran the step between our look and our lock."""

    class Late(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE" and not tables(connection):
                up(connection, (ONE,))
            return super().execute(sql, *values)

    path = tmp_path / "visiona.db"
    with closing(sqlite3.connect(path, isolation_level=None, factory=Late)) as late:
        assert up(late, (ONE,)).pending == (ONE,)
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (1,)


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ("CREATE TABLE schema_migrations (version TEXT)", "its table schema_migrations is not ours"),
        ("CREATE TABLE devices (x TEXT)", r"0001 \(initial\).*give visiona a database of its own"),
    ],
)
def test_s01_another_programs_file_is_refused_and_left_alone(
    connection: sqlite3.Connection, theirs: str, told: str
) -> None:
    connection.execute(theirs)
    before = tables(connection)
    with pytest.raises(SchemaMismatch, match=told):
        up(connection, known_migrations())
    assert tables(connection) == before


def test_steps_are_undone_from_the_newest_down_to_the_one_named(connection: sqlite3.Connection) -> None:
    up(connection, (ONE, TWO))
    assert len(down(connection, (ONE, TWO), 2).applied) == 2
    assert tables(connection) == {"a", "b", "schema_migrations"}
    down(connection, (ONE, TWO), 1)
    assert tables(connection) == {"a", "schema_migrations"}
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (1,)
    down(connection, (ONE, TWO), 0)
    assert tables(connection) == {"schema_migrations"}
    up(connection, (ONE, TWO))


def test_s01_a_step_that_cannot_be_undone_stays(connection: sqlite3.Connection) -> None:
    only_up = Migration(2, TWO.name, TWO.text)
    up(connection, (ONE, only_up))
    with pytest.raises(SchemaMismatch, match=r"0002 \(two\) cannot be undone"):
        down(connection, (ONE, only_up), 0)
    half = Migration(2, TWO.name, TWO.text, "DROP TABLE b;\nDROP TABLE nowhere;")
    with pytest.raises(SchemaMismatch, match=r"0002 \(two\).*undone: no such table"):
        down(connection, (ONE, half), 0)
    assert tables(connection) == {"a", "b", "schema_migrations"}


def test_every_step_of_ours_can_be_taken_back_and_run_again(connection: sqlite3.Connection) -> None:
    """One by one: what is there after a step is what is there when the next one was undone."""

    def shape() -> list[tuple[str, ...]]:
        return sorted(connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))

    known = known_migrations()
    shapes = []
    for step in known:
        shapes.append(shape())
        up(connection, known[: step.number])
    last = shape()
    for step in reversed(known):
        down(connection, known, step.number - 1)
        if step.number > 1:
            assert shape() == shapes[step.number - 1]
    assert tables(connection) == {"schema_migrations", "sqlite_sequence"}
    up(connection, known)
    assert shape() == last


def test_what_is_only_for_the_other_database_is_left_out(connection: sqlite3.Connection) -> None:
    step = Migration(1, "one", "CREATE TABLE a (x TEXT);\n@postgresql@CREATE TABLE b (x TEXT);\n-- end\n")
    up(connection, (step,))
    assert tables(connection) == {"a", "schema_migrations"}
