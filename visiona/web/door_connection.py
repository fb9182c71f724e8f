"""One connection at the door: reads requests in order, relays those for devices, gives the others away.

One task a connection, which waits for bytes and feeds them on. Answers do not come through the task: the exchange
writes them from the tunnel's reader, and on the common path the next thing the task sees is the next request. Where
something else must happen (the connection ends, more was sent already, a body has room again) the task is woken.
"""

import socket
import struct
from typing import Final

import trio

from visiona.domain.errors import Invalid, VisionaError
from visiona.relay.exchange import Exchange
from visiona.relay.lost_streams import not_opened
from visiona.stores.errors import StoreUnavailable
from visiona.tunnel.errors import TunnelError
from visiona.web.camera_sharing import Call, adopting_view_or_none, view_or_none
from visiona.web.door_answer import DoorAnswer, refuse
from visiona.web.door_input import BULK_READ_BYTES, READ_BYTES, Input, Stage
from visiona.web.door_output import Output
from visiona.web.door_request import NO_REQUEST, Request, RequestFraming
from visiona.web.door_settings import DoorContext
from visiona.web.hosts import check_host
from visiona.web.proxy_access import Allowed
from visiona.web.proxy_crossing import crossing_of
from visiona.web.proxy_request import request_id_text, text_getter
from visiona.web.request_ids import request_id_from
from visiona.web.targets import TUNNEL_CONNECT_PATH, Target, check_form, device_target
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.body import BodyReader
from visiona.wire.http1.forward import request_for_agent, trailers_for_agent
from visiona.wire.http1.framing import Framing, NoBody, Sized, expects_continue, request_framing
from visiona.wire.http1.head import RequestHead, ResponseHead, find_head_end, parse_request_head
from visiona.wire.http1.upgrade import is_websocket_upgrade, keeps_alive
from visiona.wire.websocket.handshake import check_upgrade

MAX_PIPELINED_BYTES = 65536
"""Of requests sent ahead of their turn; beyond it the connection is not read until an answer is out."""

MAX_UNWANTED_BYTES = 262144
"""Of a body that the device did not wait for: less is read and dropped, more costs the connection."""

EMPTY: Final = frozenset({NoBody(), Sized(0)})


_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_SILENT_KINDS = frozenset({"tls", "not_http"})
"""Newcomers that would not understand an HTTP answer."""


