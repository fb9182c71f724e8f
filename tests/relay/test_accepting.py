"""Binding and accepting."""

import errno
import logging
import socket
from collections.abc import Callable

import pytest
import trio
import trio.testing
from visiona.domain.listen import ListenAddress
from visiona.relay.accepting import (
    ACCEPTS_PER_WAKE_UP,
    BACK_OFF_SECONDS,
    accept_forever,
    accept_many,
    bind,
    plain_address,
    url_of,
)


class FakeListener:
    """Answers accept() from a list of results."""

    def __init__(self, *results: OSError | socket.socket) -> None:
        self._results = list(results)

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if not self._results:
            raise BlockingIOError
        result = self._results.pop(0)
        if isinstance(result, OSError):
            raise result
        return result, ("::ffff:192.0.2.1", 1)


async def test_a_burst_is_accepted_in_one_wake_up() -> None:
    (listener,) = await bind(ListenAddress("127.0.0.1", 0))
    clients = [socket.create_connection(listener.getsockname()) for _ in range(20)]
    accepted: list[socket.socket] = []
    assert accept_many(listener, lambda sock, _: accepted.append(sock)) == 20
    assert all(not sock.getblocking() for sock in accepted)
    for sock in [*clients, *accepted, listener]:
        sock.close()


def test_a_wake_up_takes_a_bounded_number() -> None:
    socks = [socket.socket() for _ in range(ACCEPTS_PER_WAKE_UP + 1)]
    taken: list[str] = []
    assert accept_many(FakeListener(*socks), lambda _, address: taken.append(address)) == ACCEPTS_PER_WAKE_UP
    assert set(taken) == {"192.0.2.1"}
    for sock in socks:
        sock.close()


def test_one_that_left_while_it_waited_is_skipped() -> None:
    sock = socket.socket()
    listener = FakeListener(ConnectionAbortedError(), PermissionError(), sock)
    taken: list[socket.socket] = []
    accept_many(listener, lambda accepted, _: taken.append(accepted))
    assert taken == [sock]
    sock.close()


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
async def test_s05_without_descriptors_it_waits_and_does_not_spin(
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:
    def exhausted(listener: socket.socket, on_accepted: Callable[[socket.socket, str], None]) -> int:
        raise OSError(code, "Too many open files")

    monkeypatch.setattr("visiona.relay.accepting.accept_many", exhausted)
    caplog.set_level(logging.ERROR)
    listeners = await bind(ListenAddress("127.0.0.1", 0))
    with socket.create_connection(listeners[0].getsockname()):
        with trio.move_on_after(BACK_OFF_SECONDS * 9.5):
            await accept_forever(listeners, lambda sock, address: None)
    assert len(caplog.records) == 10
    assert listeners[0].fileno() == -1


async def test_any_other_fault_of_the_listener_surfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(listener: socket.socket, on_accepted: Callable[[socket.socket, str], None]) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("visiona.relay.accepting.accept_many", broken)
    listeners = await bind(ListenAddress("127.0.0.1", 0))
    with socket.create_connection(listeners[0].getsockname()), pytest.raises(ExceptionGroup):
        await accept_forever(listeners, lambda sock, address: None)


async def test_without_a_host_every_address_is_bound() -> None:
    (listener,) = await bind(ListenAddress(None, 0))
    port = listener.getsockname()[1]
    socket.create_connection(("127.0.0.1", port)).close()
    if listener.family == socket.AF_INET6:
        socket.create_connection(("::1", port)).close()
    listener.close()


async def test_a_name_with_two_addresses_has_one_port() -> None:
    listeners = await bind(ListenAddress("localhost", 0))
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    for listener in listeners:
        listener.close()


async def test_the_url_of_every_address_is_one_that_this_machine_reaches() -> None:
    (listener,) = await bind(ListenAddress(None, 0))
    with listener:
        assert url_of("wss", listener) == f"wss://127.0.0.1:{listener.getsockname()[1]}"


async def test_s07_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    (listener,) = await bind(ListenAddress("127.0.0.1", 0))
    with listener, pytest.raises(OSError, match="in use"):
        await bind(ListenAddress("127.0.0.1", listener.getsockname()[1]))


@pytest.mark.parametrize(
    ("seen", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:1", "::ffff:1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_an_address_is_written_in_one_way(seen: str, plain: str) -> None:
    assert plain_address(seen) == plain
