"""What a backup says about itself: `manifest.json`, the last of its members.

The one place that knows the format's spelling. A backup is a ZIP file: `tables/NAME.ndjson` for each table, with a
JSON list for each row in the order of the manifest's columns; `state/NAME` for each file of the state directory;
the files of models (file_list.py); and this. The checksums are SHA-256 over the members as they are unpacked.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from visiona.stores.copying import file_list
from visiona.stores.copying.errors import CopyRefused, damaged
from visiona.stores.copying.file_list import FilesEntry
from visiona.stores.copying.rows import Digest
from visiona.stores.sql.migrate import Applied

NAME = "manifest.json"
FORMAT = "visiona backup"
VERSION = 2
FIRST_VERSION = 1
"""Had no files of models, and said nothing of them."""

MAX_BYTES = 1024 * 1024
"""Some kilobytes are usual."""


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One table: what its lines hold, how many and which there are."""

    name: str
    columns: tuple[str, ...]
    digest: Digest


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a backup.

    Attributes:
        program: the version of visiona that wrote it.
        engine: what it was written from, `sqlite` or `postgresql`; it can be restored into either.
        schema: the steps that had run there.
        state_files: their names → SHA-256.
        files: of models; None in a backup of format 1, which has none.
    """

    program: str
    engine: str
    created_at: datetime
    schema: tuple[Applied, ...]
    tables: tuple[TableEntry, ...]
    state_files: dict[str, str]
    files: FilesEntry | None = None

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.digest.rows for table in self.tables)


def to_json(manifest: Manifest) -> bytes:
    """As it stands in the file."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "visiona": manifest.program,
        "engine": manifest.engine,
        "created_at": manifest.created_at.isoformat(),
        "schema": [
            {"number": step.number, "name": step.name, "digest": step.digest} for step in manifest.schema
        ],
        "tables": [
            {
                "name": table.name,
                "columns": table.columns,
                "rows": table.digest.rows,
                "sha256": table.digest.sha256,
            }
            for table in manifest.tables
        ],
        "state_files": [
            {"name": name, "sha256": sha256} for name, sha256 in sorted(manifest.state_files.items())
        ],
    }
    if manifest.files is None:
        document["version"] = FIRST_VERSION
    else:
        document["files"] = file_list.to_document(manifest.files)
    return json.dumps(document, indent=2).encode() + b"\n"


def from_json(text: bytes) -> Manifest:
    """The manifest again; CopyRefused where it is none, or of a later format."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged("its manifest cannot be read") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CopyRefused("the file is no backup of visiona", code="BACKUP_FOREIGN")
    version = document.get("version")
    if type(version) is not int or version > VERSION:
        raise CopyRefused(
            f"the backup was written by a newer visiona ({document.get('visiona')}); restore it with that one",
            code="BACKUP_NEWER",
        )
    if version < FIRST_VERSION:
        raise damaged("its manifest names a format that there never was")
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged("its manifest lacks something") from error


def _read(document: dict[str, Any]) -> Manifest:
    return Manifest(
        program=_text(document["visiona"]),
        engine=_text(document["engine"]),
        created_at=datetime.fromisoformat(document["created_at"]),
        schema=tuple(
            Applied(int(step["number"]), _text(step["name"]), _text(step["digest"]))
            for step in _list(document["schema"])
        ),
        tables=tuple(
            TableEntry(
                _text(table["name"]),
                tuple(_text(column) for column in _list(table["columns"])),
                Digest(int(table["rows"]), _text(table["sha256"])),
            )
            for table in _list(document["tables"])
        ),
        state_files={_text(file["name"]): _text(file["sha256"]) for file in _list(document["state_files"])},
        files=None if document["version"] == FIRST_VERSION else file_list.from_document(document["files"]),
    )


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
