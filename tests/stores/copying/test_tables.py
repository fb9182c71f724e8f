"""The list of tables is the schema's, whatever becomes of the schema."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from visiona.stores.copying.tables import LEDGER, TABLES, Kind, tables_at
from visiona.stores.sql import sqlite_migrate
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.sqlite_file import connect

TYPES = {
    "TEXT": {Kind.TEXT, Kind.TEXTS},
    "BIGINT": {Kind.INTEGER},
    "INTEGER": {Kind.INTEGER},
    "BOOLEAN": {Kind.BOOLEAN},
}
STEPS = [step.number for step in known_migrations()]


def schema_at(step: int, folder: Path) -> sqlite3.Connection:
    connection = connect(folder / "visiona.db", "off")
    sqlite_migrate.up(connection, known_migrations()[:step])
    return connection


@pytest.mark.parametrize("step", STEPS)
def test_every_table_and_column_of_each_schema_is_copied(step: int, tmp_path: Path) -> None:
    with closing(schema_at(step, tmp_path)) as connection:
        sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        names = {name for (name,) in connection.execute(sql)} - {LEDGER}
        assert {table.name for table in tables_at(step)} == names
        for table in tables_at(step):
            found = connection.execute(f"PRAGMA table_info({table.name})").fetchall()
            assert table.column_names == tuple(name for _, name, *_ in found)
            for column, (_, _, kind, *_) in zip(table.columns, found, strict=True):
                assert column.kind in TYPES[kind]
            assert table.key == tuple(
                name for _, name, *_, place in sorted(found, key=lambda c: c[5]) if place
            )


def test_a_table_comes_after_those_it_refers_to(tmp_path: Path) -> None:
    seen: set[str] = set()
    with closing(schema_at(len(STEPS), tmp_path)) as connection:
        for table in TABLES:
            named = {row[2] for row in connection.execute(f"PRAGMA foreign_key_list({table.name})")}
            assert named <= seen | {table.name}
            seen.add(table.name)


def test_rows_are_read_along_the_key_without_sorting(tmp_path: Path) -> None:
    with closing(schema_at(len(STEPS), tmp_path)) as connection:
        for table in TABLES:
            plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {table.select}"))
            assert "TEMP B-TREE" not in plan


def test_lists_are_those_that_the_schema_calls_so() -> None:
    """SQLite keeps them as text like any other, so its schema cannot tell."""
    text = "\n".join(step.text for step in known_migrations())
    named = set(re.findall(r"^    (\w+) @texts@", text, re.MULTILINE))
    named |= set(re.findall(r"ALTER COLUMN (\w+) TYPE @texts@", text))
    listed = {column.name for table in TABLES for column in table.columns if column.kind is Kind.TEXTS}
    assert listed == named
