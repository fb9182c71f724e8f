"""Byte traces of real hashicorp/yamux, replayed: what interop proves where Go is, this proves anywhere."""

import hashlib
from collections import defaultdict

import pytest
from visiona.wire.yamux.events import DataReceived, Event, PingAcked

from tests.interop.traces import DATA, FIN, PING, RST, SYN, Replay, Trace, all_traces, frames

TRACES = all_traces()
SMALL_BYTES = 10_000
EACH_TRACE = pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.name)
EACH_SMALL_TRACE = pytest.mark.parametrize(
    "trace", [one for one in TRACES if one.wire_bytes < SMALL_BYTES], ids=lambda trace: trace.name
)


def test_there_are_traces_of_both_generations_in_both_roles() -> None:
    names = {trace.name for trace in TRACES}
    assert len(names) == len(TRACES) == 80
    assert {name.split("-", 1)[1] for name in names} == {
        f"{yamux}-{role}-{part}"
        for yamux in ("new", "old")
        for role in ("client", "server")
        for part in ("opens", "accepts")
    }
    assert sum(trace.wire_bytes < SMALL_BYTES for trace in TRACES) >= 8


@EACH_TRACE
def test_each_stream_brings_the_recorded_bytes_and_ends_as_recorded(trace: Trace) -> None:
    replay = Replay(trace)
    replay.play(trace.records())
    for stream in trace.said["streams"]:
        number, ends = stream["id"], stream["ends"]
        if number in replay.broken:
            # What the peer had under way when a reset crossed it is discarded, and so is its FIN.
            assert replay.lengths[number] <= stream["length"]
            assert replay.ends[number] == (["rst"] if "rst" in ends else [])
            continue
        assert (replay.lengths[number], replay.ends[number]) == (stream["length"], ends)
        assert replay.received[number].hexdigest() == stream["sha256"]
    assert replay.go_aways == trace.said["go_aways"]
    assert replay.session.statistics().queued_bytes == 0


@EACH_TRACE
def test_we_send_what_the_recorded_end_sent(trace: Trace) -> None:
    """The same payload and the same FIN or RST a stream; how it is cut into frames is ours to choose."""
    replay = Replay(trace)
    replay.play(trace.records())
    recorded = _sent([data for outgoing, data in trace.records() if outgoing])
    ours = _sent(replay.sent)
    assert ours.keys() == recorded.keys()
    for stream, (digest, marks) in recorded.items():
        if stream in replay.broken:
            assert ours[stream][1] == marks[: len(ours[stream][1])]
        else:
            assert ours[stream] == (digest, marks)


def _sent(data: list[bytes]) -> dict[int, tuple[str, list[str]]]:
    sums: defaultdict[int, hashlib._Hash] = defaultdict(hashlib.sha256)
    marks: defaultdict[int, list[str]] = defaultdict(list)
    for kind, flags, stream, _, payload in frames(data):
        if kind > 1:
            continue
        sums[stream].update(payload)
        for flag, mark in ((SYN, "syn"), (FIN, "fin"), (RST, "rst")):
            if flags & flag and "rst" not in marks[stream]:
                marks[stream].append(mark)
    return {stream: (sums[stream].hexdigest(), list(marks[stream])) for stream in sorted(sums)}


@EACH_TRACE
def test_each_ping_is_answered_with_its_own_value_and_ours_are_heard(trace: Trace) -> None:
    replay = Replay(trace)
    replay.play(trace.records())
    incoming = [data for outgoing, data in trace.records() if not outgoing]
    asked = [value for kind, flags, _, value, _ in frames(incoming) if kind == PING and flags & SYN]
    answered = [value for kind, flags, _, value, _ in frames(replay.sent) if kind == PING and not flags & SYN]
    assert answered == asked
    assert len(asked) == trace.said["pings"]
    assert sum(isinstance(event, PingAcked) for event in replay.events) == 1


@EACH_TRACE
def test_a_fin_never_rides_on_a_data_frame(trace: Trace) -> None:
    replay = Replay(trace)
    replay.play(trace.records())
    assert not [frame for frame in frames(replay.sent) if frame[0] == DATA and frame[1] & FIN]


@EACH_SMALL_TRACE
def test_one_byte_at_a_time_gives_the_same_events(trace: Trace) -> None:
    whole, single = Replay(trace), Replay(trace)
    whole.play(trace.records())
    single.play(
        (outgoing, piece)
        for outgoing, data in trace.records()
        for piece in ([data] if outgoing else [data[i : i + 1] for i in range(len(data))])
    )
    assert _joined(single.events) == _joined(whole.events)


@EACH_SMALL_TRACE
def test_a_cut_at_any_byte_gives_the_same_events(trace: Trace) -> None:
    whole = Replay(trace)
    whole.play(trace.records())
    expected = _joined(whole.events)
    longest = max(len(data) for outgoing, data in trace.records() if not outgoing)
    for cut in range(1, longest):
        replay = Replay(trace)
        for outgoing, data in trace.records():
            replay.play([(outgoing, data)] if outgoing else [(False, data[:cut]), (False, data[cut:])])
        assert _joined(replay.events) == expected, f"cut at {cut}"


def _joined(events: list[Event]) -> list[Event]:
    """Neighbouring pieces of one stream as one piece: where a piece ends means nothing."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if (
            isinstance(event, DataReceived)
            and isinstance(last, DataReceived)
            and event.stream_id == last.stream_id
        ):
            joined[-1] = DataReceived(event.stream_id, last.data + event.data)
        else:
            joined.append(event)
    return joined
