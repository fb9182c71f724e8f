"""One HTTP exchange with a device through ASGI: body up, answer down, both as they come."""

import trio

from visiona.domain.errors import Invalid
from visiona.relay.exchange import Exchange
from visiona.relay.lost_streams import not_opened
from visiona.tunnel.errors import TunnelError
from visiona.web.access_log import BROKEN_OFF, CLIENT_LEFT, LEFT, log_access
from visiona.web.camera_sharing import Call, adopting_view_or_none, view_or_none
from visiona.web.challenges import without_challenges
from visiona.web.dates import dated
from visiona.web.door_answer import ENDLESS_TYPES
from visiona.web.door_handover import BREAK_STREAM, HOLD_LITTLE
from visiona.web.pages import answer_to
from visiona.web.proxy_access import Allowed
from visiona.web.proxy_answer import Inbox, Message, Receive, Send
from visiona.web.proxy_crossing import crossing_of
from visiona.web.proxy_request import ProxyParts, head_of, peer_of, request_id_text
from visiona.web.request_ids import request_id_from
from visiona.web.targets import Target
from visiona.wire.http1.crossing import Crossing
from visiona.wire.http1.forward import answer_headers, request_for_agent, trailers_for_client
from visiona.wire.http1.framing import CHUNKED, NO_BODY, Chunked, Framing, NoBody, Sized, request_framing
from visiona.wire.http1.head import ResponseHead
from visiona.wire.mixed_replace import MIXED_REPLACE


