"""The model files in a backup, as they are spelled there.

`files/SHA256` is a content, packed as it is; `files.ndjson` has a line `[key, size, sha256]` for each file, in the order
of the contents; and the manifest says under `files` what the two come to.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from visiona.stores.copying.errors import damaged
from visiona.stores.copying.rows import Digest
from visiona.stores.files.interfaces import FileRef

LIST = "files.ndjson"

MISSING_NAMED = 50
"""So many are named; it is for people, and the manifest is to stay small."""


class FilesState(Enum):
    """Whether a backup has the files of its models."""

    INCLUDED = "included"
    LEFT_OUT = "left_out"
    IN_OBJECT_STORE = "in_object_store"


@dataclass(frozen=True, slots=True)
class Missing:
    """A model whose file could not be kept.

    Attributes:
        model: its id.
        name: what people call it.
        why: `missing` or `damaged`.
    """

    model: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class FilesEntry:
    """What the manifest says of the files.

    Attributes:
        contents: how many members there are; two files of the same content are one.
        bytes: of all of them.
        listed: the lines of the list.
        missing_count: of models that are ready and have no file here.
        missing: the first of them.
    """

    state: FilesState
    contents: int
    bytes: int
    listed: Digest
    missing_count: int
    missing: tuple[Missing, ...]


def without_files(state: FilesState) -> FilesEntry:
    """Of a backup that has none."""
    return FilesEntry(state, 0, 0, Digest(0, hashlib.sha256().hexdigest()), 0, ())


def member_of(sha256: str) -> str:
    """The name of a content in the archive."""
    return f"files/{sha256}"


def contents_of(refs: Iterable[FileRef]) -> list[FileRef]:
    """One file of each content."""
    return list({ref.sha256: ref for ref in refs}.values())


def to_list(refs: Iterable[FileRef]) -> bytes:
    """The lines of the list."""
    return b"".join(
        json.dumps([ref.key, ref.size, ref.sha256], separators=(",", ":")).encode() + b"\n" for ref in refs
    )


def from_list(lines: Sequence[bytes]) -> list[FileRef]:
    """The files of lines; CopyRefused where they name none."""
    try:
        found = [json.loads(line) for line in lines]
        if not all(
            type(key) is str and type(size) is int and type(sha256) is str for key, size, sha256 in found
        ):
            raise TypeError
        return [FileRef(key, size, sha256) for key, size, sha256 in found]
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged("its list of files cannot be read") from error


def to_document(entry: FilesEntry) -> dict[str, Any]:
    """As it stands in the manifest."""
    return {
        "state": entry.state.value,
        "contents": entry.contents,
        "bytes": entry.bytes,
        "files": entry.listed.rows,
        "sha256": entry.listed.sha256,
        "missing_count": entry.missing_count,
        "missing": [{"model": each.model, "name": each.name, "why": each.why} for each in entry.missing],
    }


def from_document(document: dict[str, Any]) -> FilesEntry:
    """The entry again; KeyError, TypeError or ValueError where it is none."""
    return FilesEntry(
        FilesState(document["state"]),
        int(document["contents"]),
        int(document["bytes"]),
        Digest(int(document["files"]), str(document["sha256"])),
        int(document["missing_count"]),
        tuple(
            Missing(str(each["model"]), str(each["name"]), str(each["why"])) for each in document["missing"]
        ),
    )
