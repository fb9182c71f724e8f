import json
import socket
import ssl
from functools import partial
from pathlib import Path

import pytest
import trio
from visiona.agent.addresses import Address
from visiona.agent.post import MAX_ANSWER_BYTES, Answer, PostFailed, post_json, tls_context


async def posted(answer: bytes, *, path: str = "") -> tuple[Answer, bytes]:
    """Posts to a server that says this; gives what came of it and the request."""
    requests: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            request = b""
            while not request.endswith(b"}"):
                request += await stream.receive_some()
            requests.append(request)
            await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        address = Address(False, "127.0.0.1", listener.socket.getsockname()[1], path)
        try:
            result = await post_json(address, "/api/x", {"a": "b"})
        finally:
            nursery.cancel_scope.cancel()
    return result, requests[0]


def answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Any", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_the_answer_is_status_object_and_retry_after() -> None:
    result, request = await posted(answer(429, b'{"x": 1}', "Retry-After: 7"))
    assert result == Answer(429, {"x": 1}, 7.0)
    assert request.startswith(b"POST /api/x HTTP/1.1\r\n")
    assert json.loads(request.partition(b"\r\n\r\n")[2]) == {"a": "b"}


async def test_a_site_under_a_path_is_asked_there() -> None:
    assert (await posted(answer(200, b"{}"), path="/visiona"))[1].startswith(b"POST /visiona/api/x ")


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"\xff"])
async def test_an_answer_without_an_object_is_an_empty_one(body: bytes) -> None:
    assert (await posted(answer(200, body)))[0].body == {}


async def test_a_redirect_is_not_followed() -> None:
    """The pairing token goes where the installer said and nowhere else."""
    result, _ = await posted(answer(307, b"", "Location: http://169.254.169.254/"))
    assert result.status == 307


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b"", "broke"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", "does not speak HTTP"),
        (answer(200, b"x" * (MAX_ANSWER_BYTES + 1)), "does not speak HTTP"),
    ],
)
async def test_no_usable_answer_is_a_sentence_and_may_have_arrived(said: bytes, sentence: str) -> None:
    with pytest.raises(ExceptionGroup) as group:
        await posted(said)
    failed = group.value.exceptions[0]
    assert isinstance(failed, PostFailed)
    assert sentence in str(failed)
    assert failed.may_have_arrived


async def test_nobody_there_is_a_sentence_and_has_not_arrived() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(PostFailed, match="cannot be reached") as failed:
        await post_json(Address(False, "127.0.0.1", port), "/", {})
    assert not failed.value.may_have_arrived


async def test_silence_ends_at_the_deadline(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _silent = trio.testing.memory_stream_pair()

    async def connected(*_: object) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return client

    monkeypatch.setattr("visiona.agent.post.open_connection", connected)
    with pytest.raises(PostFailed, match="within 20 s"):
        await post_json(Address(False, "h", 1), "/", {})


async def test_a_certificate_that_nobody_vouches_for_is_refused_with_a_sentence() -> None:
    async def say_nothing_useful(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, say_nothing_useful, 0, host="127.0.0.1"))
        address = Address(True, "127.0.0.1", listener.socket.getsockname()[1])
        with pytest.raises(PostFailed) as failed:
            await post_json(address, "/", {}, context=ssl.create_default_context())
        nursery.cancel_scope.cancel()
    assert "WRONG_VERSION_NUMBER" in str(failed.value).upper()


@pytest.mark.parametrize(("text", "why"), [(None, "No such file"), ("hello", "no certificates")])
def test_authorities_that_cannot_be_used_are_named(tmp_path: Path, text: str | None, why: str) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(OSError, match=why) as caught:
        tls_context(str(file))
    assert caught.value.filename == str(file)
