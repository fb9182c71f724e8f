"""Putting all rows of a source into a database, and seeing that they arrived."""

from collections.abc import Mapping

from visiona.stores.copying.ends import Progress, Source, Target
from visiona.stores.copying.errors import CopyRefused, damaged
from visiona.stores.copying.rows import Digest, Digesting, to_lines
from visiona.stores.copying.tables import LEDGER, TABLES, Table, tables_at
from visiona.stores.errors import SchemaMismatch
from visiona.stores.sql.migrate import known_migrations, status_of


def source_tables(source: Source) -> tuple[Table, ...]:
    """The tables that a source has; SchemaMismatch where its schema is none that this program knows."""
    status_of(known_migrations(), source.applied)
    return tables_at(max((step.number for step in source.applied), default=0))


def row_count(source: Source) -> int:
    """Of all its tables."""
    return sum(source.count(table) for table in source_tables(source))


def digest_of(source: Source, table: Table, progress: Progress) -> Digest:
    """Reads all rows of a table; CopyRefused if they are not what was promised."""
    digesting = Digesting()
    for rows in source.batches(table):
        digesting.add(to_lines(rows), len(rows))
        progress.step(len(rows))
    return _as_promised(source, table, digesting.so_far())


def refuse_unless_vacant(target: Target, *, replaces: bool) -> None:
    """Raises CopyRefused where the target holds what must not be lost.

    Args:
        target: the database.
        replaces: whether what is ours there may be; what is somebody else's never may.
    """
    present = target.tables
    names = [table.name for table in TABLES if table.name in present]
    if LEDGER not in present:
        if names:
            raise CopyRefused(
                f"{target.name} holds tables of another program ({', '.join(names)}); name an empty database",
                code="NOT_OURS",
            )
        return
    try:
        status_of(known_migrations(), target.applied)
    except SchemaMismatch as error:
        raise CopyRefused(
            f"{target.name} was made by another version of visiona; move it away, or name an empty database",
            code="NOT_OURS",
        ) from error
    holds = [table for table in TABLES if table.name in present and not table.is_fleeting]
    if not replaces and any(target.count(table) for table in holds):
        raise CopyRefused(f"{target.name} is not empty", code="NOT_EMPTY")


def load(source: Source, target: Target, progress: Progress) -> Mapping[str, Digest]:
    """Puts everything into the target's open transaction, reads it again there and compares; commits nothing.

    Args:
        source: with a schema that this program knows; an older one is brought up to date after its rows are in.
        target: that was found vacant.
        progress: told of each row twice: when it was put and when it was read again.

    Raises:
        CopyRefused: the two are not the same, or the source is not what it promised.
    """
    tables = source_tables(source)
    schema = status_of(known_migrations(), source.applied)
    last = len(schema.applied)
    target.begin(known_migrations()[:last])
    digests: dict[str, Digest] = {}
    for table in tables:
        digesting = Digesting()
        for rows in source.batches(table):
            digesting.add(to_lines(rows), len(rows))
            target.put(table, rows)
            progress.step(len(rows))
        digests[table.name] = _as_promised(source, table, digesting.so_far())
    for table in tables:
        if digest_of(target, table, progress) != digests[table.name]:
            raise CopyRefused(
                f"what arrived in {target.name} is not what was sent ({table.name}); nothing was changed",
                code="NOT_THE_SAME",
            )
    target.finish(schema.pending)
    return digests


def _as_promised(source: Source, table: Table, found: Digest) -> Digest:
    promised = source.promised(table)
    if promised is not None and promised != found:
        raise damaged(f"its {table.name} are not those that were written")
    return found
