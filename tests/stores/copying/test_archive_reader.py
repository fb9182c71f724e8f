"""Files that are not as they were written: a sentence each, and never a wrong row."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from visiona.stores.copying.archive_reader import open_archive
from visiona.stores.copying.backup import check
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.manifest import Manifest
from visiona.stores.settings import StoreSettings

from tests.stores.copying.sample import filled
from tests.stores.copying.test_backup import backed_up, names_in, restored
from tests.stores.copying.watching import Watching


@pytest.fixture
async def good(tmp_path: Path) -> Path:
    await backed_up(await filled(tmp_path / "state"), tmp_path / "good.zip")
    return tmp_path / "good.zip"


async def code_of(file: Path) -> str | None:
    """Why it is refused, both when it is checked and when it is restored; None for a good one."""
    target = StoreSettings(None, file.parent / "target")
    shutil.rmtree(target.state_dir, ignore_errors=True)
    codes = []
    for read in (check(file, Watching()), restored(target, file)):
        try:
            await read
            codes.append(None)
        except CopyRefused as refused:
            codes.append(refused.code)
            assert set(names_in(file.parent / "target") if target.state_dir.exists() else []) <= {
                "visiona.db.lock"
            }
    assert codes[0] == codes[1]
    return codes[0]


def bytes_of(file: Path) -> bytes:
    return file.read_bytes()


def write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def changed(good: Path, member: str, change: Callable[[bytes], bytes | None]) -> Path:
    """A copy with one member changed, or left out; with all checksums that ZIP itself has."""
    bad = good.with_name("bad.zip")
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            after = change(content) if name == member else content
            if after is not None:
                target.writestr(name, after)
    return bad


def with_manifest(good: Path, change: Callable[[Any], object]) -> Path:
    def edit(content: bytes) -> bytes:
        document = json.loads(content)
        change(document)
        return json.dumps(document).encode()

    return changed(good, "manifest.json", edit)


async def test_a_good_one_is_good(good: Path) -> None:
    assert await code_of(good) is None
    assert isinstance(await check(good, watching := Watching()), Manifest)
    assert watching.rows == watching.total


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(good: Path) -> None:
    content = bytes_of(good)
    promised = (await check(good, Watching())).tables
    bad = good.with_name("bad.zip")
    codes = []
    for place in range(0, len(content), 7):
        bad.write_bytes(content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :])
        try:
            # Times, permissions and the like, which nobody asks for.
            assert (await check(bad, Watching())).tables == promised
        except CopyRefused as refused:
            codes.append(refused.code)
    assert set(codes) <= {"BACKUP_DAMAGED", "BACKUP_FOREIGN", "BACKUP_NEWER"}
    assert len(codes) > len(content) / 7 * 0.7


async def test_a_file_that_was_cut_off_anywhere_is_refused(good: Path) -> None:
    content = bytes_of(good)
    bad = good.with_name("bad.zip")
    for length in range(4, len(content), len(content) // 40):
        bad.write_bytes(content[:length])
        with pytest.raises(CopyRefused) as caught:
            await check(bad, Watching())
        assert caught.value.code == "BACKUP_DAMAGED"
    bad.write_bytes(content[:-1])
    assert await code_of(bad) == "BACKUP_DAMAGED"


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\x00" * 100, b"\x1f\x8b" * 50])
async def test_other_files_are_none_of_ours(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert await code_of(tmp_path / "file") == "BACKUP_FOREIGN"


async def test_other_zip_files_are_none_of_ours(good: Path) -> None:
    assert await code_of(changed(good, "manifest.json", lambda _: None)) == "BACKUP_FOREIGN"
    assert await code_of(with_manifest(good, lambda it: it.update(format="other"))) == "BACKUP_FOREIGN"
    assert await code_of(changed(good, "manifest.json", lambda _: b"[]")) == "BACKUP_FOREIGN"


async def test_a_later_format_or_schema_says_so(good: Path) -> None:
    assert await code_of(with_manifest(good, lambda it: it.update(version=3))) == "BACKUP_NEWER"
    step = {"number": 9999, "name": "future", "digest": "0"}
    assert await code_of(with_manifest(good, lambda it: it["schema"].append(step))) == "BACKUP_NEWER"
    assert await code_of(with_manifest(good, lambda it: it["schema"][0].update(digest="0"))) == "BACKUP_NEWER"
    with pytest.raises(CopyRefused, match=r"newer visiona \(7\.0\)"):
        await check(with_manifest(good, lambda it: it.update(version=3, visiona="7.0")), Watching())


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.pop("tables"),
        lambda it: it["tables"].pop(),
        lambda it: it["tables"].reverse(),
        lambda it: it["tables"][0].pop("rows"),
        lambda it: it["tables"][0].update(rows="many"),
        lambda it: it["tables"][0].update(rows=1),
        lambda it: it["tables"][0].update(sha256="0" * 64),
        lambda it: it["tables"][0].update(name="users; DROP TABLE users"),
        lambda it: it["tables"][0]["columns"].pop(),
        lambda it: it.update(tables={}),
        lambda it: it.update(created_at="yesterday"),
        lambda it: it.update(version="1"),
        lambda it: it["state_files"][0].update(sha256="0" * 64),
        lambda it: it["state_files"][0].update(name=7),
    ],
)
async def test_a_manifest_that_does_not_fit_is_refused(good: Path, change: Callable[[Any], object]) -> None:
    assert await code_of(with_manifest(good, change)) in {"BACKUP_DAMAGED", "BACKUP_NEWER"}


async def test_rows_that_are_missing_twice_or_others_are_noticed(good: Path) -> None:
    for change in (
        lambda content: b"",
        lambda content: content + content,
        lambda content: content.replace(b"ada@", b"eve@"),
        lambda content: b"x" * 100,
        lambda content: b'["\\ud800",null,null,null,null,null,null]\n',
        lambda content: None,
    ):
        assert await code_of(changed(good, "tables/users.ndjson", change)) == "BACKUP_DAMAGED"
    assert await code_of(changed(good, "state/session.key", lambda _: b"another")) == "BACKUP_DAMAGED"
    assert await code_of(changed(good, "state/session.key", lambda _: b"x" * 2_000_000)) == "BACKUP_DAMAGED"


async def test_no_file_of_the_archive_is_written_outside_its_place(good: Path) -> None:
    content = b"mine"
    entry = {"name": "../outside", "sha256": hashlib.sha256(content).hexdigest()}
    bad = with_manifest(good, lambda it: it["state_files"].append(entry))
    with zipfile.ZipFile(bad, "a") as archive:
        archive.writestr("state/../outside", content)
    with pytest.raises(CopyRefused) as caught:
        await restored(StoreSettings(None, good.parent / "target"), bad)
    assert caught.value.code == "BACKUP_NEWER"
    assert not (good.parent / "outside").exists()


async def test_rows_that_fit_the_checksums_and_not_each_other_are_refused(good: Path) -> None:
    """Somebody made this file with care."""
    rows = b""
    digest = hashlib.sha256(rows).hexdigest()

    def without_users(document: Any) -> None:
        document["tables"][0].update(rows=0, sha256=digest)

    shutil.move(with_manifest(good, without_users), good)
    bad = changed(good, "tables/users.ndjson", lambda _: rows)
    await check(bad, Watching())
    target = StoreSettings(None, good.parent / "target")
    with pytest.raises(CopyRefused, match="do not fit together"):
        await restored(target, bad)
    assert names_in(target.state_dir) == ["visiona.db.lock"]


async def test_a_file_with_a_password_is_refused(good: Path) -> None:
    content = bytearray(bytes_of(good))
    at = content.index(b"PK\x01\x02")
    while at >= 0:
        content[at + 8] |= 1
        at = content.find(b"PK\x01\x02", at + 4)
    write(good, bytes(content))
    assert await code_of(good) == "BACKUP_DAMAGED"


async def test_a_file_that_is_not_there_is_the_systems_word(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await check(tmp_path / "none.zip", Watching())
    with pytest.raises(IsADirectoryError), open_archive(tmp_path):
        await trio.lowlevel.checkpoint()
