"""The exchange core, driven by hand: no task, no socket, a stream of fifteen lines."""

import pytest
from visiona.domain.errors import DeviceBroke, DeviceTooSlow, NotFound, NotSignedIn, VisionaError
from visiona.domain.ids import DeviceId, TokenId, UserId
from visiona.relay.calls import LiveCalls
from visiona.relay.deadlines import Limits, Sweeper
from visiona.relay.exchange import MAX_INTERIM_ANSWERS, Exchange, Phase
from visiona.tunnel.errors import StreamRefused, StreamReset, TunnelClosed
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import CHUNKED, NO_BODY, Framing, Sized
from visiona.wire.http1.head import ResponseHead

OK = b"HTTP/1.1 200 OK\r\n"


class FakeStream:
    """A stream that notes what is done to it."""

    def __init__(self) -> None:
        self.written = b""
        self.credit = 0
        self.ended = self.was_reset = False
        self.room = 1000
        self.error: Exception | None = None

    def write(self, data: bytes) -> bool:
        if self.error is not None:
            raise self.error
        self.written += data
        self.room = max(0, self.room - len(data))
        return self.room > 0

    def consumed(self, count: int) -> None:
        self.credit += count

    def end(self) -> None:
        self.ended = True

    def reset(self) -> None:
        self.was_reset = True


class FakeTunnel:
    def __init__(self, error: Exception | None = None) -> None:
        self.stream = FakeStream()
        self.error = error

    def open_stream_nowait(self, handler: object) -> FakeStream:
        if self.error is not None:
            raise self.error
        return self.stream


class FakeClient:
    """A client that notes what it is told."""

    is_full = False

    def __init__(self) -> None:
        self.heads: list[int] = []
        self.interims: list[int] = []
        self.framing: Framing | None = None
        self.body = b""
        self.trailers: tuple[Header, ...] | None = None
        self.error: VisionaError | None = None
        self.flushes = self.rooms = 0

    def answer_interim(self, head: ResponseHead) -> None:
        self.interims.append(head.status)

    def answer_head(self, head: ResponseHead, framing: Framing) -> None:
        self.heads.append(head.status)
        self.framing = framing

    def answer_body(self, data: bytes) -> None:
        self.body += data

    def answer_end(self, trailers: tuple[Header, ...]) -> None:
        assert self.error is None
        assert self.trailers is None
        self.trailers = trailers

    def answer_broken(self, error: VisionaError) -> None:
        assert self.error is None
        assert self.trailers is None
        self.error = error

    def flush(self) -> None:
        self.flushes += 1

    def upload_room(self) -> None:
        self.rooms += 1


