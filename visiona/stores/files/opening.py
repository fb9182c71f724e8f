"""Opens the store of model files that the settings name."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from visiona.stores.files.folder import FolderFiles
from visiona.stores.files.interfaces import FileStore
from visiona.stores.settings import StorageSettings

FOLDER = "files"


@asynccontextmanager
async def open_files(settings: StorageSettings, state_dir: Path | None) -> AsyncIterator[FileStore]:
    """Opens it; the folder is made where it is not there.

    Args:
        settings: section `[storage]`.
        state_dir: where our own folder is; None: nothing is to be kept, and the files go when this is left.

    Raises:
        OSError: the folder cannot be made.
    """
    async with AsyncExitStack() as stack:
        if settings.path is not None:
            root = settings.path
        elif state_dir is not None:
            root = state_dir / FOLDER
        else:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="visiona-files-")))
        yield FolderFiles(root, reserve_bytes=settings.reserve_bytes)
