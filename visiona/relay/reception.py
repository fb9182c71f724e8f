"""One connection on the agents' path, from its first byte to the end of its tunnel.

Until a good token was shown everything is short: ten seconds in all, sixteen KiB of head, few connections an address.
From then on the connection is a tunnel, and its end is noted once, with its cause.
"""

import logging
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address
from typing import NamedTuple

import trio

from visiona.domain.causes import Cause, in_words
from visiona.domain.request_ids import request_id_or_none
from visiona.relay.admission import Admission
from visiona.relay.certificates import Certificates
from visiona.relay.containment import contain
from visiona.relay.crowd import Crowd
from visiona.relay.newcomer import LIVE_PATH, Newcomer, path_of, read_newcomer
from visiona.relay.refusals import Refusal, answer, broken_request, render, send_and_close
from visiona.relay.registry import LiveTunnel, Registry
from visiona.relay.settings import RelaySettings
from visiona.services.identify import TunnelSession
from visiona.tunnel.keepalive import Pinger
from visiona.tunnel.pipe import Pipe, SocketPipe, StreamPipe, tune
from visiona.tunnel.session import Tunnel
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.addresses import Network, client_address
from visiona.wire.http1.head import RequestHead, find_head_end, parse_request_head
from visiona.wire.websocket.handshake import switching_protocols
from visiona.wire.yamux.limits import Limits, Role
from visiona.wire.yamux.session import Session
from visiona.wire.yamux.window import Budget

logger = logging.getLogger(__name__)

LIMITS = Limits(remote_may_open=False)

Arrive = Callable[[], Awaitable["Arrival | None"]]

_VICTIMS = frozenset({Cause.AGENT_CLOSED, Cause.TCP_RESET})
"""How a tunnel ends whose agent gave up waiting for an answer of ours."""

_GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


Spawn = Callable[..., None]
"""As `nursery.start_soon`, of a nursery that outlives the connection that asks."""


class Arrival(NamedTuple):
    """A connection whose request head is here."""

    pipe: Pipe
    head: RequestHead
    leftover: bytes
    address: str


