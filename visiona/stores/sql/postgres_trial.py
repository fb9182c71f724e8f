"""Whether PostgreSQL can write again, after it could not: asked by writing, and changing nothing."""

from visiona.stores.errors import StoreUnavailable
from visiona.stores.sql.engine import SqlTransaction
from visiona.stores.sql.postgres_errors import is_denied

_TOUCH = "UPDATE schema_migrations SET name = name WHERE number = 1"

# On a full disk what fits into a page that exists is still written.
_TAKE_ROOM = """CREATE TEMPORARY TABLE visiona_room ON COMMIT DROP AS
    SELECT repeat(md5(n::text), 8) FROM generate_series(1, 1000) n"""


async def try_writing(tx: SqlTransaction, *, needs_room: bool) -> None:
    """Writes, if need be so much that a file must grow; raises StoreUnavailable where that fails."""
    await tx.execute(_TOUCH)
    if needs_room:
        try:
            await tx.execute(_TAKE_ROOM)
        except StoreUnavailable as error:
            if not is_denied(
                error.__cause__
            ):  # this user makes no temporary tables: then the next write tells
                raise
