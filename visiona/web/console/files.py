"""The console's files, read once into memory: no request ever names a path on the disk (H-07).

They are served below one name that is made from all their contents. A browser may keep them for ever, and a page never
mixes the scripts of two releases: its scripts import each other by relative names, so all of them are of one version.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

CONTENT_TYPES: Mapping[str, str] = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served; a file of another kind in the folders is not."""

FOLDERS = ("assets", "text")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All of them.

    Attributes:
        version: changes whenever any of them does.
        by_name: as the pages write it, such as `pages/devices.js`.
    """

    version: str
    by_name: Mapping[str, Asset]


def load_assets() -> Assets:
    """Reads what came with this installation."""
    found: dict[str, Asset] = {}
    whole = hashlib.sha256()
    for folder in FOLDERS:
        prefix = "" if folder == "assets" else f"{folder}/"
        for name, body in _walk(files("visiona.web.console") / folder, prefix):
            suffix = name[name.rfind(".") :]
            if suffix in CONTENT_TYPES:
                digest = hashlib.sha256(body)
                whole.update(name.encode() + b"\0" + digest.digest())
                found[name] = Asset(body, CONTENT_TYPES[suffix], digest.hexdigest()[:20])
    return Assets(whole.hexdigest()[:16], found)


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    read: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            read += _walk(entry, f"{prefix}{entry.name}/")
        else:
            read.append((prefix + entry.name, entry.read_bytes()))
    return read
