"""Models with files, as a server makes them: rows in the database, and files in their folder."""

import dataclasses
import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from visiona.domain.models import Model, ModelStatus
from visiona.stores.files.content import ContentFolder
from visiona.stores.files.folder import FolderFiles
from visiona.stores.files.interfaces import FileRef, FileStore
from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.stores.copying.sample import filled
from tests.support.nouns import a_home


def ref_of(content: bytes) -> FileRef:
    return FileRef(f"model-{secrets.token_hex(8)}", len(content), hashlib.sha256(content).hexdigest())


def folder_in(state_dir: Path, reserve_bytes: int = 0) -> ContentFolder:
    return ContentFolder(state_dir / "files", reserve_bytes)


async def put(files: FileStore, ref: FileRef, content: bytes) -> None:
    async with files.open_upload(ref) as upload:
        await upload.write(content)
        await upload.commit()


async def add_models(
    stores: Stores, files: FileStore, contents: Sequence[bytes], email: str = "models@example.com"
) -> list[Model]:
    home, models = await a_home(stores, email), []
    for content in contents:
        ref = ref_of(content)
        await put(files, ref, content)
        model = dataclasses.replace(
            home.model(),
            version=ref.key,
            file_size=ref.size,
            sha256=ref.sha256,
            status=ModelStatus.READY,
            faa_object_key=ref.key,
        )
        await stores.write(lambda tx, model=model: tx.models.add(model))
        models.append(model)
    return models


async def filled_with_files(state_dir: Path, contents: Sequence[bytes]) -> StoreSettings:
    """As sample.filled, with a model more for each content."""
    settings = await filled(state_dir)
    files = FolderFiles(state_dir / "files", reserve_bytes=0)
    async with open_stores(settings, exclusive=False) as stores:
        await add_models(stores, files, contents)
    return settings


def lying(state_dir: Path) -> dict[str, bytes]:
    """All files in the folder, by their paths in it."""
    root = state_dir / "files"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def places(state_dir: Path, contents: Sequence[bytes]) -> int:
    """How many of these contents have an object, each a link to its one blob."""
    found = lying(state_dir)
    count = 0
    for content in contents:
        sha256 = hashlib.sha256(content).hexdigest()
        assert found[f"blobs/{sha256[:2]}/{sha256}"] == content
        count += sum(path.startswith("objects/") and there == content for path, there in found.items())
    return count
