import typing

import pytest
from visiona.wire.yamux import events

ABOUT_THE_SESSION = {events.PingAcked, events.GoAwayReceived}


@pytest.mark.parametrize("kind", typing.get_args(events.Event), ids=lambda kind: kind.__name__)
def test_events_about_a_stream_name_it_first(kind: type) -> None:
    fields = typing.cast("tuple[str, ...]", kind._fields)
    assert (fields[0] == "stream_id") is (kind not in ABOUT_THE_SESSION)


def test_events_of_two_kinds_are_never_equal() -> None:
    assert events.StreamEnded(2) == events.StreamEnded(2)
    assert events.StreamEnded(2) != events.StreamEnded(4)
    assert events.StreamEnded(2) != events.StreamReset(2)
    assert not events.StreamEnded(2) == events.StreamReset(2)  # noqa: SIM201 — both operators are ours
    assert {events.StreamEnded(2), events.StreamReset(2), events.StreamEnded(2)} == {
        events.StreamReset(2),
        events.StreamEnded(2),
    }
