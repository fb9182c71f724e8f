"""How a backup's contents are shown, whether it was written, checked or restored."""

from typing import Any

from visiona.stores.copying.errors import in_units
from visiona.stores.copying.file_list import FilesEntry, FilesState
from visiona.stores.copying.manifest import Manifest

_STATES = {
    FilesState.LEFT_OUT: "left out",
    FilesState.IN_OBJECT_STORE: "in the object store",
}


def contents_of(manifest: Manifest) -> dict[str, Any]:
    """For programs."""
    return {
        "tables": {table.name: table.digest.rows for table in manifest.tables},
        "state_files": sorted(manifest.state_files),
        "model_files": None if manifest.files is None else _entry(manifest.files),
    }


def contents_shown(manifest: Manifest) -> dict[str, str]:
    """For people."""
    return {"state files": ", ".join(sorted(manifest.state_files)), "model files": _words(manifest.files)}


def _entry(files: FilesEntry) -> dict[str, Any]:
    return {
        "state": files.state.value,
        "files": files.listed.rows,
        "contents": files.contents,
        "bytes": files.bytes,
        "missing": files.missing_count,
    }


def _words(files: FilesEntry | None) -> str:
    if files is None:
        return "none, as in every backup of that version"
    if files.state in _STATES:
        return _STATES[files.state]
    lacking = f"; {files.missing_count} missing" if files.missing_count else ""
    return f"{files.listed.rows} ({in_units(files.bytes)}){lacking}"
