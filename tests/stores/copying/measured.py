"""Runs one copy in a process of its own and says how much memory it took: `python -m tests.stores.copying.measured
backup|restore|move FOLDER FILE [URL]`. Writes the mebibytes that it grew by at its peak.
"""

import resource
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio
from visiona.stores.copying.backup import back_up, restore
from visiona.stores.copying.moving import move_to_postgres
from visiona.stores.files.content import ContentFolder
from visiona.stores.postgres_address import parsed
from visiona.stores.settings import StoreSettings

from tests.stores.copying.watching import Watching

KEYS = ("session.key", "idp-keys.json")


def peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def copy(what: str, folder: Path, file: Path, url: str | None) -> None:
    files = ContentFolder(folder / "files", 0)
    settings = StoreSettings(None if what == "move" else url, folder)
    match what:
        case "backup":
            now = datetime.now(UTC)
            write = partial(back_up, settings, file, Watching(), state_names=KEYS, program="0")
            await write(created_at=now, files=files)
        case "restore":
            await restore(settings, file, Watching(), state_names=KEYS, replaces=False, files=files)
        case _:
            await move_to_postgres(settings, parsed(url or ""), Watching())


def main() -> None:
    what, folder, file, *url = sys.argv[1:]
    before = peak_mebibytes()
    trio.run(copy, what, Path(folder), Path(file), url[0] if url else None)
    sys.stdout.write(f"{peak_mebibytes() - before:.1f}\n")


if __name__ == "__main__":
    main()
