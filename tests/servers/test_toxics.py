"""What the relay of the outage tests does to bytes."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.toxics import HELD_BYTES, ToxicRelay


class Echo:
    """A server that gives back what it gets, and knows how its connections ended."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.ends: list[str] = []
        self.heard = b""
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one: socket.socket) -> None:
        how = "ended"
        try:
            while data := one.recv(65536):
                self.heard += data
                one.sendall(data)
        except ConnectionResetError:
            how = "reset"
        except OSError:
            how = "closed"
        one.close()
        self.ends.append(how)
        self.ended.set()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def relay(echo: Echo) -> Iterator[ToxicRelay]:
    with ToxicRelay(echo.port) as relay:
        yield relay


def dial(relay: ToxicRelay, timeout: float = 5.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout)


def read(one: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := one.recv(count - len(data))):
        data += piece
    return data


def said(one: socket.socket, data: bytes) -> bytes:
    one.sendall(data)
    return read(one, len(data))


def wait_until(relay: ToxicRelay, connections: int) -> None:
    deadline = time.monotonic() + 5
    while relay.connections != connections:
        assert time.monotonic() < deadline, relay.connections
        threading.Event().wait(0.005)


def test_bytes_and_ends_pass_both_ways(relay: ToxicRelay, echo: Echo) -> None:
    with dial(relay) as one:
        assert said(one, b"hello") == b"hello"
        one.shutdown(socket.SHUT_WR)
        assert one.recv(10) == b""
    assert echo.ended.wait(5)
    assert echo.ends == ["ended"]
    wait_until(relay, connections=0)


def test_much_passes_whole_and_not_all_of_it_is_held(relay: ToxicRelay) -> None:
    data = bytes(range(256)) * 4 * (HELD_BYTES // 256)
    with dial(relay) as one:
        threading.Thread(target=one.sendall, args=(data,), daemon=True).start()
        assert read(one, len(data)) == data


def test_a_delay_holds_in_each_direction(relay: ToxicRelay) -> None:
    with dial(relay) as one:
        relay.delay(0.1)
        began = time.monotonic()
        assert said(one, b"hello") == b"hello"
        assert 0.2 <= time.monotonic() - began < 2
        relay.heal()
        began = time.monotonic()
        assert said(one, b"hello") == b"hello"
        assert time.monotonic() - began < 0.1


def test_slices_arrive_whole_in_the_end(relay: ToxicRelay) -> None:
    relay.slice(3)
    with dial(relay) as one:
        assert said(one, b"0123456789" * 100) == b"0123456789" * 100


def test_what_is_swallowed_stays_lost_and_the_connection_is_reset_when_all_is_well(
    relay: ToxicRelay, echo: Echo
) -> None:
    with dial(relay, 0.2) as one:
        assert said(one, b"hello") == b"hello"
        relay.swallow()
        one.sendall(b"are you there?")
        with pytest.raises(TimeoutError):
            one.recv(10)
        with dial(relay, 0.2) as another, pytest.raises(TimeoutError):
            said(another, b"hello")
        relay.heal()
        with pytest.raises(ConnectionResetError):
            one.recv(10)
    assert echo.heard == b"hello"
    with dial(relay) as one:
        assert said(one, b"hello") == b"hello"


def test_an_end_is_swallowed_as_well(relay: ToxicRelay, echo: Echo) -> None:
    one = dial(relay)
    assert said(one, b"hello") == b"hello"
    relay.swallow()
    one.close()
    assert not echo.ended.wait(0.1)
    relay.heal()
    assert echo.ended.wait(5)
    assert echo.ends == ["reset"]


def test_who_has_vanished_does_not_even_accept(relay: ToxicRelay) -> None:
    with dial(relay) as open_before:
        relay.vanish()
        with pytest.raises(TimeoutError):
            dial(relay, 0.2)
        open_before.settimeout(0.2)
        with pytest.raises(TimeoutError):
            said(open_before, b"hello")
        relay.heal()
        with dial(relay) as one:
            assert said(one, b"hello") == b"hello"


def test_a_reset_is_felt_at_both_ends_and_new_connections_are_welcome(relay: ToxicRelay, echo: Echo) -> None:
    with dial(relay) as one:
        assert said(one, b"hello") == b"hello"
        relay.reset()
        with pytest.raises(ConnectionResetError):
            one.recv(10)
    assert echo.ended.wait(5)
    assert echo.ends == ["reset"]
    with dial(relay) as one:
        assert said(one, b"hello") == b"hello"


def test_who_refuses_resets_and_takes_nobody(relay: ToxicRelay) -> None:
    with dial(relay) as one:
        assert said(one, b"hello") == b"hello"
        relay.refuse()
        with pytest.raises(ConnectionResetError):
            one.recv(10)
    with pytest.raises(ConnectionRefusedError):
        dial(relay)
    relay.heal()
    with dial(relay) as one:
        assert said(one, b"hello") == b"hello"


def test_one_may_follow_the_other_in_any_order(relay: ToxicRelay) -> None:
    for name in (
        "vanish",
        "vanish",
        "refuse",
        "vanish",
        "refuse",
        "refuse",
        "heal",
        "heal",
        "swallow",
        "heal",
    ):
        getattr(relay, name)()
    with dial(relay) as one:
        assert said(one, b"hello") == b"hello"


def test_an_answer_can_be_lost_whose_question_arrived(relay: ToxicRelay, echo: Echo) -> None:
    with dial(relay) as one:
        relay.lose_the_answer_to(b"COMMIT")
        assert said(one, b"hello") == b"hello"
        one.settimeout(0.2)
        with pytest.raises(TimeoutError):
            said(one, b"please COMMIT")
        assert echo.heard == b"helloplease COMMIT"
        with dial(relay) as another:
            assert said(another, b"hello") == b"hello"
        relay.heal()
        with pytest.raises(ConnectionResetError):
            one.recv(10)


def test_a_server_that_is_gone_is_a_reset() -> None:
    with ToxicRelay(1) as relay, pytest.raises(ConnectionResetError), dial(relay) as one:
        one.recv(10)
