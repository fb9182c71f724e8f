"""Fuzzes a yamux session: random bytes, and conversations of a model peer that are mutated on their way.

    python scripts/fuzz.d/yamux.py --seconds 60 --seed 1

The only thing that bytes may raise is RemoteProtocolError. Between the reads the session is used as a tunnel uses it,
which must not raise at all, and after each read it must be within its declared limits. A failure is printed with the
`--seed` and `--only` that repeat it.
"""

import random
import sys
from struct import pack

from harness.rounds import run_rounds
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.yamux.errors import SessionEnding, StreamLimit
from visiona.wire.yamux.events import DataReceived, StreamOpened
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits, Role
from visiona.wire.yamux.session import Session
from visiona.wire.yamux.window import Budget

SMALL = {
    "max_streams": 4,
    "max_unacked_streams": 3,
    "accept_backlog": 2,
    "control_frames": 16,
    "remembered_streams": 4,
}
LIMITS = {
    Role.SERVER: [
        Limits(),
        Limits(**SMALL),
        Limits(**SMALL, max_window_bytes=1 << 20, receive_budget_bytes=600_000),
    ],
    Role.CLIENT: [Limits(remote_may_open=True), Limits(remote_may_open=True, **SMALL), Limits()],
}
IDS = [0, 1, 2, 2, 2, 3, 4, 4, 6, 8, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
LENGTHS = [0, 0, 1, 2, 11, 12, 13, 100, 4096, 131_072, 262_143, 262_144, 262_145, 1 << 30, 0xFFFFFFFF]
FLAGS = [0, 0, 0, 1, 2, 2, 4, 4, 8, 3, 5, 6, 12, 15, 16, 0x8000]


class Case:
    """One session and everything that is done to it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.role = chance.choice(list(Role))
        self.limits = chance.choice(LIMITS[self.role])
        self.process = Budget(800_000)
        first = None if chance.random() < 0.95 else 0x7FFFFFFA + self.role.value
        self.session = Session(self.role, self.limits, budget=self.process, first_stream_id=first)
        self.held: dict[int, int] = {}
        self.live: list[int] = []
        self.ended: set[int] = set()
        self.now = 0.0

    def run(self) -> None:
        """Plays the case to its end."""
        chance = self.chance
        try:
            for _ in range(chance.randrange(1, 12)):
                self.act()
                for piece in self.cut(chance.choice([self.noise, self.frames, self.frames, self.peer])()):
                    self.now += chance.choice([0.0, 0.0, 0.001, 0.2, 30.0])
                    self.take(piece)
                self.check()
        except RemoteProtocolError:
            self.check()
            assert b"".join(self.session.data_to_send())[:2] == b"\0\3", "no go-away after an error"
        self.session.close()
        left = self.session.statistics()
        assert (left.streams, left.unacked_streams, left.unaccepted_streams, left.queued_bytes) == (
            0,
            0,
            0,
            0,
        )
        assert self.process.taken_bytes == 0, "credit is lost"

    def take(self, piece: bytes) -> None:
        """The session hears this, and its owner does what a tunnel would."""
        for event in self.session.receive_data(piece, self.now):
            if isinstance(event, DataReceived):
                self.held[event.stream_id] = self.held.get(event.stream_id, 0) + len(event.data)
            elif isinstance(event, StreamOpened):
                self.live.append(event.stream_id)
                self.held.pop(event.stream_id, None)
                self.ended.discard(event.stream_id)

    def act(self) -> None:
        """Local use, always allowed."""
        session, chance = self.session, self.chance
        for _ in range(chance.randrange(6)):
            stream_id = chance.choice(self.live) if self.live else 2
            match chance.randrange(8):
                case 0 | 1:
                    self.open()
                case 2:
                    room = session.room(stream_id)
                    if room:
                        session.send_data(stream_id, bytes(min(room, chance.choice(LENGTHS))))
                case 3:
                    if session.room(stream_id) and stream_id not in self.ended:
                        session.end_stream(stream_id)
                        self.ended.add(stream_id)
                case 4:
                    session.reset_stream(stream_id)
                case 5:
                    session.consume(stream_id, self.held.pop(stream_id, 0), self.now)
                case 6:
                    session.ping(self.now)
                case 7 if chance.random() < 0.1:
                    session.go_away()
        if chance.random() < 0.7:
            session.data_to_send(chance.choice([0, 12, 13, 100, 70_000, 262_144]))
            session.events()

    def open(self) -> None:
        """Opens a stream if there is one to be had."""
        try:
            self.live.append(self.session.open_stream())
        except (StreamLimit, SessionEnding):
            self.session.data_to_send()

    def noise(self) -> bytes:
        """Bytes without any meaning, at times with a plausible beginning."""
        return self.chance.choice([b"", b"\0", b"\0\0\0\0\0\0\0\2"]) + self.chance.randbytes(
            self.chance.randrange(60)
        )

    def frames(self) -> bytes:
        """Frames whose fields are all interesting."""
        chance = self.chance
        made = []
        for _ in range(chance.randrange(1, 12)):
            kind, length = chance.choice([0, 0, 1, 1, 2, 3]), chance.choice(LENGTHS)
            stream_id = (
                chance.choice(self.live) if self.live and chance.random() < 0.7 else chance.choice(IDS)
            )
            there = length if chance.random() < 0.03 else min(length, 300)
            body = bytes(min(there, 300_000)) if kind == 0 else b""
            made.append(pack(">BBHII", 0, kind, chance.choice(FLAGS), stream_id, length) + body)
        data = b"".join(made)
        return data * 300 if len(data) < 100 and chance.random() < 0.1 else data

    def peer(self) -> bytes:
        """What an honest peer would say to all that it has heard, mutated."""
        chance = self.chance
        other = Session(
            Role.CLIENT if self.role is Role.SERVER else Role.SERVER, Limits(remote_may_open=True)
        )
        said = bytearray()
        for stream_id in self.live[-6:]:
            other.receive_data(pack(">BBHII", 0, 1, 1, stream_id, 0), 0.0) if self.is_ours(
                stream_id
            ) else None
            if other.room(stream_id):
                other.send_data(stream_id, bytes(chance.choice([1, 20, 200, 4000])))
                chance.choice([other.end_stream, other.reset_stream, other.accept_stream])(stream_id)
        if chance.random() < 0.3:
            other.send_data(other.open_stream(), b"unasked")
        said += b"".join(other.data_to_send())
        for _ in range(chance.choice([0, 0, 1, 3])):
            if said:
                said[chance.randrange(min(len(said), 200))] ^= 1 << chance.randrange(8)
        if said and chance.random() < 0.2:
            at = chance.randrange(len(said))
            said[at:at] = said[chance.randrange(len(said)) :][:24]
        return bytes(said)

    def is_ours(self, stream_id: int) -> bool:
        """Whether the session under test opened it."""
        return stream_id % 2 == self.role.value % 2

    def cut(self, data: bytes) -> list[bytes]:
        """Reads of any size."""
        chance = self.chance
        if chance.random() < 0.5:
            return [data]
        most = chance.choice([1, 12, 500, 100_000]) if len(data) < 2000 else 60_000
        pieces = []
        while data:
            size = chance.randrange(1, most + 1)
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    def check(self) -> None:
        """Nothing is beyond what the limits declare."""
        seen, limits = self.session.statistics(), self.limits
        assert seen.streams <= limits.max_streams
        assert seen.unacked_streams <= limits.max_unacked_streams
        assert seen.unaccepted_streams <= limits.accept_backlog
        assert seen.queued_bytes <= limits.outbox_high_bytes
        assert seen.remembered_streams <= limits.remembered_streams
        assert seen.grown_bytes <= min(limits.receive_budget_bytes, self.process.limit_bytes)
        assert seen.granted_bytes <= limits.max_streams * INITIAL_WINDOW_BYTES + seen.grown_bytes
        # The lane itself, and what live streams may add beyond its limit: FIN or RST, and a last go-away.
        most = limits.control_frames + limits.queued_ping_replies + 3 * limits.max_streams + 4
        assert seen.control_frames <= most, f"{seen.control_frames} control frames"


def one_case(chance: random.Random) -> None:
    Case(chance).run()


if __name__ == "__main__":
    sys.exit(run_rounds([one_case]))