class DoorConnection:
    """One client's connection, from its first byte until it ends or is given away."""

    def __init__(self, sock: socket.socket, peer_address: str, context: DoorContext) -> None:
        self.output = Output(sock, context.sweeper, context.spawn, self.upload_room)
        self._input = Input(sock, self.output, context.sweeper, context.settings, context.limits)
        self._sock = sock
        self._peer_address = peer_address
        self._context = context
        self._exchange: Call | None = None
        self._answer: DoorAnswer | None = None
        self._arrived_at = 0.0
        self._keep_alive = True
        self._is_cut = False
        self._given_away = False
        self._last = NO_REQUEST

    async def serve(self) -> None:
        """Until the connection ends, or whoever it was given to has ended it."""
        sweeper = self._context.sweeper
        sweeper.watch(self._input)
        try:
            while await self._one_request():
                if self._input.buffer and not self._input.has_waited:
                    # Requests sent ahead must not keep everybody else waiting.
                    await trio.lowlevel.checkpoint()
                self._input.has_waited = False
        finally:
            sweeper.forget(self._input)
            if self._exchange is not None:
                self._exchange.leave()
            if not self._given_away:
                self._close()

    # --- called by others, never waiting ------------------------------------------------------------------------

    def answered(self, *, keep_alive: bool) -> None:
        """See door_answer.Connection."""
        self._exchange = self._answer = None
        self._keep_alive = keep_alive and self._keep_alive
        uploading = self._input.stage is Stage.UPLOAD
        self._input.enter(Stage.IDLE)
        if uploading or self._input.buffer or not self._keep_alive:
            self._input.wake()

    def cut(self, *, abruptly: bool) -> None:
        """See door_answer.Connection."""
        self._exchange = self._answer = None
        self._keep_alive = False
        self._is_cut = True
        if abruptly:
            # Without chunks and without a length only a reset says that the answer was not whole.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.output.give_up()
        self._input.wake()

    def upload_room(self) -> None:
        """See door_answer.Connection; the same is to be done when all was sent."""
        self._input.wake()

    def found_camera(self, head: ResponseHead, framing: Framing) -> bool:
        """See door_answer.Connection."""
        exchange, answer = self._exchange, self._answer
        if answer is None or not isinstance(exchange, Exchange):
            return False
        view = adopting_view_or_none(
            self._context.cameras, exchange, answer.request, answer.allowed, answer, head, framing
        )
        if view is None:
            return False
        self._enter(view, answer.allowed)
        view.take_over(exchange, head, framing)
        return True

    def drain(self, error: VisionaError) -> None:
        """The server stops: nothing new here; what has no end is cut, any other answer under way may finish."""
        self._keep_alive = False
        if self._exchange is not None and self._answer is not None and self._answer.is_endless:
            self._exchange.give_up(error)
        elif self._input.stage is Stage.IDLE and not self._input.buffer:
            self._input.end()

    # --- one request --------------------------------------------------------------------------------------------

    async def _one_request(self) -> bool:
        """Reads and serves one request; False when no other follows here."""
        head: RequestHead | None = None
        self._arrived_at = trio.current_time()
        try:
            size = await self._read_head()
            if size is None:
                return False
            self._arrived_at = trio.current_time()
            data = bytes(self._input.buffer[:size])
            if data == self._last.data:
                _, head, framing, target = self._last
            else:
                head = parse_request_head(data)
                self._input.is_first = False
                check_form(head.method, head.target)
                framing = request_framing(head)
                expects_continue(head)
                target = device_target(head.method, head.target, head.get)
                if target is not None:
                    check_host(head.get(b"host"), self._context.outside.host, self._local_address)
                self._last = Request(data, head, framing, target).to_keep()
            if target is not None and self._context.relays:
                del self._input.buffer[:size]
                return await self._device_request(head, framing, target)
        except RemoteProtocolError as error:
            if error.kind != "http2_preface":
                return await self._refuse(error, head)
            size = 0
        except VisionaError as error:
            return await self._refuse(error, head)
        await self._give_away(head, size)
        return False

    async def _read_head(self) -> int | None:
        """How long the next head is, once it is here whole; None: there will be none."""
        source = self._input
        if source.buffer:
            source.enter(Stage.HEAD)
        elif source.stage is not Stage.IDLE:
            source.enter(Stage.IDLE)
        seen = 0
        while True:
            if source.is_gone or (self._context.is_draining and not source.buffer):
                return None
            if (end := find_head_end(source.buffer, seen)) is not None:
                return end
            if source.is_overdue:
                if not source.buffer:
                    return None
                raise RemoteProtocolError("the request's head took too long", kind="slow", status=408)
            seen = len(source.buffer)
            await source.more()
            if source.buffer and source.stage is Stage.IDLE and not source.is_first:
                source.enter(Stage.HEAD)

    async def _device_request(self, head: RequestHead, framing: RequestFraming, target: Target) -> bool:
        self._keep_alive = keeps_alive(head) and not self._context.is_draining
        is_websocket = is_websocket_upgrade(head)
        try:
            if is_websocket:
                check_upgrade(head)
                outside = self._context.outside
                address = outside.address_of(self._peer_address, head)
                self._context.access.check_origin(head.get, outside.origin, address)
            allowed = await self._allowed(head, target)
        except (VisionaError, StoreUnavailable, RemoteProtocolError) as error:
            return await self._refuse(error, head, target, body_follows=framing not in EMPTY)
        answer = self._answer = self._answer_for(head, allowed, is_websocket=is_websocket)
        request = request_for_agent(head, allowed.target.agent_target, answer.crossing, framing)
        context = self._context
        exchange = view_or_none(context.cameras, head, framing, allowed, answer) or Exchange(
            answer,
            head.method,
            framing,
            upgrade=is_websocket,
            sweeper=context.sweeper,
            limits=context.limits,
        )
        self._begin(exchange, allowed, request)
        return await self._relay(exchange, answer, framing, wants_continue=expects_continue(head))

    async def _allowed(self, head: RequestHead, target: Target) -> Allowed:
        credentials = self._context.outside.reader.read(head.method.decode("latin-1"), text_getter(head))
        access = self._context.access
        return access.known(credentials, target) or await access.resolve(
            credentials, target, self._context.outside.address_of(self._peer_address, head)
        )

    def _answer_for(self, head: RequestHead, allowed: Allowed, *, is_websocket: bool) -> DoorAnswer:
        outside = self._context.outside
        address = outside.address_of(self._peer_address, head)
        request_id = request_id_from(request_id_text(head))
        crossing = crossing_of(head, allowed, outside, address, request_id, is_websocket=is_websocket)
        return DoorAnswer(self, head, crossing, allowed, keep_alive=self._keep_alive)

    def _begin(self, exchange: Call, allowed: Allowed, head_for_agent: bytes) -> None:
        self._input.enter(Stage.ANSWER)
        self._enter(exchange, allowed)
        try:
            exchange.start(allowed.live.tunnel, head_for_agent)
        except TunnelError as error:
            exchange.give_up(not_opened(error))

    def _enter(self, exchange: Call, allowed: Allowed) -> None:
        self._exchange = exchange
        self.output.owe(exchange.taken)
        calls, actor, live = self._context.access.registry.calls, allowed.actor, allowed.live
        exchange.enter(calls, actor.user_id, actor.credential_id, live.device_id, actor.expires_at)

    # --- its body, its answer -----------------------------------------------------------------------------------

    async def _relay(
        self, exchange: Call, answer: DoorAnswer, framing: RequestFraming, *, wants_continue: bool
    ) -> bool:
        """Until the answer is out; True when the connection can take another request."""
        source = self._input
        if not isinstance(framing, NoBody):
            if wants_continue and not source.buffer:
                if self._exchange is not exchange:
                    # Refused before it was told to go on: whether the body follows, only the client knows.
                    return await self._leave_politely()
                self.output.queue(_CONTINUE)
                self.output.flush()
            if not await self._upload(exchange, BodyReader(framing)):
                return False
        while self._answer is answer and not source.is_gone:
            if answer.is_pipe:
                await self._pump(exchange)
            elif len(source.buffer) >= MAX_PIPELINED_BYTES:
                await source.parked()
            else:
                await source.more()
        if source.is_gone:
            self._client_left(hang_up=answer.is_pipe)
            return False
        return await self._between_requests()

    async def _upload(self, exchange: Call, reader: BodyReader) -> bool:
        """Sends the body as it comes; False: the connection is over."""
        source = self._input
        if self._exchange is exchange:
            source.enter(Stage.UPLOAD)
        unwanted_bytes = 0
        try:
            while not reader.done and not source.is_gone:
                space = exchange.upload_space_bytes
                if space == 0:
                    await source.parked()
                    continue
                if source.is_overdue:
                    raise RemoteProtocolError("the request's body took too long", kind="slow", status=408)
                data = await source.take(min(space, BULK_READ_BYTES))
                pieces, used = reader.receive(data)
                source.buffer[:0] = data[used:]
                for piece in pieces:
                    exchange.send_body(piece)
                if self._exchange is not exchange:
                    unwanted_bytes += used
                    if unwanted_bytes > MAX_UNWANTED_BYTES or not self._keep_alive:
                        return await self._leave_politely()
        except RemoteProtocolError as error:
            self._keep_alive = False
            exchange.give_up(Invalid(f"the request's body is broken: {error}"))
            return await self._leave_politely()
        if source.is_gone:
            self._client_left()
            return False
        exchange.end_body(trailers_for_agent(reader.trailers))
        if self._exchange is exchange:
            source.enter(Stage.ANSWER)
        return True

    async def _pump(self, exchange: Call) -> None:
        """Passes on what the client says after the switch of protocols."""
        space = exchange.upload_space_bytes
        if space == 0:
            await self._input.parked()
        elif data := await self._input.take(min(space, BULK_READ_BYTES)):
            exchange.send_body(data)

    async def _between_requests(self) -> bool:
        """Whether another request may follow; waits until the client has taken the last answer."""
        source = self._input
        while self.output.is_stalled and not source.is_gone and (source.buffer or not self._keep_alive):
            await source.parked()
        if source.is_gone or self.output.is_broken or self._is_cut:
            return False
        if self._keep_alive and not self._context.is_draining:
            return True
        return await self._leave_politely()

    # --- endings ------------------------------------------------------------------------------------------------

    async def _refuse(
        self,
        error: Exception,
        head: RequestHead | None,
        target: Target | None = None,
        *,
        body_follows: bool = True,
    ) -> bool:
        """Answers without asking a device."""
        if isinstance(error, RemoteProtocolError) and error.kind in _SILENT_KINDS:
            return False
        keep_alive = self._keep_alive and head is not None and not body_follows
        peer = self._peer_address
        address = self._context.outside.address_of(peer, head) if head is not None else peer
        device_id = target.device_id if target is not None else None
        refuse(self.output, error, head, address, device_id, self._arrived_at, keep_alive=keep_alive)
        if not keep_alive:
            return await self._leave_politely()
        self._input.enter(Stage.IDLE)
        return await self._between_requests()

    async def _leave_politely(self) -> bool:
        """Lets the client read the last answer: closing with unread input would reset it away. Always False."""
        source = self._input
        source.enter(Stage.LEAVING)
        while self.output.is_stalled and not source.is_gone:
            await source.parked()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        source.enter(Stage.LEAVING)
        while not source.is_gone and not source.is_overdue:
            await source.receive(READ_BYTES)
        return False

    async def _give_away(self, head: RequestHead | None, size: int) -> None:
        """The connection goes, with the bytes already read, to whoever serves what it asks for."""
        source = self._input
        while self.output.is_stalled and not source.is_gone:
            await source.parked()
        if source.is_gone or self.output.is_broken:
            return
        self._given_away = True
        self._context.sweeper.forget(source)
        data = bytes(source.buffer)
        source.buffer.clear()
        if head is not None and head.target.partition(b"?")[0] == TUNNEL_CONNECT_PATH:
            await self._context.connect_agent(self._sock, head, data[size:], self._peer_address)
        else:
            await self._context.hand_over(self._sock, data, self._peer_address)

    def _client_left(self, *, hang_up: bool = False) -> None:
        if self._answer is not None:
            self._answer.client_left()
        exchange = self._exchange
        self._exchange = self._answer = None
        self.output.owe(None)
        if exchange is not None and hang_up:
            exchange.hang_up()
        elif exchange is not None:
            exchange.leave()

    def _local_address(self) -> str:
        return str(self._sock.getsockname()[0])

    def _close(self) -> None:
        self.output.give_up()
        trio.lowlevel.notify_closing(self._sock.fileno())
        self._sock.close()
