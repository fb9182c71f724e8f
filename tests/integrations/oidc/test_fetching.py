"""Against real sockets: what a network does that a fake transport cannot."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from visiona.integrations.interface import ProviderUnavailable
from visiona.integrations.oidc.fetching import MAX_BYTES, open_fetcher

CERTIFICATES = Path(__file__).parents[2] / "support" / "certificates"
Handler = Callable[[trio.abc.Stream], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server on 127.0.0.1 that reads one head and leaves the rest to the handler; its URL."""

    async def one(stream: trio.abc.Stream) -> None:
        if context is not None:
            stream = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = await stream.receive_some()
                if not piece:
                    return
                head += piece
            await handler(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, one, [listener])
        scheme = "https" if context is not None else "http"
        yield f"{scheme}://127.0.0.1:{listener.socket.getsockname()[1]}/x?secret=1"
        nursery.cancel_scope.cancel()


def saying(text: bytes) -> Handler:
    async def say(stream: trio.abc.Stream) -> None:
        await stream.send_all(text)

    return say


async def asked(url: str, seconds: float = 1.0) -> object:
    async with open_fetcher(deadline_seconds=seconds) as fetcher:
        return (await fetcher.get(url)).fields


async def refused(url: str, seconds: float = 1.0) -> str:
    began = trio.current_time()
    with pytest.raises(ProviderUnavailable) as caught:
        await asked(url, seconds)
    assert trio.current_time() - began < seconds + 1
    assert "secret" not in str(caught.value)
    return str(caught.value)


async def test_an_honest_answer() -> None:
    async with serving(saying(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}')) as url:
        assert await asked(url) == {"a": 1}


async def test_a09_nobody_listens() -> None:
    async with serving(saying(b"")) as url:
        pass
    await refused(url)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500_000,
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",
    ],
    ids=lambda text: repr(text[:40]),
)
async def test_a09_what_is_no_answer(text: bytes) -> None:
    async with serving(saying(text)) as url:
        await refused(url)


async def test_a09_a_flood_is_cut_off_at_its_limit() -> None:
    sent = 0

    async def flood(stream: trio.abc.Stream) -> None:
        nonlocal sent
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b" " * 65536)
            sent += 65536

    async with serving(flood) as url:
        assert "more than" in await refused(url, 5)
    assert sent < MAX_BYTES + 8 * 1024 * 1024  # what socket buffers took


async def test_a09_one_that_says_nothing_or_drips_has_a_deadline() -> None:
    async def silent(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async def drip(stream: trio.abc.Stream) -> None:
        for byte in b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}':
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.05)

    for handler in (silent, drip):
        async with serving(handler) as url:
            assert "longer than 0.3 s" in await refused(url, 0.3)


async def test_a09_a_certificate_that_nobody_vouches_for() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "one.pem", CERTIFICATES / "one.key")
    async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), context) as url:
        assert "certificate" in (await refused(url)).lower()


async def test_a09_plain_http_where_tls_should_be() -> None:
    async with serving(saying(b"")) as url:
        await refused(url.replace("http:", "https:"))


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as url:
        assert await asked(url) == {}
