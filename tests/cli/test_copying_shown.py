from datetime import UTC, datetime

import pytest
from visiona.cli.copying_shown import contents_of, contents_shown
from visiona.stores.copying.file_list import FilesEntry, FilesState, Missing, without_files
from visiona.stores.copying.manifest import Manifest, TableEntry
from visiona.stores.copying.rows import Digest

SOME = FilesEntry(FilesState.INCLUDED, 2, 3 * 1024**2, Digest(3, "0"), 1, (Missing("id", "yolo", "missing"),))


def manifest(files: FilesEntry | None) -> Manifest:
    users = TableEntry("users", ("id",), Digest(2, "0"))
    return Manifest("1.0", "sqlite", datetime.now(UTC), (), (users,), {"b": "0", "a": "0"}, files)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (SOME, "3 (3.0 MiB); 1 missing"),
        (without_files(FilesState.INCLUDED), "0 (0 B)"),
        (without_files(FilesState.LEFT_OUT), "left out"),
        (without_files(FilesState.IN_OBJECT_STORE), "in the object store"),
        (None, "none, as in every backup of that version"),
    ],
)
def test_people_read_what_is_in_it(files: FilesEntry | None, said: str) -> None:
    assert contents_shown(manifest(files)) == {"state files": "a, b", "model files": said}


def test_programs_get_all_of_it() -> None:
    shown = contents_of(manifest(SOME))
    assert (shown["tables"], shown["state_files"]) == ({"users": 2}, ["a", "b"])
    files = {"state": "included", "files": 3, "contents": 2, "bytes": 3 * 1024**2, "missing": 1}
    assert shown["model_files"] == files
    assert contents_of(manifest(None))["model_files"] is None
