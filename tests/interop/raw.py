"""A Go yamux peer on the other end of a TCP connection, and our session on this one."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from visiona.wire.yamux.limits import Limits, Role
from visiona.wire.yamux.session import Session

from tests.interop.peer import Channel, Peer
from tests.interop.programs import GoProgram, go_program

OPEN_TO_ALL = Limits(remote_may_open=True)


@dataclass(frozen=True, slots=True)
class Joined:
    """Both ends."""

    peer: Peer
    program: GoProgram


@contextmanager
def joined(
    generation: str,
    role: Role,
    *,
    limits: Limits = OPEN_TO_ALL,
    answer: Callable[[Peer, int], Channel] = Channel,
    **flags: object,
) -> Iterator[Joined]:
    """Our session in `role`, Go in the other; `flags` are those of go/cmd/raw."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(15)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        theirs = "client" if role is Role.SERVER else "server"
        with go_program("raw", generation, connect=address, role=theirs, **flags) as program:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                yield Joined(Peer(connection, Session(role, limits), answer), program)
