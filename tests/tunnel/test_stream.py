"""One stream as its user holds it, over a session of its own."""

import pytest
from visiona.tunnel.errors import StreamReset, TunnelClosed
from visiona.tunnel.stream import MAX_PENDING_BYTES, Stream
from visiona.wire.errors import LocalProtocolError
from visiona.wire.yamux.limits import INITIAL_WINDOW_BYTES, Limits, Role
from visiona.wire.yamux.session import Session

from tests.support.tunnels import Remembering


class Owner:
    """What a stream needs of a tunnel, remembered."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.session = Session(Role.SERVER, limits or Limits())
        self.woken = 0
        self.blocked: list[Stream] = []
        self.forgotten: list[Stream] = []

    def wake_writer(self) -> None:
        self.woken += 1

    def now(self) -> float:
        return 0.0

    def note_blocked(self, stream: Stream) -> None:
        self.blocked.append(stream)

    def forget(self, stream: Stream) -> None:
        self.forgotten.append(stream)


def opened() -> tuple[Owner, Stream]:
    owner = Owner()
    return owner, Stream(owner, Remembering(), owner.session.open_stream())


def sent(owner: Owner) -> bytes:
    return b"".join(owner.session.data_to_send(1 << 22))


def test_a_small_write_goes_straight_to_the_queue() -> None:
    owner, stream = opened()
    assert stream.write(b"hello") is True
    assert owner.woken == 1
    assert sent(owner).endswith(b"hello")


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_a_write_at_the_edge_of_the_window(beyond: int) -> None:
    owner, stream = opened()
    assert stream.write(b"x" * (INITIAL_WINDOW_BYTES + beyond)) is (beyond < 0)
    assert stream.held_bytes == max(beyond, 0)
    assert owner.blocked == ([] if beyond < 0 else [stream])
    assert stream.room == (1 if beyond < 0 else 0)


def test_what_was_held_back_goes_in_order_when_there_is_room() -> None:
    owner, stream = opened()
    stream.write(b"x" * INITIAL_WINDOW_BYTES + b"first ")
    stream.write(b"second")
    sent(owner)
    assert stream.flush() is False
    owner.session.receive_data(_window_update(stream.id, 3), 0.0)
    assert stream.flush() is False
    assert sent(owner).endswith(b"fir")
    owner.session.receive_data(_window_update(stream.id, 100), 0.0)
    assert stream.flush() is True
    assert sent(owner).endswith(b"st second")
    assert stream.held_bytes == 0


def test_the_end_follows_what_is_held_back() -> None:
    owner, stream = opened()
    stream.write(b"x" * INITIAL_WINDOW_BYTES + b"tail")
    stream.end()
    stream.end()
    assert stream.is_ended
    sent(owner)
    owner.session.receive_data(_window_update(stream.id, 100), 0.0)
    assert stream.flush() is True
    tail = sent(owner)
    assert tail[-16:-12] == b"tail"
    assert tail[-12:-8] == b"\0\x01\0\x04"


def test_writing_after_the_end_is_a_bug_of_ours() -> None:
    _, stream = opened()
    stream.end()
    with pytest.raises(LocalProtocolError):
        stream.write(b"x")


def test_a_writer_that_ignores_false_is_stopped() -> None:
    _, stream = opened()
    stream.write(b"x" * INITIAL_WINDOW_BYTES)
    stream.write(b"x" * MAX_PENDING_BYTES)
    with pytest.raises(LocalProtocolError):
        stream.write(b"x")


def test_a_reset_drops_everything_and_may_be_repeated() -> None:
    owner, stream = opened()
    stream.write(b"x" * INITIAL_WINDOW_BYTES + b"y")
    stream.reset()
    stream.reset()
    assert owner.forgotten == [stream]
    assert stream.held_bytes == 0
    assert stream.is_lost
    assert owner.session.statistics().streams == 0
    with pytest.raises(StreamReset, match="local"):
        stream.write(b"x")
    stream.end()
    stream.consumed(5)


def test_a_lost_stream_says_why_each_time_with_an_exception_of_its_own() -> None:
    _, stream = opened()
    stream.lose(TunnelClosed("revoked", "why"))
    caught = []
    for _ in range(2):
        with pytest.raises(TunnelClosed, match="revoked:why") as info:
            stream.write(b"x")
        caught.append(info.value)
    assert caught[0] is not caught[1]


def test_a_stream_is_forgotten_when_both_sides_have_ended() -> None:
    owner, stream = opened()
    stream.end()
    assert owner.forgotten == []
    stream.remote_ended()
    assert owner.forgotten == [stream]
    owner, stream = opened()
    stream.remote_ended()
    assert owner.forgotten == []
    stream.end()
    assert owner.forgotten == [stream]


def test_a_reset_after_both_ends_drops_nothing_that_is_queued() -> None:
    owner, stream = opened()
    stream.write(b"tail")
    stream.end()
    owner.session.receive_data(b"\0\x01\0\x04" + stream.id.to_bytes(4) + bytes(4), 0.0)
    stream.remote_ended()
    stream.reset()
    assert b"tail" in sent(owner)


def test_a_stream_that_is_not_open_yet_holds_everything_back() -> None:
    owner = Owner()
    stream = Stream(owner, Remembering(), 0)
    assert stream.room == 0
    assert stream.write(b"early") is False
    stream.end()
    stream.consumed(1)
    stream.id = owner.session.open_stream()
    assert stream.flush() is True
    assert b"early" in sent(owner)


def test_a_stream_that_never_opened_can_be_reset() -> None:
    owner = Owner()
    stream = Stream(owner, Remembering(), 0)
    stream.reset()
    assert owner.forgotten == [stream]
    assert sent(owner) == b""


def _window_update(stream_id: int, count: int) -> bytes:
    return b"\0\x01\0\x02" + stream_id.to_bytes(4) + count.to_bytes(4)
