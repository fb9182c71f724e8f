"""One WebSocket to a device through ASGI: whole messages both ways, because ASGI knows nothing smaller.

The device's side is the ordinary exchange, switched by 101 to a pipe, with wsproto reading and writing its frames.
Hypercorn does not tell which code a client closed with; the device then sees 1001.
"""

import base64
import secrets
from collections.abc import Iterable

import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError as WsLocalError
from wsproto.utilities import RemoteProtocolError as WsRemoteError

from visiona.domain.errors import DeviceBroke
from visiona.relay.exchange import Exchange
from visiona.relay.lost_streams import not_opened
from visiona.relay.passthrough import INTERNAL_ERROR, close_code
from visiona.tunnel.errors import TunnelError
from visiona.web.access_log import log_access
from visiona.web.challenges import without_challenges
from visiona.web.dates import dated
from visiona.web.proxy_access import Allowed
from visiona.web.proxy_answer import Inbox, Message, Receive, Send
from visiona.web.proxy_crossing import crossing_of
from visiona.web.proxy_request import ProxyParts, head_of, peer_of, request_id_text
from visiona.web.request_ids import request_id_from
from visiona.web.targets import Target
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.crossing import Crossing
from visiona.wire.http1.fields import Header
from visiona.wire.http1.forward import answer_headers, request_for_agent
from visiona.wire.http1.framing import NO_BODY
from visiona.wire.http1.head import ResponseHead
from visiona.wire.websocket.handshake import check_answer

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A message must be held whole here; Hypercorn has the same limit towards the client."""

GOING_AWAY = 1001
TOO_BIG = 1009

_OURS = frozenset(
    {b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions"}
)


class WebSocketBridge:
    """One request of ASGI type `websocket` that is for a device."""

    def __init__(self, parts: ProxyParts, scope: Message, receive: Receive, send: Send) -> None:
        self._parts = parts
        self._scope = scope
        self._receive = receive
        self._send = send
        self._key = base64.b64encode(secrets.token_bytes(16))
        self._head = head_of(scope, _handshake_headers(scope["headers"], self._key))
        self._inbox = Inbox()
        self._frames = Connection(ConnectionType.CLIENT)
        self._subprotocol: bytes | None = None
        self._message: list[bytes] = []
        self._message_bytes = 0

    async def run(self, target: Target) -> None:
        """From the handshake to the last Close. Raises only before anything was answered."""
        started_at = trio.current_time()
        outside = self._parts.outside
        address = outside.address_of(peer_of(self._scope), self._head)
        self._parts.access.check_origin(self._head.get, outside.origin, address)
        # Before it is asked who may: from then on nothing waits until a revocation can cut it.
        await self._receive()  # websocket.connect
        allowed = await self._parts.allowed(self._head, target, peer_of(self._scope))
        request_id = request_id_from(request_id_text(self._head))
        crossing = crossing_of(self._head, allowed, outside, address, request_id, is_websocket=True)
        exchange = Exchange(
            self._inbox, b"GET", NO_BODY, upgrade=True, sweeper=self._parts.sweeper, limits=self._parts.limits
        )
        self._parts.endless[exchange] = None
        try:
            head = await self._open(exchange, allowed, crossing)
            if head.status == 101:
                await self._bridge(exchange)
            else:
                shown = without_challenges(head, self._head, allowed.actor)
                await self._refused_by_device(exchange, shown, crossing)
        finally:
            self._parts.endless.pop(exchange, None)
            exchange.leave()
        log_access(
            method="GET",
            path=self._head.target.decode("ascii", "replace"),
            status=head.status,
            seconds=trio.current_time() - started_at,
            request_id=request_id,
            address=address,
            user_id=allowed.actor.user_id,
            device_id=allowed.live.device_id,
        )

    async def _open(self, exchange: Exchange, allowed: Allowed, crossing: Crossing) -> ResponseHead:
        actor, live = allowed.actor, allowed.live
        calls = self._parts.access.registry.calls
        exchange.enter(calls, actor.user_id, actor.credential_id, live.device_id, actor.expires_at)
        try:
            exchange.start(
                live.tunnel, request_for_agent(self._head, allowed.target.agent_target, crossing, NO_BODY)
            )
        except TunnelError as error:
            raise not_opened(error) from error
        head = await self._inbox.wait_head()
        if head.status == 101:
            offered = tuple(name.encode("latin-1") for name in self._scope["subprotocols"])
            try:
                self._subprotocol = check_answer(head, self._key, offered_protocols=offered)
            except RemoteProtocolError as error:
                raise DeviceBroke(f"the device's WebSocket handshake is wrong: {error}") from error
        return head

    async def _bridge(self, exchange: Exchange) -> None:
        subprotocol = self._subprotocol
        await self._send(
            {
                "type": "websocket.accept",
                "subprotocol": subprotocol.decode("latin-1") if subprotocol else None,
            }
        )
        if _is_deaf(self._send):
            exchange.hang_up()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._from_client, exchange, nursery.cancel_scope)
            code, reason = await self._from_device(exchange)
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
            nursery.cancel_scope.cancel()

    async def _from_client(self, exchange: Exchange, scope: trio.CancelScope) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                await self._say(exchange, CloseConnection(code=GOING_AWAY))
                exchange.hang_up()
                scope.cancel()
                return
            text = message.get("text")
            data = message.get("bytes") or b""
            await self._say(exchange, TextMessage(data=text) if text is not None else BytesMessage(data=data))

    async def _from_device(self, exchange: Exchange) -> tuple[int, str]:
        """Passes messages on until the device closes; how it did."""
        inbox = self._inbox
        while True:
            while data := inbox.take():
                try:
                    self._frames.receive_data(data)
                    closing = await self._pass_on(exchange, self._frames.events())
                except WsRemoteError:
                    return INTERNAL_ERROR, "the device broke the WebSocket protocol"
                if closing is not None:
                    return closing
                exchange.taken(len(data))
            if inbox.error is not None:
                return close_code(inbox.error), ""
            if inbox.is_whole:
                return INTERNAL_ERROR, "the device is gone"
            await inbox.wait_something()

    async def _pass_on(self, exchange: Exchange, events: Iterable[Event]) -> tuple[int, str] | None:
        for event in events:
            match event:
                case TextMessage() | BytesMessage():
                    if not await self._piece(event):
                        return TOO_BIG, "the device's message is too long to pass"
                case Ping():
                    await self._say(exchange, event.response())
                case CloseConnection():
                    await self._say(exchange, event.response())
                    return int(event.code), event.reason or ""
                case _:
                    pass
        return None

    async def _piece(self, event: TextMessage | BytesMessage) -> bool:
        is_text = isinstance(event, TextMessage)
        data = event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
        self._message_bytes += len(data)
        if self._message_bytes > MAX_MESSAGE_BYTES:
            return False
        self._message.append(data)
        if event.message_finished:
            whole = b"".join(self._message)
            self._message, self._message_bytes = [], 0
            body = {"text": whole.decode()} if is_text else {"bytes": whole}
            await self._send({"type": "websocket.send", **body})
        return True

    async def _say(self, exchange: Exchange, event: Event) -> None:
        try:
            data = self._frames.send(event)
        except WsLocalError:
            # Closed already: nothing can be said any more.
            return
        await self._inbox.send_up(exchange, data)

    async def _refused_by_device(self, exchange: Exchange, head: ResponseHead, crossing: Crossing) -> None:
        headers = dated(answer_headers(head, crossing, self._inbox.framing))
        await self._send({"type": "websocket.http.response.start", "status": head.status, "headers": headers})
        while not self._inbox.is_over or self._inbox.is_full:
            while data := self._inbox.take():
                await self._send({"type": "websocket.http.response.body", "body": data, "more_body": True})
                exchange.taken(len(data))
            if not self._inbox.is_over:
                await self._inbox.wait_something()
        await self._send({"type": "websocket.http.response.body", "body": b"", "more_body": False})


def _is_deaf(send: Send) -> bool:
    """Whether Hypercorn has given this WebSocket up: it takes nothing from the app then, and tells it nothing.

    So it does (0.18) with a client that speaks before it was answered; the stream to the device would stay.
    """
    return bool(getattr(getattr(send, "__self__", None), "closed", False))


def _handshake_headers(headers: list[Header], key: bytes) -> list[Header]:
    kept = [(name, value) for name, value in headers if name.lower() not in _OURS]
    return [
        *kept,
        (b"connection", b"Upgrade"),
        (b"upgrade", b"websocket"),
        (b"sec-websocket-key", key),
        (b"sec-websocket-version", b"13"),
    ]
