"""Whatever goes wrong on the way is noticed before anything is there for good."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.loading import load, row_count, source_tables
from visiona.stores.copying.rows import Row
from visiona.stores.copying.sqlite_end import SqliteEnd
from visiona.stores.copying.sqlite_opening import sqlite_source, sqlite_target
from visiona.stores.copying.tables import Table

from tests.stores.copying.sample import filled
from tests.stores.copying.test_backup import names_in
from tests.stores.copying.watching import Watching


def lost(rows: Sequence[Row]) -> Sequence[Row]:
    return rows[:-1]


def altered(rows: Sequence[Row]) -> Sequence[Row]:
    return [[cell + " " if isinstance(cell, str) and "@" in cell else cell for cell in row] for row in rows]


def as_it_is(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


@pytest.mark.parametrize("change", [lost, altered, as_it_is])
async def test_rows_that_are_lost_or_altered_on_the_way_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Sequence[Row]], Sequence[Row]]
) -> None:
    old = await filled(tmp_path / "old")
    plain = SqliteEnd.put

    def put(self: SqliteEnd, table: Table, rows: Sequence[Row]) -> None:
        plain(self, table, change(rows) if table.name == "users" else rows)

    monkeypatch.setattr(SqliteEnd, "put", put)
    (tmp_path / "new").mkdir()
    with (
        sqlite_source(old.database_file, is_frozen=True) as source,
        sqlite_target(tmp_path / "new" / "visiona.db") as target,
    ):
        if change is as_it_is:
            assert sum(digest.rows for digest in load(source, target, Watching()).values()) == row_count(
                source
            )
        else:
            with pytest.raises(CopyRefused, match=r"not what was sent \(users\)") as caught:
                load(source, target, Watching())
            assert caught.value.code == "NOT_THE_SAME"
    # Nobody committed.
    assert names_in(tmp_path / "new") == ["visiona.db.lock"]


async def test_no_more_than_a_batch_is_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = await filled(tmp_path / "old")
    monkeypatch.setattr("visiona.stores.copying.sqlite_end.BATCH_ROWS", 1)

    def sizes(end: SqliteEnd) -> Iterator[int]:
        for table in source_tables(end):
            yield from (len(rows) for rows in end.batches(table))

    with sqlite_source(old.database_file, is_frozen=False) as source:
        assert set(sizes(source)) == {1}
