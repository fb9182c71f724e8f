"""Backups whose part with model files is not as it was written: a sentence each, and nothing is changed."""

import json
import random
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from visiona.stores.copying.backup import check
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.settings import StoreSettings

from tests.stores.copying.sample import dump
from tests.stores.copying.shelf import filled_with_files, lying
from tests.stores.copying.test_archive_reader import bytes_of, changed, with_manifest
from tests.stores.copying.test_backup import names_in
from tests.stores.copying.test_model_files import restored_with_files, with_files
from tests.stores.copying.watching import Watching

CONTENTS = [secrets.token_bytes(30_000), b"small", b"small", bytes(5000)]

FLIPS = 150


@pytest.fixture
async def good(tmp_path: Path) -> Path:
    await with_files(await filled_with_files(tmp_path / "state", CONTENTS), tmp_path / "good.zip")
    return tmp_path / "good.zip"


async def code_of(file: Path) -> str:
    """Why it is refused, by both; neither an empty place nor one with other files is changed."""
    with pytest.raises(CopyRefused) as checked:
        await check(file, Watching())
    empty = StoreSettings(None, file.parent / "empty")
    with pytest.raises(CopyRefused) as refused:
        await restored_with_files(empty, file)
    assert refused.value.code == checked.value.code
    assert set(names_in(empty.state_dir) if empty.state_dir.exists() else []) <= {"visiona.db.lock"}
    return refused.value.code


def first_content(good: Path) -> tuple[int, int]:
    """From where to where the members with contents lie."""
    content = bytes_of(good)
    return content.index(b"files/"), content.index(b"manifest.json")


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_flipped_bit_anywhere_in_the_files_changes_nothing(good: Path) -> None:
    """What is not refused is a time, a permission or a filler, which nobody asks for."""
    content, written = bytes_of(good), await check(good, Watching())
    other = await filled_with_files(good.parent / "other", [b"theirs"])
    rows, files = dump(other.database_file), lying(other.state_dir)
    bad, chance = good.with_name("bad.zip"), random.Random(4)
    begin, end = first_content(good)
    refused = 0
    for _ in range(FLIPS):
        place = chance.randrange(begin, end)
        flipped = bytes([content[place] ^ (1 << chance.randrange(8))])
        bad.write_bytes(content[:place] + flipped + content[place + 1 :])
        try:
            assert await check(bad, Watching()) == written
        except CopyRefused:
            refused += 1
            with pytest.raises(CopyRefused, match=r"is damaged: .* use another one"):
                await restored_with_files(other, bad, replaces=True)
            assert (dump(other.database_file), lying(other.state_dir)) == (rows, files)
    assert refused > FLIPS * 0.9


async def test_a_file_that_was_cut_off_in_its_files_is_refused(good: Path) -> None:
    content, bad = bytes_of(good), good.with_name("bad.zip")
    begin, end = first_content(good)
    for length in range(begin, end, (end - begin) // 10):
        bad.write_bytes(content[:length])
        assert await code_of(bad) == "BACKUP_DAMAGED"


async def test_contents_that_are_missing_longer_shorter_or_others_are_noticed(good: Path) -> None:
    member = f"files/{sha256(CONTENTS[0]).hexdigest()}"
    changes: tuple[Callable[[bytes], bytes | None], ...] = (
        lambda _: None,
        lambda _: b"",
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    )
    for change in changes:
        assert await code_of(changed(good, member, change)) == "BACKUP_DAMAGED"


async def test_a_list_that_is_not_what_was_written_is_noticed(good: Path) -> None:
    changes: tuple[Callable[[bytes], bytes | None], ...] = (
        lambda _: None,
        lambda _: b"",
        lambda content: content + content,
        lambda content: content[1:],
        lambda content: content.replace(b"model-", b"../..."),
    )
    for change in changes:
        assert await code_of(changed(good, "files.ndjson", change)) == "BACKUP_DAMAGED"


def relisted(good: Path, change: Callable[[list[Any]], list[Any]]) -> Path:
    """With another list that the manifest knows; somebody made it with care."""
    lists = []

    def edit(content: bytes) -> bytes:
        lines = change([json.loads(line) for line in content.splitlines()])
        lists.append(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        return lists[-1]

    def promise(document: Any) -> None:
        digest = sha256(lists[-1]).hexdigest()
        document["files"].update(files=lists[-1].count(b"\n"), sha256=digest)

    changed(good, "files.ndjson", edit).rename(good)
    return with_manifest(good, promise)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[1:],
        lambda lines: [["../../escaped-from-here", *line[1:]] for line in lines],
        lambda lines: [["model-of-nobody-known", *line[1:]] for line in lines],
        lambda lines: [[line[0], line[1], "../" + line[2][3:]] for line in lines],
        lambda lines: [[line[0], -1, line[2]] for line in lines],
        lambda lines: [[line[0], line[1] + 1, line[2]] for line in lines],
        lambda lines: [[line[0], True, line[2]] for line in lines],
        lambda lines: [{} for _ in lines],
        lambda lines: [7 for _ in lines],
        lambda lines: [line[:2] for line in lines],
        lambda lines: [[line[0], float(line[1]), line[2]] for line in lines],
    ],
)
async def test_a_list_that_was_made_up_is_refused(
    good: Path, change: Callable[[list[Any]], list[Any]]
) -> None:
    assert await code_of(relisted(good, change)) == "BACKUP_DAMAGED"
    assert not (good.parent / "escaped-from-here").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.pop("files"),
        lambda it: it.update(files=7),
        lambda it: it.update(files=[]),
        lambda it: it["files"].update(state="perhaps"),
        lambda it: it["files"].update(missing_count=1),
        lambda it: it["files"].update(missing=[7]),
        lambda it: it["files"].update(files="many"),
        lambda it: it.update(version=0),
        lambda it: it.update(version=-1),
    ],
)
async def test_a_manifest_that_does_not_fit_its_files_is_refused(
    good: Path, change: Callable[[Any], object]
) -> None:
    assert await code_of(with_manifest(good, change)) == "BACKUP_DAMAGED"
