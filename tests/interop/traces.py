"""Recorded conversations of real yamux peers, and an end of ours that takes the place of the recorded one."""

import base64
import hashlib
import json
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visiona.wire.yamux.events import (
    DataReceived,
    Event,
    GoAwayReceived,
    StreamEnded,
    StreamOpened,
    StreamReset,
)
from visiona.wire.yamux.limits import Limits, Role
from visiona.wire.yamux.session import Session

TRACES = Path(__file__).parent / "traces"
DATA, WINDOW_UPDATE, PING, GO_AWAY = range(4)
SYN, FIN, RST = 1, 4, 8


@dataclass(frozen=True, slots=True)
class Trace:
    """One end's view: what it received and sent, in its order, and what the recorder says about it."""

    name: str
    role: Role
    opens: bool
    said: dict[str, Any] = field(repr=False)

    def records(self) -> Iterator[tuple[bool, bytes]]:
        """(outgoing, bytes), as the recorded end read and wrote them."""
        raw = zlib.decompress(base64.b64decode(self.said["records"]))
        at = 0
        while at < len(raw):
            outgoing, length = struct.unpack_from(">?I", raw, at)
            at += 5
            yield outgoing, raw[at : at + length]
            at += length

    @property
    def wire_bytes(self) -> int:
        """Bytes in both directions."""
        return int(self.said["wire_bytes"])


def all_traces() -> list[Trace]:
    """Every recording, four for each scenario and generation."""
    found = []
    for file in sorted(TRACES.glob("*.json")):
        for said in (whole := json.loads(file.read_text()))["traces"]:
            opener = "opens" if said["opens"] else "accepts"
            name = f"{whole['scenario']}-{whole['yamux']}-{said['role']}-{opener}"
            found.append(Trace(name, Role[said["role"].upper()], said["opens"], said))
    return found


def frames(data: Iterable[bytes]) -> Iterator[tuple[int, int, int, int, bytes]]:
    """(type, flags, stream, length, payload), parsed on purpose without a line of visiona."""
    raw, at = b"".join(data), 0
    while at < len(raw):
        version, kind, flags, stream, length = struct.unpack_from(">BBHII", raw, at)
        assert version == 0
        at += 12
        size = length if kind == DATA else 0
        assert at + size <= len(raw), "a recorded end wrote half a frame"
        yield kind, flags, stream, length, raw[at : at + size]
        at += size


class Replay:
    """Our session in the place of the recorded end: it does what that one did, and hears what that one heard."""

    def __init__(self, trace: Trace) -> None:
        self.session = Session(trace.role, Limits(remote_may_open=True))
        self.events: list[Event] = []
        self.sent: list[bytes] = []
        self.received: defaultdict[int, hashlib._Hash] = defaultdict(hashlib.sha256)
        self.lengths: defaultdict[int, int] = defaultdict(int)
        self.ends: defaultdict[int, list[str]] = defaultdict(list)
        self.go_aways: list[int] = []
        self.broken: set[int] = set()
        self._opened: set[int] = set()
        self._held = b""

    def play(self, records: Iterable[tuple[bool, bytes]]) -> None:
        """Both directions, record by record."""
        for outgoing, data in records:
            if outgoing:
                self._do_as_recorded(data)
            else:
                self.hear(data)

    def hear(self, data: bytes) -> None:
        """The peer's bytes; everything that comes is consumed at once."""
        for event in self.session.receive_data(data, 0.0):
            self.events.append(event)
            match event:
                case StreamOpened(stream_id):
                    self.session.accept_stream(stream_id)
                case DataReceived(stream_id, piece):
                    self.received[stream_id].update(piece)
                    self.lengths[stream_id] += len(piece)
                    self.session.consume(stream_id, len(piece), 0.0)
                case StreamEnded(stream_id):
                    self.ends[stream_id].append("fin")
                case StreamReset(stream_id):
                    self.ends[stream_id].append("rst")
                    self.broken.add(stream_id)
                case GoAwayReceived(code):
                    self.go_aways.append(code)
                case _:
                    pass
        self._drain()

    def _drain(self) -> None:
        while pieces := self.session.data_to_send():
            self.sent += pieces
        self.events += self.session.events()

    def _do_as_recorded(self, data: bytes) -> None:
        # A header and its payload are two writes of the recorded end.
        self._held += data
        if len(self._held) < 12:
            return
        kind, length = self._held[1], int.from_bytes(self._held[8:12], "big")
        if kind == DATA and len(self._held) < 12 + length:
            return
        whole, self._held = self._held, b""
        for frame in frames([whole]):
            self._act(*frame)
        self._drain()

    def _act(self, kind: int, flags: int, stream: int, length: int, payload: bytes) -> None:
        session = self.session
        if kind == PING:
            if flags & SYN:
                session.ping(0.0)
        elif kind == GO_AWAY:
            session.go_away(length)
        else:
            self._act_on_stream(flags, stream, payload)

    def _act_on_stream(self, flags: int, stream: int, payload: bytes) -> None:
        session = self.session
        # The recorded end numbers its streams in order, but its SYNs may overtake each other.
        while flags & SYN and stream not in self._opened:
            self._opened.add(session.open_stream())
        if stream in self.broken:
            return  # the recorded end had not heard of it yet, or said FIN after its RST
        while payload:
            size = session.room(stream)
            assert size, f"no room for what the recorded end sent on stream {stream}"
            session.send_data(stream, payload[:size])
            payload = payload[size:]
            self._drain()
        if flags & RST:
            session.reset_stream(stream)
            self.broken.add(stream)
        elif flags & FIN:
            session.end_stream(stream)
