"""PostgreSQL behind TLS, through the nested loop. The servers of the tests have none, so it is put before one."""

import asyncio  # noqa: TID251  the driver's loop
import contextlib
import shutil
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Tx
from visiona.stores.opening import open_stores
from visiona.stores.postgres_address import Tls
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.postgres_tls import TlsContext

from tests.support.asyncio_tests import on_asyncio
from tests.support.nouns import a_user, put

CERTIFICATES = Path(__file__).parents[2] / "support" / "certificates"
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class TlsFront:
    """Takes the TLS off, as a server does that was asked for it.

    Attributes:
        count: connections that came in by TLS.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self._host, self._port = settings.postgres.hosts[0]
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(CERTIFICATES / "one.pem", CERTIFICATES / "one.key")
        self._context.set_alpn_protocols(["postgresql"])
        self.count = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                assert await stream.receive_some(8) == SSL_REQUEST
                await stream.send_all(b"S")
                near = trio.SSLStream(stream, self._context, server_side=True, https_compatible=True)
                await near.do_handshake()
                self.count += 1
                async with (
                    await trio.open_tcp_stream(self._host, self._port) as far,
                    trio.open_nursery() as both,
                ):
                    both.start_soon(self._pass_on, near, far, both.cancel_scope)
                    both.start_soon(self._pass_on, far, near, both.cancel_scope)

    async def _pass_on(
        self, source: trio.abc.ReceiveStream, sink: trio.abc.SendStream, both: trio.CancelScope
    ) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while piece := await source.receive_some(65536):
                await sink.send_all(piece)
        both.cancel()


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path) -> StoreSettings:
    found = StoreSettings(postgres_url, tmp_path, timeout_seconds=10.0)
    if found.postgres.hosts[0][0] != "127.0.0.1":
        pytest.skip("the server that is named is not on the loopback")
    return found


@contextlib.asynccontextmanager
async def tls_before(
    settings: StoreSettings, query: str, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[StoreSettings, TlsFront]]:
    front = TlsFront(settings)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, front.serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        plain = settings.postgres
        url = (
            (settings.url or "")
            .partition("?")[0]
            .replace(f"{plain.hosts[0][0]}:{plain.hosts[0][1]}", f"{host}:{port}")
        )
        yield replace(settings, url=f"{url}?{query}"), front
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "query", ["sslmode=verify-full&sslrootcert={ca}", "sslmode=require", "sslmode=prefer"]
)
async def test_operations_go_through_tls(settings: StoreSettings, query: str) -> None:
    query = query.format(ca=CERTIFICATES / "one.pem")
    async with tls_before(settings, query) as (over_tls, front):
        async with open_stores(over_tls, exclusive=True) as stores:
            await put(stores, *[a_user(f"{number}@example.com") for number in range(300)])
            assert len(await stores.read(lambda tx: tx.users.list_all(1000))) == 300
        assert front.count >= 2


async def test_a_question_is_cancelled_through_tls_too(settings: StoreSettings) -> None:
    async def sleep_there(tx: Tx) -> None:
        await tx.users._tx.fetch_one("SELECT pg_sleep(60)")

    async with (
        tls_before(settings, "sslmode=require") as (over_tls, front),
        open_stores(over_tls, exclusive=True) as stores,
    ):
        await stores.change_mark()
        before = front.count
        with trio.fail_after(5), trio.move_on_after(0.1):
            await stores.read(sleep_there)
        # The driver asks for it on a connection of its own; the one that asked is used again.
        assert front.count == before + 1
        await stores.change_mark()
        assert front.count == before + 1


@pytest.mark.parametrize(
    ("query", "host"),
    [
        ("sslmode=verify-full&sslrootcert={other}", "127.0.0.1"),
        ("sslmode=verify-full&sslrootcert={ca}", "localhost"),
    ],
)
async def test_s01_a_server_that_cannot_prove_who_it_is_is_refused_with_a_sentence(
    settings: StoreSettings, query: str, host: str
) -> None:
    query = query.format(ca=CERTIFICATES / "one.pem", other=CERTIFICATES / "two.pem")
    async with tls_before(settings, query, host) as (over_tls, _):
        with (
            trio.fail_after(5),
            pytest.raises(StoreUnavailable, match="the database cannot be reached") as caught,
        ):
            async with open_stores(over_tls, exclusive=True):
                pass
    assert "certificates" in caught.value.advice


class Making:
    """Counts how often a context is made, and where."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[int] = []
        make = TlsContext._make
        monkeypatch.setattr(TlsContext, "_make", lambda context: self._counted(make, context))

    def _counted(self, make: Callable[[TlsContext], ssl.SSLContext], context: TlsContext) -> ssl.SSLContext:
        self.threads.append(threading.get_ident())
        return make(context)


def test_the_context_is_made_once_and_not_in_the_thread_of_the_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = Making(monkeypatch)
    authorities = tmp_path / "ca.pem"
    shutil.copy(CERTIFICATES / "one.pem", authorities)

    @on_asyncio
    async def run() -> None:
        context = TlsContext(Tls(str(authorities), None, None, checks_name=True))
        first, *others = await asyncio.gather(*(context.current() for _ in range(8)))
        assert all(other is first for other in others)
        assert await context.current() is first
        assert len(making.threads) == 1
        assert threading.get_ident() not in making.threads
        shutil.copy(CERTIFICATES / "two.pem", tmp_path / "new.pem")
        (tmp_path / "new.pem").rename(authorities)
        second = await context.current()
        assert second is not first
        assert second.get_ca_certs() != first.get_ca_certs()

    run()


@pytest.mark.parametrize("checks_name", [True, False])
def test_a_server_must_prove_who_it_is(checks_name: bool) -> None:
    @on_asyncio
    async def run() -> None:
        certificate, key = (str(CERTIFICATES / name) for name in ("one.pem", "one.key"))
        context = await TlsContext(Tls(None, certificate, key, checks_name)).current()
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname == checks_name

    run()


def test_a_file_that_is_not_there_is_an_error_of_the_systems(tmp_path: Path) -> None:
    @on_asyncio
    async def run() -> None:
        with pytest.raises(FileNotFoundError):
            await TlsContext(Tls(str(tmp_path / "nothing"), None, None, checks_name=True)).current()

    run()
