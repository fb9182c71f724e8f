"""Dials the relay and presents the credential: TCP, TLS, WebSocket, and then a tunnel in the client's role."""

import json
import math
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio

from visiona.agent.addresses import Address
from visiona.agent.credential import Credential
from visiona.agent.post import open_connection, tls_context
from visiona.agent.settings import AgentSettings
from visiona.tunnel.errors import DialRefused
from visiona.tunnel.pipe import Pipe, SocketPipe, StreamPipe, tune
from visiona.tunnel.session import Tunnel, open_tunnel
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.head import MAX_RESPONSE_HEAD_BYTES, ResponseHead, find_head_end, parse_response_head
from visiona.wire.websocket.handshake import check_answer, new_key, upgrade_request
from visiona.wire.yamux.limits import Limits, Role

CONNECT_PATH = "/tunnel/connect"

MAX_REFUSAL_BYTES = 16 * 1024
"""How much of a refusal's body is read for its code."""

_LIMITS = Limits(remote_may_open=True)


def connect_to(
    relay: Address, credential: Credential, settings: AgentSettings, agent_version: str
) -> Callable[[], AbstractAsyncContextManager[Tunnel]]:
    """A function that opens a fresh tunnel each time; see `open_link` for what it raises."""
    context = tls_context(credential.ca_file) if relay.secure else None
    headers = (
        (b"Authorization", b"Bearer " + credential.session_token.encode()),
        (b"X-Visiona-Agent", agent_version.encode()),
        (b"X-Visiona-Instance", credential.instance.encode()),
    )

    def connect() -> AbstractAsyncContextManager[Tunnel]:
        return open_link(relay, headers, settings, context)

    return connect


@asynccontextmanager
async def open_link(
    relay: Address,
    headers: tuple[tuple[bytes, bytes], ...],
    settings: AgentSettings,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Tunnel]:
    """A tunnel to the relay while the block runs.

    Raises:
        DialRefused: the relay answered with something else than 101.
        OSError, trio.BrokenResourceError, trio.TooSlowError: it was not reached, or did not answer in time.
    """
    with trio.fail_after(settings.dial_seconds):
        transport = await _dial(relay, headers, context)
    async with open_tunnel(transport, Role.CLIENT, settings.tunnel, limits=_LIMITS) as tunnel:
        yield tunnel


async def _dial(
    relay: Address, headers: tuple[tuple[bytes, bytes], ...], context: ssl.SSLContext | None
) -> WebSocketTransport:
    stream = await open_connection(relay, context)
    is_up = False
    try:
        leftover = await shake_hands(stream, relay, headers)
        is_up = True
    finally:
        if not is_up:
            await trio.aclose_forcefully(stream)
    return WebSocketTransport(_pipe(stream), is_client=True, leftover=leftover)


async def shake_hands(
    stream: trio.abc.Stream, relay: Address, headers: tuple[tuple[bytes, bytes], ...]
) -> bytes:
    """The WebSocket handshake; gives the bytes that came behind it. Raises DialRefused or what the stream raises."""
    key = new_key(secrets.token_bytes(16))
    target = (relay.path + CONNECT_PATH).encode()
    await stream.send_all(upgrade_request(relay.authority.encode(), target, key, headers))
    try:
        head, rest = await _read_head(stream)
        if head.status != 101:
            raise await _refusal(stream, head, rest)
        check_answer(head, key)
    except RemoteProtocolError as error:
        raise trio.BrokenResourceError(f"there is no relay: {error}") from error
    return rest


async def _read_head(stream: trio.abc.Stream) -> tuple[ResponseHead, bytes]:
    received = b""
    while (end := find_head_end(received, limit_bytes=MAX_RESPONSE_HEAD_BYTES)) is None:
        received += await _more(stream)
    return parse_response_head(received[:end]), received[end:]


async def _refusal(stream: trio.abc.Stream, head: ResponseHead, body: bytes) -> DialRefused:
    """What the relay said instead; its code where the body holds one, for it says whether pairing again helps."""
    length = head.get(b"content-length") or b"0"
    wanted = min(int(length), MAX_REFUSAL_BYTES) if length.isdigit() else 0
    try:
        while len(body) < wanted:
            body += await _more(stream)
    except trio.BrokenResourceError:
        wanted = 0
    retry_after = head.get(b"retry-after") or b""
    seconds = float(retry_after) if retry_after.isdigit() else math.nan
    return DialRefused(
        head.status,
        code=_code(body[:wanted]),
        retry_after_seconds=None if math.isnan(seconds) else seconds,
    )


async def _more(stream: trio.abc.Stream) -> bytes:
    data = bytes(await stream.receive_some(16384))
    if not data:
        raise trio.BrokenResourceError("the relay closed the connection")
    return data


def _code(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        return str(error["code"])[:64]
    except (ValueError, KeyError, TypeError):
        return ""


def _pipe(stream: trio.abc.Stream) -> Pipe:
    """A plain socket is taken out of its stream: it can be tried without waiting."""
    if not isinstance(stream, trio.SocketStream):
        return StreamPipe(stream)
    plain = socket.socket(fileno=stream.socket.detach())
    plain.setblocking(False)
    tune(plain)
    return SocketPipe(plain)
