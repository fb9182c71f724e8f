"""An object store that is gone, silent, slow, or refuses: a sentence for people, a reason in the log, and no secret in either."""

import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
import trio
from visiona.stores.errors import StoreUnavailable
from visiona.stores.files import s3
from visiona.stores.files.s3 import BLOCK_BYTES, S3Files
from visiona.stores.s3_address import parsed

from tests.stores.files.test_folder import bring, ref_of
from tests.stores.files.test_s3 import CONTENT, put
from tests.support.servers.s3 import SECRET_KEY, S3Server

SECRET = "not-to-be-read-anywhere"
TALKATIVE = b"<Error><Code>%b</Code><Message>raw text of the store</Message><AWSAccessKeyId>AK</AWSAccessKeyId></Error>"

pytestmark = pytest.mark.slow


@asynccontextmanager
async def server_that(answer: bytes | None) -> AsyncIterator[str]:
    """Answers everything alike, or takes it and says nothing; its address for `storage.url`."""

    async def serve(stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            async with stream:
                while await stream.receive_some(65536):
                    if answer is not None:
                        await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        yield f"s3+http://AK:{SECRET}@127.0.0.1:{port}/models/"
        nursery.cancel_scope.cancel()


def refusal(status: bytes, code: bytes) -> bytes:
    body = TALKATIVE % code
    return b"HTTP/1.1 %b\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


async def refused(files: S3Files) -> list[str]:
    """What is said, whatever is asked."""
    ref, said = ref_of(CONTENT), []
    for deed in (
        lambda: files.has(ref),
        lambda: files.settle(ref),
        lambda: files.received(ref),
        lambda: files.delete(ref),
        lambda: bring(files, ref, CONTENT),
    ):
        with pytest.raises(StoreUnavailable) as error:
            await deed()
        said.append(str(error.value))
    return said


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (refusal(b"403 Forbidden", b"RequestTimeTooSkewed"), "clock"),
        (refusal(b"403 Forbidden", b"SignatureDoesNotMatch"), "key"),
        (refusal(b"401 Unauthorized", b"AccessDenied"), "key"),
        (refusal(b"500 Internal Server Error", b"InternalError"), "does not answer"),
        (refusal(b"503 Slow Down", b"SlowDown"), "does not answer"),
        (b"nonsense\r\n\r\n", "does not answer"),
    ],
    ids=["clock", "signature", "unknown", "broken", "busy", "no http"],
)
async def test_what_it_refuses_is_said_in_our_words_and_its_own_are_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: bytes, word: str
) -> None:
    async with server_that(answer) as url:
        files = S3Files(parsed(url), tmp_path, reserve_bytes=0)
        with caplog.at_level(logging.WARNING):
            said = await refused(files)
    assert all(word in sentence for sentence in said), said
    assert not any("raw text" in sentence or "127.0.0.1" in sentence for sentence in said)
    reasons = [str(vars(record).get("reason")) for record in caplog.records]
    assert len(reasons) >= len(said)
    assert not any(SECRET in text for text in (*reasons, caplog.text))


async def test_one_that_takes_all_and_says_nothing_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "ANSWER_SECONDS", timedelta(seconds=0.2))
    monkeypatch.setattr(s3, "WORK_SECONDS", timedelta(seconds=0.2))
    async with server_that(None) as url:
        files = S3Files(parsed(url), tmp_path, reserve_bytes=0)
        with trio.fail_after(15):
            await refused(files)


async def test_who_reads_slowly_keeps_no_request_open_and_who_loses_the_store_is_told(tmp_path: Path) -> None:
    """A request has to end in time, and a download takes what its client takes: one of 30 s used to break off."""
    server = S3Server()
    try:
        files = S3Files(parsed(server.url()), tmp_path, reserve_bytes=0)
        content = CONTENT * 12
        assert len(content) > 3 * BLOCK_BYTES
        ref, got = ref_of(content), b""
        await bring(files, ref, content)
        async with files.open_file_or_none(ref) as file:
            assert file is not None
            pieces = file.read(100)
            with pytest.raises(StoreUnavailable):
                async for piece in pieces:
                    # Nothing of what is read now is on its way any more.
                    server.kill()
                    got += piece
        assert got == content[100 : 100 + BLOCK_BYTES]
    finally:
        server.close()


async def test_m03_a_file_that_became_shorter_is_no_file_that_ends_well(
    s3_server: S3Server, tmp_path: Path
) -> None:
    files = S3Files(parsed(s3_server.url("short")), tmp_path, reserve_bytes=0)
    ref = ref_of(CONTENT)
    await bring(files, ref, CONTENT)
    async with files.open_file_or_none(ref) as file:
        assert file is not None
        (s3_server.data / "short" / "objects" / ref.key).write_bytes(CONTENT[:1000])
        with pytest.raises(StoreUnavailable):
            async for _ in file.read():
                pass


async def test_m03_of_many_who_finish_one_file_at_once_one_judges_it(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one copied what came after the other's verdict to where the other had found it good."""
    files = S3Files(parsed(s3_server.url("once")), tmp_path, reserve_bytes=0)
    ref, copies, copy = ref_of(CONTENT), [], obstore.copy

    def counted(*given: Any) -> None:
        copies.append(given)
        copy(*given)

    monkeypatch.setattr(obstore, "copy", counted)
    assert await put(files, ref, CONTENT) == 200
    settled: list[bool] = []

    async def settle() -> None:
        settled.append(await files.settle(ref))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(settle)
    assert settled == [True] * 10
    assert len(copies) == 1
    assert files._settling == {}


async def test_the_secret_is_in_no_error_and_no_repr(tmp_path: Path, s3_server: S3Server) -> None:
    address = parsed(s3_server.url())
    assert SECRET_KEY not in repr(address) + str(address)
    files = S3Files(address, tmp_path, reserve_bytes=0)
    url = await files.upload_url(ref_of(CONTENT), timedelta(minutes=1))
    assert SECRET_KEY not in str(url)