class Reception:
    """Receives the agents' connections of one process, whichever port they came to.

    Args:
        spawn: starts a connection's task.
        trusted: networks of our own reverse proxies.
        certificates: None where the port speaks in the clear.
    """

    def __init__(
        self,
        settings: RelaySettings,
        admission: Admission,
        registry: Registry,
        pinger: Pinger,
        *,
        spawn: Spawn,
        trusted: Sequence[Network] = (),
        certificates: Certificates | None = None,
    ) -> None:
        self._settings = settings
        self._tunnel_settings = settings.tunnel()
        self._admission = admission
        self._registry = registry
        self._pinger = pinger
        self._spawn = spawn
        self._trusted = trusted
        self._certificates = certificates
        self._crowd = Crowd(settings.unauthenticated_per_address, settings.unauthenticated_total)
        self._budget = Budget(settings.receive_budget_bytes)

    @property
    def newcomers(self) -> int:
        """Connections that have not shown a good token yet."""
        return len(self._crowd)

    def greet(self, sock: socket.socket, address: str) -> None:
        """Takes over what the relay port accepted."""
        if not self._crowd.enter(address, limited=not self._is_proxy(address)):
            sock.close()
            return
        self._spawn(self._visit, address, partial(self._read_request, sock, address))

    async def serve_upgraded(
        self, sock: socket.socket, head: RequestHead, leftover: bytes, address: str
    ) -> None:
        """Takes over a connection from the web port whose request is for `/tunnel/connect`. Returns at once."""
        await trio.lowlevel.checkpoint()
        if not self._crowd.enter(address, limited=not self._is_proxy(address)):
            sock.close()
            return
        tune(sock)
        arrival = Arrival(SocketPipe(sock), head, leftover, self._client(address, head))

        async def already_here() -> Arrival:
            return arrival

        self._spawn(self._visit, address, already_here)

    async def _visit(self, address: str, arrive: Arrive) -> None:
        await contain("a newcomer", partial(self._whole_visit, address, arrive), lambda: {"peer": address})

    async def _whole_visit(self, address: str, arrive: Arrive) -> None:
        try:
            with trio.move_on_after(self._settings.handshake_seconds):
                arrival = await arrive()
                if arrival is not None:
                    await self._let_in(arrival)
        except _GONE:
            # It left before it was anybody; its pipe is closed already.
            return
        finally:
            self._crowd.leave(address)

    async def _read_request(self, sock: socket.socket, address: str) -> Arrival | None:
        """Reads the request's head; None when it was refused or the newcomer left without a word."""
        tune(sock)
        pipe: Pipe = SocketPipe(sock)
        async with closing_on_failure(pipe):
            if self._certificates is not None:
                pipe = await _secured(sock, self._certificates)
        async with closing_on_failure(pipe):
            try:
                buffer = await _read_head(pipe)
                if buffer is None:
                    await pipe.aclose()
                    return None
                data, end = buffer
                head = parse_request_head(data[:end])
            except RemoteProtocolError as error:
                await self._refuse(pipe, broken_request(error), address)
                return None
            return Arrival(pipe, head, data[end:], self._client(address, head))

    async def _let_in(self, arrival: Arrival) -> None:
        """Judges a request and answers it; who is let in goes on in a task of its own."""
        pipe, head, _, address = arrival
        async with closing_on_failure(pipe):
            if path_of(head) == LIVE_PATH and head.method in {b"GET", b"HEAD"}:
                await send_and_close(pipe, answer(200, b'{"status":"ok"}', _request_id(head)))
                return
            newcomer = read_newcomer(head)
            if isinstance(newcomer, Refusal):
                await self._refuse(pipe, newcomer, address, head)
                return
            cuts = self._registry.cut_count
            verdict = await self._admission.judge(newcomer, address)
            if isinstance(verdict, Refusal):
                await self._refuse(pipe, verdict, address, head)
                return
            welcome = switching_protocols(newcomer.key, ((b"X-Request-Id", _request_id(head).encode()),))
            await pipe.send_all(memoryview(welcome), self._settings.handshake_seconds)
            while cuts != self._registry.cut_count:
                # Something was revoked after the token was checked, and its tunnel was not there to be cut.
                cuts = self._registry.cut_count
                now = await self._admission.session_now_or_none(newcomer)
                if now is None:
                    await pipe.aclose()
                    return
                verdict = now
            self._admit(arrival, newcomer, verdict)

    def _admit(self, arrival: Arrival, newcomer: Newcomer, session: TunnelSession) -> None:
        transport = WebSocketTransport(arrival.pipe, is_client=False, leftover=arrival.leftover)
        tunnel = Tunnel(transport, Session(Role.SERVER, LIMITS, budget=self._budget), self._tunnel_settings)
        live = self._registry.admit(
            tunnel,
            session,
            peer_address=arrival.address,
            agent_version=newcomer.agent_version,
            instance=newcomer.instance,
        )
        logger.info("tunnel up", extra={**live.facts(), "agent_version": live.agent_version})
        self._pinger.watch(tunnel)
        # A task with as little under it as can be: there are thousands, and they live for months.
        self._spawn(contain, "a device's tunnel", partial(self._keep, live, tunnel), live.facts)

    async def _keep(self, live: LiveTunnel, tunnel: Tunnel) -> None:
        try:
            await tunnel.run()
        finally:
            self._pinger.forget(tunnel)
            self._note_end(live, tunnel)

    def _note_end(self, live: LiveTunnel, tunnel: Tunnel) -> None:
        assert tunnel.closed is not None, "run() returns when the tunnel is closed"
        cause = Cause(tunnel.closed.cause)
        detail = tunnel.closed.detail or None
        if cause in _VICTIMS and self._pinger.stalled_recently(trio.current_time()):
            cause, detail = Cause.SERVER_STALLED, cause.value
        self._registry.depart(live, cause, detail)
        logger.info(
            "tunnel down: %s", in_words(cause), extra={**live.facts(), "cause": cause.value, "detail": detail}
        )

    async def _refuse(
        self, pipe: Pipe, refusal: Refusal, address: str, head: RequestHead | None = None
    ) -> None:
        request_id = _request_id(head)
        logger.info(
            "connection refused",
            extra={"peer": address, "status": refusal.status, "code": refusal.code, "request_id": request_id},
        )
        await send_and_close(pipe, render(refusal, request_id))

    def _is_proxy(self, address: str) -> bool:
        if not self._trusted:
            return False
        here = ip_address(address)
        return any(here in network for network in self._trusted)

    def _client(self, address: str, head: RequestHead) -> str:
        return client_address(address, head.headers, self._trusted)


@asynccontextmanager
async def closing_on_failure(pipe: Pipe) -> AsyncIterator[None]:
    """Closes the pipe if the block fails or is cancelled."""
    is_well = False
    try:
        yield
        is_well = True
    finally:
        if not is_well:
            with trio.CancelScope(shield=True):
                await pipe.aclose()


def _request_id(head: RequestHead | None) -> str:
    """What the newcomer calls its request, if that may be kept, else a name of ours."""
    given = head.get(b"x-request-id") if head is not None else None
    return request_id_or_none(given.decode("latin-1") if given else None) or secrets.token_hex(12)


async def _secured(sock: socket.socket, certificates: Certificates) -> Pipe:
    stream = trio.SSLStream(
        trio.SocketStream(trio.socket.from_stdlib_socket(sock)),
        certificates.context(),
        server_side=True,
        https_compatible=True,
    )
    await stream.do_handshake()
    return StreamPipe(stream)


async def _read_head(pipe: Pipe) -> tuple[bytes, int] | None:
    """Everything received and where the head ends; None when the other end left first."""
    buffer = b""
    while True:
        data = await pipe.receive_some()
        if not data:
            return None
        seen = len(buffer)
        buffer += data
        end = find_head_end(buffer, seen)
        if end is not None:
            return buffer, end