class HttpExchange:
    """One request of ASGI type `http` that is for a device."""

    def __init__(self, parts: ProxyParts, scope: Message, receive: Receive, send: Send) -> None:
        self._parts = parts
        self._scope = scope
        self._receive = receive
        self._send = send
        self._head = head_of(scope)
        self._inbox = Inbox()
        self._call: Call
        self._first: Message | None = None
        self._head_at: float | None = None
        self._is_delivered = False
        self._ended: str | None = None

    async def run(self, target: Target) -> None:
        """From the head to the last byte of the answer. Raises only before anything was answered."""
        started_at = trio.current_time()
        allowed = await self._parts.allowed(self._head, target, peer_of(self._scope))
        outside = self._parts.outside
        address = outside.address_of(peer_of(self._scope), self._head)
        request_id = request_id_from(request_id_text(self._head))
        framing = await self._framing()
        if self._first is not None:
            # It came when the client liked: what was allowed before may not be any more. From here on nothing waits until
            # the exchange is on the list of what a revocation cuts.
            allowed = await self._parts.allowed(self._head, target, peer_of(self._scope))
        crossing = crossing_of(self._head, allowed, outside, address, request_id, is_websocket=False)
        self._inbox.answered = allowed.answered
        parts, inbox = self._parts, self._inbox
        inbox.found_camera = lambda head, answer_framing: self._found_camera(allowed, head, answer_framing)
        self._call = view_or_none(parts.cameras, self._head, framing, allowed, inbox) or Exchange(
            inbox,
            self._head.method,
            framing,
            upgrade=False,
            sweeper=parts.sweeper,
            limits=parts.limits,
        )
        try:
            status = await self._relay(allowed, crossing, framing)
        finally:
            inbox.found_camera = None
            parts.endless.pop(self._call, None)
            self._call.leave()
        log_access(
            method=self._scope["method"],
            path=self._head.target.decode("ascii", "replace"),
            status=status,
            seconds=trio.current_time() - started_at,
            request_id=request_id,
            address=address,
            user_id=allowed.actor.user_id,
            device_id=allowed.live.device_id,
            tunnel_seconds=allowed.live.tunnel.rtt_seconds,
            agent_seconds=self._head_at - started_at if self._head_at is not None else None,
            ended=self._ended,
        )

    async def _framing(self) -> NoBody | Sized | Chunked:
        """How long the body is. HTTP/2 says so by ending the stream, so there the first piece is looked at."""
        framing = request_framing(self._head)
        if self._scope["http_version"] in {"1.0", "1.1"} or not isinstance(framing, NoBody):
            return framing
        self._first = await self._receive()
        ends_here = not self._first.get("body") and not self._first.get("more_body")
        return NO_BODY if ends_here else CHUNKED

    async def _relay(self, allowed: Allowed, crossing: Crossing, framing: NoBody | Sized | Chunked) -> int:
        request = request_for_agent(self._head, allowed.target.agent_target, crossing, framing)
        self._enter(allowed)
        try:
            self._call.start(allowed.live.tunnel, request)
        except TunnelError as error:
            raise not_opened(error) from error
        status = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._upload, nursery.cancel_scope)
            status = await self._deliver(allowed, crossing)
            nursery.cancel_scope.cancel()
        if not status:
            self._ended = LEFT
        return status or (self._inbox.head.status if self._inbox.head is not None else CLIENT_LEFT)

    def _enter(self, allowed: Allowed) -> None:
        actor, calls = allowed.actor, self._parts.access.registry.calls
        self._call.enter(calls, actor.user_id, actor.credential_id, allowed.live.device_id, actor.expires_at)

    def _found_camera(self, allowed: Allowed, head: ResponseHead, framing: Framing) -> bool:
        """See Inbox.found_camera."""
        exchange, inbox = self._call, self._inbox
        inbox.found_camera = None
        if not isinstance(exchange, Exchange):
            return False
        view = adopting_view_or_none(self._parts.cameras, exchange, self._head, allowed, inbox, head, framing)
        if view is None:
            return False
        self._call = view
        self._enter(allowed)
        view.take_over(exchange, head, framing)
        return True

    async def _upload(self, scope: trio.CancelScope) -> None:
        """Sends the body up, and from then on watches whether the client is still there."""
        more = True
        while True:
            message = self._first or await self._next_message(more_body=more)
            self._first = None
            if message is None:
                self._call.give_up(Invalid("the request's body took too long"))
                return
            if message["type"] == "http.disconnect":
                self._call.leave()
                # Hypercorn says so at the end of every request too, before its own last send is over.
                if not self._is_delivered:
                    scope.cancel()
                return
            await self._inbox.send_up(self._call, message.get("body", b""))
            if more and not message.get("more_body", False):
                more = False
                self._call.end_body()

    async def _next_message(self, *, more_body: bool) -> Message | None:
        """None: the client announced more of a body and sends nothing."""
        limit = self._parts.limits.client_stall_seconds if more_body else float("inf")
        with trio.move_on_after(limit):
            return await self._receive()
        return None

    async def _deliver(self, allowed: Allowed, crossing: Crossing) -> int:
        inbox = self._inbox
        while inbox.head is None:
            if inbox.error is not None:
                return await self._refuse(inbox.error, crossing)
            await inbox.wait_something()
        head = without_challenges(inbox.head, self._head, allowed.actor)
        await self._send_head(head, crossing)
        while True:
            while data := inbox.take():
                if not await self._send_piece(data):
                    self._ended = LEFT
                    return inbox.head.status
                self._call.taken(len(data))
            if inbox.is_over:
                break
            await inbox.wait_something()
        self._is_delivered = True
        if inbox.error is not None:
            # Without its last message the answer is not whole, and Hypercorn closes the connection.
            self._ended = BROKEN_OFF
            await break_stream(self._scope, self._send)
            return inbox.head.status
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        if self._sends_trailers:
            trailers = [(name.lower(), value) for name, value in trailers_for_client(inbox.trailers)]
            await self._send({"type": "http.response.trailers", "headers": trailers, "more_trailers": False})
        return inbox.head.status

    async def _send_head(self, head: ResponseHead, crossing: Crossing) -> None:
        self._head_at = trio.current_time()
        kind = (head.get(b"content-type") or b"").lower()
        if kind.startswith(ENDLESS_TYPES):
            self._parts.endless[self._call] = None
        if kind.startswith(MIXED_REPLACE) and (hold := self._scope.get("state", {}).get(HOLD_LITTLE)):
            hold()
        await self._send(
            {
                "type": "http.response.start",
                "status": head.status,
                "headers": dated(answer_headers(head, crossing, self._inbox.framing)),
                "trailers": self._sends_trailers,
            }
        )

    @property
    def _sends_trailers(self) -> bool:
        head = self._inbox.head
        possible = "http.response.trailers" in self._scope.get("extensions", {})
        return possible and head is not None and head.get(b"trailer") is not None

    async def _send_piece(self, data: bytes) -> bool:
        with trio.move_on_after(self._parts.limits.client_stall_seconds) as scope:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        return not scope.cancelled_caught

    async def _refuse(self, error: Exception, crossing: Crossing) -> int:
        status, headers, body = answer_to(error, crossing.request_id.decode(), self._head.get)
        lowered = [(name.lower(), value) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": dated(lowered)})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
        return status


async def break_stream(scope: Message, send: Send) -> None:
    """Makes an answer end badly where leaving it unfinished is not enough: HTTP/2 needs its stream reset."""
    if (breaker := scope.get("state", {}).get(BREAK_STREAM)) is not None:
        await breaker(send)
