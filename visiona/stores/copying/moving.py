"""Moving from a SQLite file to PostgreSQL: everything, or nothing where this raises."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from visiona.stores.asyncio_guest import open_guest
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.in_threads import entered, run_cancellable
from visiona.stores.copying.loading import load, refuse_unless_vacant, row_count
from visiona.stores.copying.postgres_opening import postgres_target
from visiona.stores.copying.rows import Digest
from visiona.stores.copying.sqlite_opening import sqlite_source
from visiona.stores.copying.wanted_files import FilesHere, files_here, folder_has
from visiona.stores.files.content import ContentFolder
from visiona.stores.postgres_address import PostgresAddress
from visiona.stores.settings import StoreSettings


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved.

    Attributes:
        digests: of each table.
        files: of models, which stay where they are; None where the folder does not have them.
    """

    digests: Mapping[str, Digest]
    files: FilesHere | None


async def move_to_postgres(
    settings: StoreSettings,
    address: PostgresAddress,
    progress: Progress,
    folder: ContentFolder | None = None,
) -> Moved:
    """Copies all rows; counts and checksums are compared before any of them is there for good.

    Nobody can write to the file meanwhile, and it stays as it is, as do the files of models.

    Args:
        settings: name the file; no server runs on it.
        address: of an empty database.
        progress: told of the rows.
        folder: of files of models, which are looked for.

    Raises:
        CopyRefused, StoreError: nothing was changed.
    """
    async with (
        open_guest() as guest,
        entered(sqlite_source(settings.database_file, is_frozen=True)) as source,
        postgres_target(address, guest) as target,
    ):

        def fill(progress: Progress) -> Moved:
            refuse_unless_vacant(target, replaces=False)
            progress.begin(2 * row_count(source))
            digests = load(source, target, progress)
            here = None if folder is None else files_here(source, partial(folder_has, folder))
            target.commit()
            return Moved(digests, here)

        return await run_cancellable(fill, progress)
