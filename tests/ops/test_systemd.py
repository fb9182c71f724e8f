import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing
from visiona.ops.systemd import MAX_STATUS_CHARACTERS, Notifier, feed_watchdog


class Manager:
    """A service manager's ear of our own."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (
        str(tmp_path / "notify")
        if request.param == "path"
        else f"@visiona-test-{tmp_path.name}-{id(tmp_path)}"
    )


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    made = Manager(address)
    yield made
    made.socket.close()


@pytest.fixture
def notifier(manager: Manager, address: str) -> Iterator[Notifier]:
    made = Notifier(address)
    yield made
    made.close()


def test_each_state_is_one_datagram(manager: Manager, notifier: Notifier) -> None:
    assert notifier.ready("serving")
    assert notifier.status("12 devices")
    assert notifier.watchdog()
    assert notifier.stopping()
    assert manager.heard() == ["READY=1\nSTATUS=serving", "STATUS=12 devices", "WATCHDOG=1", "STOPPING=1"]


def test_reloading_carries_the_time_that_the_manager_wants(manager: Manager, notifier: Notifier) -> None:
    notifier.reloading()
    first, second = manager.heard()[0].split("\n")
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=")
    assert second.removeprefix("MONOTONIC_USEC=").isdigit()


def test_a_status_cannot_smuggle_an_instruction(manager: Manager, notifier: Notifier) -> None:
    notifier.status("fine\nMAINPID=1\r\nREADY=1")
    assert manager.heard() == ["STATUS=fine MAINPID=1 READY=1"]


def test_a_status_has_a_bounded_length(manager: Manager, notifier: Notifier) -> None:
    notifier.status("x" * 10_000)
    assert len(manager.heard()[0]) == MAX_STATUS_CHARACTERS + len("STATUS=")


@pytest.mark.parametrize("notify_socket", [None, "", "vsock:2:1234", "relative/path"])
def test_without_a_manager_every_call_does_nothing(notify_socket: str | None) -> None:
    notifier = Notifier(notify_socket)
    assert not notifier.ready()
    assert not notifier.watchdog()
    notifier.close()


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "nobody"))
    assert not notifier.ready()
    notifier.close()
    notifier.close()


def test_a_manager_that_does_not_listen_is_not_waited_for(manager: Manager, notifier: Notifier) -> None:
    results = [notifier.status("x" * 500) for _ in range(5000)]  # would hang here if it blocked
    assert results[0]
    assert not results[-1]


async def test_the_watchdog_is_fed_several_times_in_its_period(
    manager: Manager, notifier: Notifier, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.move_on_after(60):
        await feed_watchdog(notifier, 30_000_000)
    beats = manager.heard().count("WATCHDOG=1")
    assert 6 <= beats <= 9


async def test_without_a_watchdog_nothing_is_fed(manager: Manager, notifier: Notifier) -> None:
    await feed_watchdog(notifier, None)
    await feed_watchdog(notifier, 0)
    assert manager.heard() == []


async def test_the_watchdog_is_held_back_while_the_loop_stalls(
    manager: Manager, notifier: Notifier, mock_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(feed_watchdog, notifier, 30_000_000)
        await trio.testing.wait_all_tasks_blocked()
        assert manager.heard() == ["WATCHDOG=1"]
        for _ in range(5):  # a loop that turns every ten seconds only
            mock_clock.jump(10)
            await trio.testing.wait_all_tasks_blocked()
        assert manager.heard() == []
        nursery.cancel_scope.cancel()


async def test_t48_one_long_stall_is_forgiven_at_the_first_punctual_beat(
    manager: Manager, notifier: Notifier, mock_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(feed_watchdog, notifier, 30_000_000)
        mock_clock.jump(15)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(1)
        await trio.testing.wait_all_tasks_blocked()
        assert manager.heard() == ["WATCHDOG=1", "WATCHDOG=1"]
        nursery.cancel_scope.cancel()
