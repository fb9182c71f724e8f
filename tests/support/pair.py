"""Two yamux sessions joined: what one sends the other receives, in pieces of any size."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from visiona.wire.yamux.events import DataReceived, Event, StreamEnded, StreamOpened, StreamReset
from visiona.wire.yamux.limits import Limits, Role
from visiona.wire.yamux.session import Session
from visiona.wire.yamux.window import Budget

Cut = Callable[[bytes], Iterator[bytes]]
"""How the bytes of one direction are cut on their way."""


def whole(data: bytes) -> Iterator[bytes]:
    """Not cut at all."""
    yield data


def in_pieces_of(size: int) -> Cut:
    """Cut every `size` bytes."""

    def cut(data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return cut


@dataclass
class End:
    """One end, and what it has seen. A read consumes at once, unless `reads` is off."""

    session: Session
    reads: bool = True
    accepts: bool = True
    events: list[Event] = field(default_factory=list)
    data: dict[int, bytes] = field(default_factory=dict)

    def take(self, events: list[Event], now: float) -> None:
        """Records events and does what an application would."""
        self.events += events
        for event in events:
            if isinstance(event, StreamOpened) and self.accepts:
                self.session.accept_stream(event.stream_id)
            elif isinstance(event, DataReceived):
                self.data[event.stream_id] = self.data.get(event.stream_id, b"") + event.data
                if self.reads:
                    self.session.consume(event.stream_id, len(event.data), now)

    def saw(self, kind: type[Event]) -> list[Event]:
        """The events of one kind, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]

    def ended(self, stream_id: int) -> bool:
        """Whether the other end finished this stream properly."""
        return StreamEnded(stream_id) in self.events

    def was_reset(self, stream_id: int) -> bool:
        """Whether this stream was reset."""
        return StreamReset(stream_id) in self.events


class Pair:
    """A client (which may not refuse streams) and a server (which opens them), as agent and relay are."""

    def __init__(
        self,
        *,
        client_limits: Limits | None = None,
        server_limits: Limits | None = None,
        budget: Budget | None = None,
        cut: Cut = whole,
    ) -> None:
        self.client = End(Session(Role.CLIENT, client_limits or Limits(remote_may_open=True), budget=budget))
        self.server = End(Session(Role.SERVER, server_limits or Limits(), budget=budget))
        self.now = 0.0
        self.cut = cut

    def other(self, end: End) -> End:
        """The end across."""
        return self.client if end is self.server else self.server

    def carry(self, sender: End, max_bytes: int = 262_144) -> int:
        """Carries what one end has to send now to the other; returns how many bytes that were."""
        data = b"".join(sender.session.data_to_send(max_bytes))
        sender.take(sender.session.events(), self.now)
        for piece in self.cut(data):
            receiver = self.other(sender)
            receiver.take(receiver.session.receive_data(piece, self.now), self.now)
        return len(data)

    def settle(self) -> None:
        """Carries bytes both ways until nobody has any."""
        while self.carry(self.server) + self.carry(self.client):
            pass

    def write(self, end: End, stream_id: int, data: bytes) -> None:
        """Sends all of it, carrying bytes as often as the windows ask for; the other end must read."""
        while data:
            room = end.session.room(stream_id)
            if room:
                end.session.send_data(stream_id, data[:room])
                data = data[room:]
            else:
                self.settle()
