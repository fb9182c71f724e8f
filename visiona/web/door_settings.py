"""What the connections of the door share: the parts they use and the limits they keep."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from visiona.relay.cameras import Cameras
from visiona.relay.deadlines import Limits, Sweeper
from visiona.web.door_output import Spawn
from visiona.web.proxy_access import Access
from visiona.web.proxy_crossing import Outside
from visiona.web.settings import WebSettings
from visiona.wire.http1.head import RequestHead

HandOver = Callable[[socket.socket, bytes, str], Awaitable[None]]
"""Takes a connection, the bytes already read from it, the peer's address; and closes it in the end."""

ConnectAgent = Callable[[socket.socket, RequestHead, bytes, str], Awaitable[None]]
"""Takes the connection of an agent: its request's head, the bytes after it, the peer's address."""


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """Limits of the door.

    Attributes:
        head_seconds: for a request head, from its first byte or from the connection's start.
        idle_seconds: between two requests.
        linger_seconds: how long what a refused client still sends is read and dropped, so that it can read why.
        max_connections: newcomers beyond it are told 503 and closed.
    """

    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    linger_seconds: float = 2.0
    max_connections: int = 20_000

    @classmethod
    def from_web(cls, web: WebSettings) -> "DoorSettings":
        """The part of the web's settings that the door keeps."""
        return cls(head_seconds=web.request_head_seconds, idle_seconds=web.idle_seconds)


@dataclass(slots=True)
class DoorContext:
    """What each connection of one door is given.

    Attributes:
        spawn: starts a task that may live a little longer than the connection.
        relays: device requests are served here; False: by the ASGI layer, as everything else.
        cameras: the moving pictures that are shared; None: none is.
        is_draining: the server stops: no connection waits for another request.
    """

    access: Access
    sweeper: Sweeper
    spawn: Spawn
    hand_over: HandOver
    connect_agent: ConnectAgent
    settings: DoorSettings = field(default_factory=DoorSettings)
    limits: Limits = field(default_factory=Limits)
    outside: Outside = field(default_factory=Outside)
    relays: bool = True
    cameras: Cameras | None = None
    is_draining: bool = False
