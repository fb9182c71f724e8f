"""The web port: accepts connections, relays what is for devices on the spot, and gives the others to Hypercorn.

Many connections are taken per wake-up, because one at a time lets a crowd wait for seconds. Each is a task of its
own and contained: what goes wrong in one ends that one. Stopping is in three steps: accept nothing more; let what is
in flight finish, within the grace; cut the rest.
"""

import logging
import socket

import trio

from visiona.domain.causes import Cause
from visiona.domain.errors import DeviceBroke, ServerStopping, VisionaError
from visiona.relay.accepting import accept_forever, bind, url_of
from visiona.relay.cameras import Cameras
from visiona.relay.containment import contain
from visiona.relay.deadlines import Limits, Sweeper
from visiona.web.door_connection import DoorConnection
from visiona.web.door_handover import Hypercorn
from visiona.web.door_input import READ_BYTES
from visiona.web.door_settings import ConnectAgent, DoorContext, DoorSettings
from visiona.web.errors import error_response
from visiona.web.proxy import Proxy
from visiona.web.proxy_access import Access
from visiona.web.proxy_crossing import Outside
from visiona.web.request_ids import request_id_from
from visiona.web.settings import WebSettings

log = logging.getLogger(__name__)

TURN_AWAY_SECONDS = 2.0
"""For a newcomer during the drain to send its request and read why it is not served."""

KEEPALIVE_IDLE_SECONDS = 60
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
)


class Door:
    """The open connections of one web port."""

    def __init__(self, context: DoorContext) -> None:
        self._context = context
        self._open: set[DoorConnection] = set()

    @property
    def connection_count(self) -> int:
        """Connections that have not been closed or given away to their end."""
        return len(self._open)

    def welcome(self, sock: socket.socket, address: str, connections: trio.Nursery) -> None:
        """Takes a newcomer in, as a task of its own; one too many is told so."""
        try:
            if sock.family in {socket.AF_INET, socket.AF_INET6}:
                _tune(sock)
            if len(self._open) >= self._context.settings.max_connections:
                sock.send(_FULL)
                sock.close()
                return
        except OSError:
            sock.close()
            return
        connections.start_soon(self._serve, sock, address)

    def drain(self) -> None:
        """No connection takes another request; WebSockets are told that the server goes away."""
        self._context.is_draining = True
        error = leaving()
        for connection in list(self._open):
            connection.drain(error)

    async def _serve(self, sock: socket.socket, peer_address: str) -> None:
        connection = DoorConnection(sock, peer_address, self._context)
        self._open.add(connection)
        try:
            await contain("a connection of the door", connection.serve, lambda: {"address": peer_address})
        finally:
            self._open.discard(connection)


def leaving() -> VisionaError:
    """What is told to those whose exchange cannot outlive this server."""
    return DeviceBroke("the server is restarting", details={"cause": Cause.SERVER_DRAIN.value})


async def open_door(
    settings: WebSettings,
    site: Proxy,
    access: Access,
    sweeper: Sweeper,
    connect_agent: ConnectAgent,
    stop: trio.Event,
    *,
    limits: Limits | None = None,
    cameras: Cameras | None = None,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves the web port until `stop` is set and what is in flight has ended, or the drain time is over.

    Args:
        settings: where to listen and how long to wait.
        site: the device routes in front of the Quart app, as ASGI.
        access: who may reach which device.
        sweeper: must be running as long as this does.
        connect_agent: takes over an agent's connection to `/tunnel/connect`.
        stop: begins the end.
        limits: of each exchange with a device.
        cameras: the moving pictures that are shared; None: none is.
        task_status: is given the URLs that were bound, when everything accepts.

    Raises:
        OSError: nothing can be bound there.
    """
    hypercorn = Hypercorn(
        site, connect_agent, idle_seconds=settings.idle_seconds, drain_seconds=settings.drain_seconds
    )
    listeners = await bind(settings.listen)
    try:
        async with trio.open_nursery() as background:
            await background.start(hypercorn.run)
            # Newcomers are told to come again for as long as anybody is still being served.
            async with trio.open_nursery() as connections:
                context = DoorContext(
                    access=access,
                    sweeper=sweeper,
                    spawn=connections.start_soon,
                    hand_over=hypercorn.serve,
                    connect_agent=connect_agent,
                    settings=DoorSettings.from_web(settings),
                    limits=limits or Limits(),
                    outside=Outside.from_web(settings),
                    relays=settings.fast_door,
                    cameras=cameras,
                )
                door = Door(context)

                def take_in(sock: socket.socket, address: str) -> None:
                    if stop.is_set():
                        background.start_soon(turn_away, sock)
                    else:
                        door.welcome(sock, address, connections)

                background.start_soon(accept_forever, listeners, take_in)
                task_status.started([url_of("http", listener) for listener in listeners])
                await stop.wait()
                door.drain()
                site.drain(leaving())
                await hypercorn.drain()
                connections.cancel_scope.deadline = trio.current_time() + settings.drain_seconds
            await hypercorn.finish()
            background.cancel_scope.cancel()
    finally:
        for listener in listeners:
            listener.close()


async def turn_away(sock: socket.socket) -> None:
    """Tells a newcomer that the server stops: a probe hears 503, a client when to come again."""
    _, headers, body = error_response(ServerStopping("the server is restarting"), request_id_from(None))
    lines = [b"HTTP/1.1 503 Service Unavailable", *(b"%b: %b" % header for header in headers)]
    answer = b"\r\n".join([*lines, b"Connection: close", b"", body])
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    with trio.move_on_after(TURN_AWAY_SECONDS):
        try:
            async with stream:
                # Its request is read first, and what follows too: closing with unread bytes resets the answer away.
                await stream.receive_some(READ_BYTES)
                await stream.send_all(answer)
                await stream.send_eof()
                while await stream.receive_some(READ_BYTES):
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A WebSocket has no idle deadline of ours, so that the kernel must find out who is gone without a word.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
