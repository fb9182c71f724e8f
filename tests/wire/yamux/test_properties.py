"""What holds for every conversation: played with random operations, cuts and orders."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.yamux.errors import StreamLimit
from visiona.wire.yamux.events import DataReceived, Event, StreamEnded, StreamOpened, StreamReset
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits, Role
from visiona.wire.yamux.session import Session
from visiona.wire.yamux.window import Budget

from tests.support.pair import End, Pair
from tests.wire.yamux import frames

SMALL = Limits(
    remote_may_open=True,
    max_streams=6,
    max_unacked_streams=4,
    accept_backlog=4,
    max_window_bytes=3 * INITIAL_WINDOW_BYTES,
    receive_budget_bytes=4 * INITIAL_WINDOW_BYTES,
    outbox_high_bytes=300_000,
    outbox_low_bytes=50_000,
    stream_queue_bytes=100_000,
    frame_bytes=20_000,
    crowded_frame_bytes=5_000,
    crowd_streams=2,
)

any_frame = st.one_of(
    st.builds(frames.data, st.integers(0, 5), st.binary(max_size=30), st.sampled_from([0, 0, 0, 1, 2, 4, 8])),
    st.builds(frames.credit, st.integers(0, 5), st.integers(0, 3)),
    st.builds(frames.syn, st.sampled_from([1, 3, 5])),
    st.builds(frames.fin, st.integers(0, 5)),
    st.builds(frames.rst, st.integers(0, 5)),
    st.builds(frames.ping, st.integers(0, 3), st.integers(0, 3)),
    st.builds(frames.go_away, st.integers(0, 3)),
)


def joined(events: list[Event]) -> list[Event]:
    """Pieces of data that follow each other put together: cutting bytes cuts those."""
    found: list[Event] = []
    for event in events:
        if found and isinstance(event, DataReceived) and isinstance(found[-1], DataReceived):
            last = found[-1]
            if last.stream_id == event.stream_id:
                found[-1] = DataReceived(event.stream_id, last.data + event.data)
                continue
        found.append(event)
    return found


def heard(session: Session, reads: list[bytes]) -> tuple[list[Event], str | None, bytes]:
    """Events, kind of the error, and what is sent back, after a session heard this."""
    events: list[Event] = []
    kind = None
    for read in reads:
        try:
            events += session.receive_data(read, 0.0)
        except RemoteProtocolError as error:
            kind = error.kind
            break
    return joined(events), kind, b"".join(session.data_to_send())


@given(st.lists(any_frame, max_size=25), st.data(), st.sampled_from(Role))
def test_bytes_cut_anywhere_give_the_same_events(
    sent: list[bytes], choose: st.DataObject, role: Role
) -> None:
    def fresh() -> Session:
        session = Session(role, Limits(remote_may_open=role is Role.CLIENT))
        for _ in range(2):
            session.open_stream()
        return session

    stream = b"".join(sent)
    cuts = sorted(choose.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reads = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    # One frame a read is the reference: a violation then takes no event of an earlier frame with it.
    events, kind, answer = heard(fresh(), sent)
    cut_events, cut_kind, cut_answer = heard(fresh(), reads)
    assert (cut_kind, cut_answer) == (kind, answer)
    if kind is None:
        assert cut_events == events
    else:
        assert len(cut_events) <= len(events)


@dataclass
class Model:
    """What two honest ends must have seen: the bytes written on each side of each stream, and how it ended."""

    written: dict[tuple[str, int], bytes] = field(default_factory=dict)
    ended: set[tuple[str, int]] = field(default_factory=set)
    reset: set[int] = field(default_factory=set)


class Play:
    """Random operations at both ends of a pair, with a model beside it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.process = Budget(6 * INITIAL_WINDOW_BYTES)
        self.pair = Pair(client_limits=SMALL, server_limits=SMALL, budget=self.process, cut=self.cut)
        self.ends = {"client": self.pair.client, "server": self.pair.server}
        self.model = Model()
        self.streams: list[int] = []

    def cut(self, data: bytes) -> Iterator[bytes]:
        while data:
            size = self.random.choice([1, 7, 12, 1000, 100_000])
            yield data[:size]
            data = data[size:]

    def step(self) -> None:
        name = self.random.choice(list(self.ends))
        end = self.ends[name]
        act = self.random.choice(
            [self.open, self.write, self.write, self.write, self.carry, self.carry, self.end]
        )
        if self.random.random() < 0.03:
            act = self.reset
        self.pair.now += self.random.random() * 0.01
        act(name, end)
        self.check_limits()

    def open(self, name: str, end: End) -> None:
        try:
            self.streams.append(end.session.open_stream())
        except StreamLimit:
            end.session.ping(self.pair.now)

    def some_stream(self) -> int:
        return self.random.choice(self.streams[-8:] or [2])

    def write(self, name: str, end: End) -> None:
        stream_id = self.some_stream()
        room = min(end.session.room(stream_id), self.random.choice([1, 100, 5000, 200_000]))
        if room:
            data = self.random.randbytes(room)
            end.session.send_data(stream_id, data)
            self.model.written[name, stream_id] = self.model.written.get((name, stream_id), b"") + data

    def carry(self, name: str, end: End) -> None:
        self.pair.carry(end, self.random.choice([100, 10_000, 262_144]))

    def end(self, name: str, end: End) -> None:
        stream_id = self.some_stream()
        if self.can_end(name, end, stream_id):
            end.session.end_stream(stream_id)
            self.model.ended.add((name, stream_id))

    def can_end(self, name: str, end: End, stream_id: int) -> bool:
        return (
            self.knows(name, end, stream_id)
            and (name, stream_id) not in self.model.ended
            and not self.lost(stream_id)
        )

    def knows(self, name: str, end: End, stream_id: int) -> bool:
        """Only who opened a stream knows of it from the start."""
        is_opener = stream_id % 2 == (name == "client")
        return stream_id in self.streams and (is_opener or StreamOpened(stream_id) in end.events)

    def lost(self, stream_id: int) -> bool:
        refused = any(StreamReset(stream_id) in end.events for end in self.ends.values())
        return refused or stream_id in self.model.reset

    def reset(self, name: str, end: End) -> None:
        stream_id = self.some_stream()
        both_ended = {("client", stream_id), ("server", stream_id)} <= self.model.ended
        if self.knows(name, end, stream_id) and not both_ended:
            end.session.reset_stream(stream_id)
            self.model.reset.add(stream_id)

    def check_limits(self) -> None:
        for end in self.ends.values():
            seen = end.session.statistics()
            assert seen.queued_bytes <= SMALL.outbox_high_bytes
            assert seen.streams <= SMALL.max_streams
            assert seen.unacked_streams <= SMALL.max_unacked_streams
            assert seen.unaccepted_streams <= SMALL.accept_backlog
            assert seen.grown_bytes <= SMALL.receive_budget_bytes
            assert seen.granted_bytes <= SMALL.max_streams * INITIAL_WINDOW_BYTES + seen.grown_bytes
            assert seen.remembered_streams <= SMALL.remembered_streams
        assert self.process.taken_bytes == sum(
            end.session.statistics().grown_bytes for end in self.ends.values()
        )

    def finish(self) -> None:
        for _ in range(3):
            self.pair.settle()
            for stream_id in self.streams:
                for name, end in self.ends.items():
                    if self.can_end(name, end, stream_id):
                        end.session.end_stream(stream_id)
                        self.model.ended.add((name, stream_id))
        self.pair.settle()

    def check_bytes(self) -> None:
        for name, other in (("client", self.pair.server), ("server", self.pair.client)):
            for stream_id in self.streams:
                written = self.model.written.get((name, stream_id), b"")
                arrived = other.data.get(stream_id, b"")
                if self.lost(stream_id):
                    assert written.startswith(arrived)
                else:
                    assert arrived == written
                    assert StreamEnded(stream_id) in other.events
        for end in self.ends.values():
            seen = end.session.statistics()
            assert (seen.streams, seen.unacked_streams, seen.queued_bytes, seen.granted_bytes) == (0, 0, 0, 0)
        assert self.process.taken_bytes == 0