class Made:
    """A started exchange and everything around it."""

    def __init__(self, method: bytes = b"GET", framing: Framing = NO_BODY, *, upgrade: bool = False) -> None:
        self.client, self.tunnel, self.sweeper, self.calls = (
            FakeClient(),
            FakeTunnel(),
            Sweeper(),
            LiveCalls(),
        )
        self.exchange = Exchange(
            self.client, method, framing, upgrade=upgrade, sweeper=self.sweeper, limits=Limits()
        )
        self.exchange.enter(self.calls, UserId("u"), TokenId("t"), DeviceId("d"))
        self.exchange.start(self.tunnel, b"HEAD")
        self.stream = self.tunnel.stream

    def is_gone(self) -> bool:
        return self.exchange.phase is Phase.OVER and not len(self.calls) and not self.sweeper.watched_count

    def pass_seconds(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self.sweeper.tick(0.5)


def test_the_whole_way_of_a_sized_answer() -> None:
    made = Made()
    assert made.stream.written == b"HEAD"
    made.exchange.stream_data(OK + b"Content-Length: 5\r\n\r\nhe")
    made.exchange.taken(2)
    made.exchange.stream_data(b"llo")
    assert (made.client.heads, made.client.body, made.client.trailers) == ([200], b"hello", ())
    assert made.stream.ended
    assert made.exchange.phase is Phase.LINGER
    assert len(made.calls) == 0
    made.exchange.stream_ended()
    assert made.is_gone()
    assert not made.stream.was_reset


@pytest.mark.parametrize("size", range(1, 12))
def test_an_answer_cut_anywhere_is_the_same_answer(size: int) -> None:
    made = Made()
    text = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nX-T: 1\r\n\r\n"
    for at in range(0, len(text), size):
        made.exchange.stream_data(text[at : at + size])
    assert (made.client.body, made.client.trailers) == (b"abcde", ((b"X-T", b"1"),))
    # The head and the chunks' own lines give their credit at once; the body's is given when it has left.
    assert made.stream.credit <= len(text) - len(b"abcde")


def test_every_byte_gives_its_credit_in_the_end() -> None:
    made = Made()
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    made.exchange.stream_data(head + b"3\r\nabc\r\n")
    made.exchange.taken(3)
    assert made.stream.credit == len(head) + len(b"3\r\nabc\r\n")


def test_t29_chunks_of_one_byte_cost_the_client_s_side_as_one_piece() -> None:
    made = Made()
    pieces: list[bytes] = []
    made.client.answer_body = pieces.append
    made.exchange.stream_data(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    made.exchange.stream_data(b"1\r\nx\r\n" * 1000)
    assert pieces == [b"x" * 1000]
    made.exchange.stream_data(b"0\r\n\r\n")
    assert made.client.trailers == ()


def test_an_answer_until_the_close_ends_with_the_stream() -> None:
    made = Made()
    made.exchange.stream_data(OK + b"\r\nall of it")
    made.exchange.stream_ended()
    assert (made.client.body, made.client.trailers) == (b"all of it", ())
    assert made.is_gone()


@pytest.mark.parametrize("text", [b"", OK, OK + b"Content-Length: 5\r\n\r\nfour"])
def test_t33_an_early_end_is_never_a_clean_one(text: bytes) -> None:
    made = Made()
    if text:
        made.exchange.stream_data(text)
    made.exchange.stream_ended()
    assert isinstance(made.client.error, DeviceBroke)
    assert made.stream.was_reset
    assert made.is_gone()


def test_t50_interim_answers_are_limited() -> None:
    made = Made()
    made.exchange.stream_data(b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Hints\r\n\r\n" * 3)
    assert made.client.interims == [103] * 3
    made.exchange.stream_data(b"HTTP/1.1 103 Hints\r\n\r\n" * MAX_INTERIM_ANSWERS)
    assert isinstance(made.client.error, DeviceBroke)


def test_t50_an_answer_longer_than_it_says_is_refused_while_nothing_was_shown() -> None:
    made = Made()
    made.exchange.stream_data(OK + b"Content-Length: 2\r\n\r\nabc")
    assert isinstance(made.client.error, DeviceBroke)
    assert made.stream.was_reset


def test_t50_what_follows_a_whole_answer_harms_nobody() -> None:
    made = Made()
    made.exchange.stream_data(OK + b"Content-Length: 2\r\n\r\na")
    made.exchange.stream_data(b"bc")
    assert (made.client.body, made.client.trailers, made.client.error) == (b"ab", (), None)
    made.exchange.stream_data(b"more")
    assert made.client.body == b"ab"


def test_t50_a_switch_of_protocols_that_nobody_asked_for_is_refused() -> None:
    made = Made()
    made.exchange.stream_data(b"HTTP/1.1 101 Now\r\n\r\n")
    assert isinstance(made.client.error, DeviceBroke)


def test_after_a_switch_bytes_pass_as_they_are_both_ways() -> None:
    made = Made(upgrade=True)
    switch = b"HTTP/1.1 101 Now\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    made.exchange.stream_data(switch + b"\x81\x01a")
    made.exchange.send_body(b"\x81\x81mask")
    made.exchange.stream_data(b"\x81\x01b")
    assert made.client.body == b"\x81\x01a\x81\x01b"
    assert made.stream.written == b"HEAD\x81\x81mask"
    made.exchange.hang_up()
    assert made.stream.ended
    assert not made.stream.was_reset
    made.pass_seconds(1)
    assert made.stream.was_reset
    assert made.is_gone()


def test_a_sized_upload_goes_as_it_is_and_a_chunked_one_in_chunks() -> None:
    sized = Made(b"POST", Sized(4))
    sized.exchange.send_body(b"ab")
    sized.exchange.send_body(b"cd")
    sized.exchange.end_body()
    assert sized.stream.written == b"HEADabcd"
    chunked = Made(b"POST", CHUNKED)
    chunked.exchange.send_body(b"abc")
    chunked.exchange.end_body(((b"X-T", b"1"),))
    assert chunked.stream.written == b"HEAD3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"


def test_the_request_never_ends_the_stream_before_the_answer_is_whole() -> None:
    made = Made(b"POST", Sized(1))
    made.exchange.send_body(b"a")
    made.exchange.end_body()
    assert not made.stream.ended
    made.exchange.stream_data(OK + b"Content-Length: 0\r\n\r\n")
    assert made.stream.ended


def test_an_answer_before_the_upload_was_whole_resets_the_stream_and_drops_the_rest() -> None:
    made = Made(b"POST", Sized(10))
    made.exchange.send_body(b"abc")
    made.exchange.stream_data(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
    assert made.client.trailers == ()
    assert made.stream.was_reset
    assert made.exchange.upload_space_bytes > 0
    made.exchange.send_body(b"defghij")
    made.exchange.end_body()
    assert made.stream.written == b"HEADabc"


def test_room_in_the_stream_is_told_to_the_client() -> None:
    made = Made(b"POST", Sized(5000))
    made.exchange.send_body(bytes(996))
    assert made.exchange.upload_space_bytes == 0
    made.stream.room = 100
    made.exchange.stream_writable()
    assert made.client.rooms == 1
    assert made.exchange.upload_space_bytes == 100


@pytest.mark.parametrize(
    ("lost", "kind"),
    [
        (StreamReset("peer"), DeviceBroke),
        (StreamReset("write_timeout"), DeviceTooSlow),
        (TunnelClosed("keepalive_timeout"), DeviceBroke),
    ],
)
def test_a_lost_stream_is_told_once(lost: StreamReset | TunnelClosed, kind: type[VisionaError]) -> None:
    made = Made()
    made.exchange.stream_lost(lost)
    assert isinstance(made.client.error, kind)
    assert made.is_gone()
    assert not made.stream.was_reset


def test_a_stream_that_is_lost_while_writing_is_told_once() -> None:
    made = Made(b"POST", Sized(5))
    made.stream.error = TunnelClosed("tcp_reset")
    made.exchange.send_body(b"abc")
    made.exchange.end_body()
    assert isinstance(made.client.error, DeviceBroke)
    assert made.client.error.details == {"cause": "tcp_reset"}


@pytest.mark.parametrize("error", [StreamRefused("full"), TunnelClosed("replaced")])
def test_a_stream_that_cannot_be_opened_is_for_the_caller(error: Exception) -> None:
    sweeper = Sweeper()
    exchange = Exchange(FakeClient(), b"GET", NO_BODY, upgrade=False, sweeper=sweeper, limits=Limits())
    with pytest.raises(type(error)):
        exchange.start(FakeTunnel(error), b"HEAD")
    assert sweeper.watched_count == 0


def test_a_client_that_leaves_resets_the_stream_and_hears_nothing() -> None:
    made = Made()
    made.exchange.leave()
    assert made.stream.was_reset
    assert made.client.error is None
    assert made.is_gone()


def test_leaving_after_a_whole_answer_resets_nothing() -> None:
    made = Made()
    made.exchange.stream_data(OK + b"Content-Length: 0\r\n\r\n")
    made.exchange.leave()
    assert not made.stream.was_reset


@pytest.mark.parametrize(("cause", "kind"), [("revoked", NotSignedIn), ("device_deleted", NotFound)])
def test_t45_a_cut_ends_the_exchange_at_once(cause: str, kind: type[VisionaError]) -> None:
    made = Made()
    assert made.calls.cut_user(UserId("u"), cause) == 1
    assert isinstance(made.client.error, kind)
    assert made.client.flushes
    assert made.stream.was_reset
    assert made.is_gone()


@pytest.mark.parametrize(("method", "seconds"), [(b"GET", 60), (b"POST", 300)])
def test_t51_the_head_has_a_deadline_that_depends_on_the_method(method: bytes, seconds: int) -> None:
    made = Made(method)
    made.pass_seconds(seconds)
    assert made.client.error is None
    made.pass_seconds(1)
    assert isinstance(made.client.error, DeviceTooSlow)
    assert made.stream.was_reset


def test_t51_an_upload_under_way_is_not_late() -> None:
    made = Made(b"PUT", CHUNKED)
    for _ in range(10):
        made.pass_seconds(250)
        made.exchange.send_body(b"x")
    assert made.client.error is None


def test_t51_silence_in_mid_answer_has_a_deadline_and_a_full_client_is_no_silence() -> None:
    made = Made()
    made.exchange.stream_data(OK + b"Content-Length: 9\r\n\r\nab")
    made.client.is_full = True
    made.pass_seconds(1000)
    assert made.client.error is None
    made.client.is_full = False
    made.pass_seconds(120)
    assert made.client.error is None
    made.pass_seconds(1)
    assert isinstance(made.client.error, DeviceTooSlow)


def test_t52_a_stream_that_its_device_never_ends_is_reset_soon() -> None:
    made = Made()
    made.exchange.stream_data(OK + b"Content-Length: 0\r\n\r\n")
    made.pass_seconds(5)
    assert not made.stream.was_reset
    made.pass_seconds(1)
    assert made.stream.was_reset
    assert made.is_gone()


def test_a_pipe_that_was_hung_up_takes_nothing_more() -> None:
    made = Made(upgrade=True)
    made.exchange.stream_data(b"HTTP/1.1 101 Now\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    made.exchange.hang_up()
    made.exchange.send_body(b"late")
    made.exchange.end_body()
    assert made.stream.written == b"HEAD"
    made.exchange.stream_data(b"last words of the device")
    assert made.client.body == b""
