"""Redis behind TLS, through the nested loop. The server of the tests speaks none, so it is put before one."""

import contextlib
import shutil
import ssl
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import trio
from visiona.stores.redis import tls

from tests.stores.redis.beside import beside, refusal, seconds_until_answered
from tests.support.nouns import NOW, a_home
from tests.support.servers.redis import RedisServer

CERTIFICATES = Path(__file__).parents[2] / "support" / "certificates"
VOUCHED = f"?ssl_ca_certs={CERTIFICATES / 'one.pem'}"


@contextlib.asynccontextmanager
async def tls_before(server: RedisServer) -> AsyncIterator[int]:
    """Its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "one.pem", CERTIFICATES / "one.key")

    async def serve(stream: trio.SocketStream) -> None:
        near = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        with contextlib.suppress(trio.BrokenResourceError):
            await near.do_handshake()
            async with (
                await trio.open_tcp_stream("127.0.0.1", server.port) as far,
                trio.open_nursery() as both,
            ):
                both.start_soon(_pass_on, near, far, both.cancel_scope)
                both.start_soon(_pass_on, far, near, both.cancel_scope)
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(partial(trio.serve_listeners, serve, listeners))
        yield int(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def _pass_on(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream, both: trio.CancelScope) -> None:
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while piece := await source.receive_some(65536):
            await sink.send_all(piece)
    both.cancel()


def url(port: int, query: str = "", host: str = "127.0.0.1") -> str:
    return f"rediss://{host}:{port}/0{query}"


async def test_sessions_go_through_tls(server: RedisServer) -> None:
    async with tls_before(server) as port, beside(url(port, VOUCHED)) as stores:
        home = await a_home(stores)
        session = home.session()
        await stores.sessions.create(session)
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(stores.sessions.get_or_none, session.token_hash, NOW)
        assert await stores.sessions.get_or_none(session.token_hash, NOW) == session
        assert await stores.pings["redis"]() is None


async def test_whoever_is_vouched_for_by_nobody_is_not_told_the_password(server: RedisServer) -> None:
    async with tls_before(server) as port:
        for query in ("", f"?ssl_ca_certs={CERTIFICATES / 'two.pem'}"):
            async with beside(url(port, query)) as stores:
                assert "certificate" in str(await refusal(stores.pings["redis"]))


async def test_a_certificate_for_another_name_is_not_believed(server: RedisServer) -> None:
    async with tls_before(server) as port, beside(url(port, VOUCHED, host="localhost")) as stores:
        assert "certificate" in str(await refusal(stores.pings["redis"]))


async def test_a_file_that_is_not_there_vouches_for_nobody(server: RedisServer) -> None:
    async with tls_before(server) as port, beside(url(port, "?ssl_ca_certs=/nonexistent.pem")) as stores:
        assert "ssl_ca_certs" in str(await refusal(stores.pings["redis"]))


async def test_who_vouches_is_read_once_for_any_number_of_connections_and_keeps_nobody_waiting(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, main = [], threading.get_ident()
    create = ssl.create_default_context

    def counting(**options: str) -> ssl.SSLContext:
        assert threading.get_ident() != main
        read.append(options)
        return create(**options)

    async with tls_before(server) as port:
        monkeypatch.setattr(tls.ssl, "create_default_context", counting)
        async with beside(url(port, VOUCHED), timeout_seconds=10) as stores, trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(stores.sessions.get_or_none, "h", NOW)
    assert len(read) == 1


async def test_a_file_that_was_replaced_is_read_again(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "AGAIN_SECONDS", 0.0)
    file = tmp_path / "ca.pem"
    shutil.copy(CERTIFICATES / "two.pem", file)
    async with tls_before(server) as port, beside(url(port, f"?ssl_ca_certs={file}")) as stores:
        await refusal(stores.pings["redis"])
        shutil.copy(CERTIFICATES / "one.pem", file)
        await seconds_until_answered(stores.pings["redis"])


async def test_a_server_without_tls_is_told_of_as_such(server: RedisServer) -> None:
    async with beside(url(server.port), timeout_seconds=0.5) as stores:
        await refusal(stores.pings["redis"])