@pytest.mark.parametrize("seed", range(25))
def test_two_ends_with_random_operations_agree_with_a_model_byte_for_byte(seed: int) -> None:
    play = Play(seed)
    for _ in range(250):
        play.step()
    play.finish()
    play.check_bytes()


@given(st.lists(any_frame, max_size=60), st.integers(0, 60))
def test_memory_stays_within_the_declared_limits_whatever_a_peer_sends(sent: list[bytes], opens: int) -> None:
    limits = Limits(max_streams=5, control_frames=20, queued_ping_replies=4, remembered_streams=6)
    session = Session(Role.SERVER, limits)
    for _ in range(min(opens, 5)):
        session.open_stream()
    for frame in sent:
        try:
            session.receive_data(frame, 0.0)
        except RemoteProtocolError:
            break
        seen = session.statistics()
        assert seen.streams <= 5
        assert seen.control_frames <= 20 + 4 + 5
        assert seen.remembered_streams <= 6
        assert seen.granted_bytes <= 5 * INITIAL_WINDOW_BYTES + seen.grown_bytes


@given(st.lists(st.one_of(st.binary(max_size=40), any_frame), max_size=25), st.sampled_from(Role))
def test_t35_random_bytes_end_in_a_protocol_error_or_in_nothing(sent: list[bytes], role: Role) -> None:
    session = Session(role, SMALL, budget=Budget(1_000_000))
    for piece in sent:
        try:
            session.receive_data(piece, 0.0)
        except RemoteProtocolError:
            break
    assert isinstance(b"".join(session.data_to_send()), bytes)
    assert session.statistics().streams <= SMALL.max_streams
