from visiona.wire.yamux.limits import Limits
from visiona.wire.yamux.state import StreamState
from visiona.wire.yamux.stream import Stream
from visiona.wire.yamux.window import Budget, Terms, Window


def test_a_stream_of_ours_waits_for_the_peer_and_one_of_theirs_for_us() -> None:
    terms = Terms(Limits(), Budget())
    ours, theirs = Stream(2, Window(terms), True), Stream(1, Window(terms), False)
    assert (ours.accepted, ours.acked) == (True, False)
    assert (theirs.accepted, theirs.acked) == (False, True)
    assert ours.state is theirs.state is StreamState.OPEN
