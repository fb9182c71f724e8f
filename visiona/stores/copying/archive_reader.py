"""Reading a backup, which may be cut off, damaged, somebody else's, or of a time to come.

Members are asked for by names of ours and read as streams; nothing is ever unpacked under a name from the file.
"""

import errno
import hashlib
import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from visiona.stores.copying import manifest
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.errors import CopyRefused, damaged
from visiona.stores.copying.file_list import LIST, contents_of, from_list, member_of
from visiona.stores.copying.loading import source_tables
from visiona.stores.copying.rows import BATCH_ROWS, Digest, Row, from_lines
from visiona.stores.copying.tables import Table
from visiona.stores.errors import SchemaMismatch
from visiona.stores.files.content import READ_BYTES
from visiona.stores.files.interfaces import FileRef
from visiona.stores.sql.migrate import Applied

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Of one row; the longest that the server makes have some hundred kilobytes."""

MAX_STATE_FILE_BYTES = 1024 * 1024

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError, ValueError)
"""What zipfile raises for files that are not as it wrote them; and OSError for a place before the file's beginning."""


class Archive:
    """See ends.Source."""

    def __init__(self, name: str, archive: zipfile.ZipFile) -> None:
        self.name = name
        self._archive = archive
        if manifest.NAME not in archive.namelist():
            raise CopyRefused("the file is no backup of visiona", code="BACKUP_FOREIGN")
        self.manifest = manifest.from_json(self._small(manifest.NAME, manifest.MAX_BYTES))
        self._files: list[FileRef] | None = None
        self._promised = {table.name: table.digest for table in self.manifest.tables}

    @property
    def engine(self) -> str:
        return self.manifest.engine

    @property
    def applied(self) -> Sequence[Applied]:
        return self.manifest.schema

    def count(self, table: Table) -> int:
        return self._promised[table.name].rows

    def promised(self, table: Table) -> Digest | None:
        return self._promised[table.name]

    def batches(self, table: Table) -> Iterator[list[Row]]:
        kinds = table.kinds
        with _telling(table.name), self._archive.open(f"tables/{table.name}.ndjson") as member:
            lines = iter(lambda: member.readline(MAX_LINE_BYTES), b"")
            while batch := list(islice(lines, BATCH_ROWS)):
                yield from_lines(batch, kinds)

    @property
    def mark(self) -> int:
        """A file is marked by nobody."""
        return 0

    def renew(self) -> None:
        """It is the one it is."""

    def release(self) -> None:
        """It is open as long as it is."""

    def state_files(self) -> Mapping[str, bytes]:
        """The files of the state directory, by their names."""
        found = {
            name: self._small(f"state/{name}", MAX_STATE_FILE_BYTES) for name in self.manifest.state_files
        }
        for name, content in found.items():
            if hashlib.sha256(content).hexdigest() != self.manifest.state_files[name]:
                raise damaged(f"its {name} is not the one that was written")
        return found

    def files(self) -> list[FileRef]:
        """The files of models that it has, in the order of their contents; CopyRefused where they cannot be whole."""
        if self._files is None:
            self._files = self._listed()
        return self._files

    def _listed(self) -> list[FileRef]:
        entry = self.manifest.files
        if entry is None or not entry.listed.rows:
            return []
        digest, refs = hashlib.sha256(), []
        with _telling(LIST), self._archive.open(LIST) as member:
            lines = iter(lambda: member.readline(MAX_LINE_BYTES), b"")
            while batch := list(islice(lines, BATCH_ROWS)):
                digest.update(b"".join(batch))
                refs += from_list(batch)
        if Digest(len(refs), digest.hexdigest()) != entry.listed:
            raise damaged("its list of files is not the one that was written")
        for ref in refs:
            with _telling(ref.sha256):
                if self._archive.getinfo(member_of(ref.sha256)).file_size != ref.size:
                    raise damaged(f"its {member_of(ref.sha256)} has another size than its list says")
        return refs

    def pieces(self, ref: FileRef) -> Generator[bytes, None, None]:
        """A file's content; CopyRefused at its end where it was not what it is called. Who may stop before closes it."""
        digest, count, name = hashlib.sha256(), 0, member_of(ref.sha256)
        with _telling(name), self._archive.open(name) as member:
            while count <= ref.size and (piece := member.read(READ_BYTES)):
                digest.update(piece)
                count += len(piece)
                yield piece
        if count != ref.size or digest.hexdigest() != ref.sha256:
            raise damaged(f"its {name} is not what was written")

    def check_files(self, progress: Progress) -> None:
        """Reads all of them; CopyRefused where they are not as they were."""
        for ref in contents_of(self.files()):
            with closing(self.pieces(ref)) as pieces:
                for piece in pieces:
                    progress.pass_bytes(len(piece))

    def _small(self, name: str, max_bytes: int) -> bytes:
        with _telling(name), self._archive.open(name) as member:
            content = member.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise damaged(f"its {name} is far too long")
        return content


@contextmanager
def open_archive(path: Path | BinaryIO) -> Iterator[Archive]:
    """Opens a backup and sees that it is one of ours, and of a schema that this program knows.

    Raises:
        CopyRefused: it is not.
        OSError: it cannot be read.
    """
    try:
        opened = zipfile.ZipFile(path)
    except _DAMAGES as error:
        if _begins_like_ours(path):
            raise damaged("it is cut off, or its end is broken") from error
        raise CopyRefused("the file is no backup of visiona", code="BACKUP_FOREIGN") from error
    with opened:
        if any(member.compress_type not in _METHODS for member in opened.infolist()):
            raise damaged("it is packed in a way that is not ours")
        archive = Archive(str(path) if isinstance(path, Path) else "the backup", opened)
        _check_tables(archive)
        yield archive


def _begins_like_ours(path: Path | BinaryIO) -> bool:
    with path.open("rb") if isinstance(path, Path) else nullcontext(path) as file:
        file.seek(0)
        return file.read(4) == b"PK\x03\x04"


def _check_tables(archive: Archive) -> None:
    try:
        tables = source_tables(archive)
    except SchemaMismatch as error:
        raise CopyRefused(
            f"the backup was written by another visiona ({archive.manifest.program}) with a schema that this one"
            " does not know; restore it with that version",
            code="BACKUP_NEWER",
        ) from error
    found = [(table.name, table.columns) for table in archive.manifest.tables]
    if found != [(table.name, table.column_names) for table in tables]:
        raise damaged("its manifest names other tables than its schema has")


@contextmanager
def _telling(what: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGES as error:
        raise damaged(f"its {what} cannot be read") from error
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise damaged(f"its {what} cannot be read") from error
        raise
