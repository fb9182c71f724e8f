"""Opens the store of model files that the settings name."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from visiona.stores import s3_address
from visiona.stores.files.errors import FileStoreError
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
        if settings.path is None and state_dir is None:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="visiona-files-")))
        else:
            root = folder_of(settings, state_dir or Path())
        if settings.url is None:
            yield FolderFiles(root, reserve_bytes=settings.reserve_bytes)
        else:
            yield _s3_files(settings.url, root, settings.reserve_bytes)


def folder_of(settings: StorageSettings, state_dir: Path) -> Path:
    """Where the files are; with an object store, what comes through us before it is there."""
    return state_dir / FOLDER if settings.path is None else settings.path


def _s3_files(url: str, folder: Path, reserve_bytes: int) -> FileStore:
    # Of all that serve a folder nobody needs what this imports: it is an extra.
    try:
        from visiona.stores.files.s3 import S3Files
    except ImportError as error:
        raise FileStoreError("storage.url needs a library that is not here; install visiona[s3]") from error
    return S3Files(s3_address.parsed(url), folder, reserve_bytes=reserve_bytes)
