import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trio
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files.errors import UploadBusy, WrongContent
from visiona.stores.files.interfaces import FileRef
from visiona.stores.files.s3 import S3Files
from visiona.stores.s3_address import parsed

from tests.stores.files.test_folder import all_files, bring, ref_of, whole
from tests.support.servers.s3 import S3Server

CONTENT = secrets.token_bytes(300_000)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.slow


@pytest.fixture
def prefix() -> str:
    return secrets.token_hex(4)


@pytest.fixture
async def files(s3_server: S3Server, tmp_path: Path, prefix: str) -> S3Files:
    return S3Files(parsed(s3_server.url(prefix)), tmp_path / "spool", reserve_bytes=0)


async def put(files: S3Files, ref: FileRef, content: bytes) -> int:
    url = await files.upload_url(ref, MINUTE)
    assert url is not None
    return await asked("PUT", url, content)


async def asked(method: str, url: str, content: bytes = CONTENT) -> int:
    """As a client far away: of all that we have only the URL."""
    answer = await trio.to_thread.run_sync(lambda: httpx.request(method, url, content=content))
    return answer.status_code


def lies(server: S3Server, prefix: str) -> set[str]:
    root = server.data / prefix
    return (
        {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        if root.exists()
        else set()
    )


async def test_a_file_comes_by_a_presigned_url_and_is_read_whole_and_in_ranges(
    files: S3Files, s3_server: S3Server, prefix: str
) -> None:
    ref = ref_of(CONTENT)
    assert not await files.settle(ref)
    assert await put(files, ref, CONTENT) == 200
    assert not await files.has(ref)
    assert await files.settle(ref)
    assert await files.settle(ref)
    assert (await files.has(ref), await files.received(ref)) == (True, len(CONTENT))
    assert await whole(files, ref) == CONTENT
    assert await whole(files, ref, 70_000, 100_001) == CONTENT[70_000:170_001]
    assert await whole(files, ref, len(CONTENT), 5) == b""
    assert lies(s3_server, prefix) == {f"objects/{ref.key}"}


async def test_m03_another_size_or_digest_is_refused_and_gone(
    files: S3Files, s3_server: S3Server, prefix: str
) -> None:
    ref = ref_of(CONTENT)
    for wrong, about in ((CONTENT[:-1], "size"), (CONTENT + b"!", "size"), (b"!" + CONTENT[1:], "sha256")):
        await put(files, ref, wrong)
        with pytest.raises(WrongContent) as refused:
            await files.settle(ref)
        assert refused.value.about == about
        assert lies(s3_server, prefix) == set()
    await put(files, ref, CONTENT)
    assert await files.settle(ref)


async def test_m03_whoever_still_has_the_url_changes_nothing_of_what_was_judged(files: S3Files) -> None:
    ref = ref_of(CONTENT)
    await put(files, ref, CONTENT)
    await files.settle(ref)
    assert await put(files, ref, bytes(len(CONTENT))) == 200
    assert await files.settle(ref)
    assert await whole(files, ref) == CONTENT


async def test_a_url_is_for_one_file_one_method_and_a_while(files: S3Files) -> None:
    ref, other = ref_of(CONTENT), ref_of(CONTENT, "0198-model-b")
    url = await files.upload_url(ref, MINUTE)
    short = await files.upload_url(ref, timedelta(seconds=1))
    assert url is not None
    assert short is not None
    assert await asked("PUT", url.replace(ref.key, other.key)) == 403
    assert await asked("GET", url, b"") == 403
    assert await asked("PUT", url.replace("incoming", "objects")) == 403
    await wait_refused(short)


async def wait_refused(url: str) -> None:
    """It ends by the store's own clock."""
    for _ in range(50):
        if await asked("PUT", url) == 403:
            return
        await trio.sleep(0.2)
    raise AssertionError("it never ended")


async def test_what_comes_through_us_is_gathered_here_and_goes_there_whole(
    files: S3Files, s3_server: S3Server, prefix: str, tmp_path: Path
) -> None:
    ref = ref_of(CONTENT)
    async with files.open_upload(ref) as upload:
        await upload.write(CONTENT[:1000])
        with pytest.raises(UploadBusy):
            async with files.open_upload(ref):
                pass
    assert await files.received(ref) == 1000
    await bring(files, ref, CONTENT)
    assert await whole(files, ref) == CONTENT
    assert all_files(tmp_path / "spool") == []
    assert lies(s3_server, prefix) == {f"objects/{ref.key}"}


async def test_a_file_is_deleted_with_what_came_of_it(
    files: S3Files, s3_server: S3Server, prefix: str
) -> None:
    ref = ref_of(CONTENT)
    assert not await files.delete(ref)
    await put(files, ref, CONTENT)
    await files.settle(ref)
    await put(files, ref, CONTENT)
    assert await files.delete(ref)
    assert not await files.has(ref)
    assert lies(s3_server, prefix) == set()


async def test_m03_sweeping_removes_what_nobody_knows(
    files: S3Files, s3_server: S3Server, prefix: str
) -> None:
    kept, orphan, left = (ref_of(CONTENT, f"0198-model-{n}") for n in range(3))
    for ref in (kept, orphan):
        await bring(files, ref, CONTENT)
    await put(files, left, CONTENT)

    async def known(keys: object) -> set[str]:
        return {kept.key}

    now = datetime.now(UTC)
    assert await files.sweep(known, now - timedelta(hours=1)) == 0
    assert await files.sweep(known, now + timedelta(hours=1)) == 2
    assert lies(s3_server, prefix) == {f"objects/{kept.key}"}


async def test_a_store_that_refuses_or_is_not_there_is_unavailable_and_says_nothing_of_itself(
    s3_server: S3Server, tmp_path: Path
) -> None:
    ref = ref_of(CONTENT)
    for url in (
        s3_server.url(secret="wrong"),
        s3_server.url(bucket="nowhere"),
        "s3+http://AK:SK@127.0.0.1:9/models",
    ):
        files = S3Files(parsed(url), tmp_path, reserve_bytes=0)
        with pytest.raises(StoreUnavailable) as refused:
            await bring(files, ref, CONTENT)
        assert "127.0.0.1" not in str(refused.value)
        assert "wrong" not in str(refused.value)
