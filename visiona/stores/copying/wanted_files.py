"""Which files the models of a picture refer to, and whether they are there."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from visiona.domain.models import ModelStatus
from visiona.stores.copying.ends import Source
from visiona.stores.copying.loading import source_tables
from visiona.stores.files.content import ContentFolder
from visiona.stores.files.interfaces import FileRef

_TABLE = "models"
_COLUMNS = ("id", "name", "faa_object_key", "file_size", "sha256", "status", "deleted_at")


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file that a model counts on.

    Attributes:
        model: its id.
        name: what people call the model.
        ref: the file; None where the row names none that could be.
    """

    model: str
    name: str
    ref: FileRef | None


@dataclass(frozen=True, slots=True)
class FilesHere:
    """Files that models count on.

    Attributes:
        count: of those that are where they belong.
        bytes: of them; what is there twice by its content counts twice.
        absent: those of which that is not so.
    """

    count: int
    bytes: int
    absent: tuple[WantedFile, ...]


def files_here(source: Source, has: Callable[[FileRef], bool]) -> FilesHere:
    """Asks for each file."""
    count, size, absent = 0, 0, []
    for wanted in wanted_files(source):
        if wanted.ref is not None and has(wanted.ref):
            count += 1
            size += wanted.ref.size
        else:
            absent.append(wanted)
    return FilesHere(count, size, tuple(absent))


def folder_has(folder: ContentFolder, ref: FileRef) -> bool:
    """Looks by name and size, as the server does."""
    return is_file_of(folder.object(ref), ref.size)


def is_file_of(path: Path, size: int) -> bool:
    """Whether a file of this size is there itself, not by a symbolic link."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def wanted_files(source: Source) -> Iterator[WantedFile]:
    """The files of all models that are ready and not deleted."""
    for table in source_tables(source):
        if table.name != _TABLE:
            continue
        places = [table.column_names.index(name) for name in _COLUMNS]
        for rows in source.batches(table):
            for row in rows:
                model, name, key, size, sha256, status, deleted_at = (row[place] for place in places)
                if key is not None and status == ModelStatus.READY.value and deleted_at is None:
                    yield WantedFile(str(model), str(name), _ref_or_none(str(key), size, str(sha256)))


def _ref_or_none(key: str, size: object, sha256: str) -> FileRef | None:
    try:
        return FileRef(key, size if isinstance(size, int) else -1, sha256)
    except ValueError:
        return None
