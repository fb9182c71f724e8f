import socket
from collections.abc import Awaitable, Callable, Iterator

import pytest
import trio
import trio.testing
from visiona.relay.deadlines import Sweeper
from visiona.web.door_output import LIVE_UNSENT_BYTES, Output

BIG = 8 << 20


class Sending:
    """An output over one end of a pair, with everything it does noted."""

    def __init__(self, sock: socket.socket, nursery: trio.Nursery) -> None:
        self.taken = 0
        self.drains = 0
        self.spawned = 0
        self._nursery = nursery
        self.output = Output(sock, Sweeper(), self._spawn, self._drained)
        self.output.owe(self._take)

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        self.spawned += 1
        self._nursery.start_soon(work)

    def _take(self, count: int) -> None:
        self.taken += count

    def _drained(self) -> None:
        self.drains += 1


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


async def test_what_the_kernel_takes_is_sent_at_once_and_paid_for(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    async with trio.open_nursery() as nursery:
        sending = Sending(pair[0], nursery)
        sending.output.queue(b"head")
        sending.output.queue(b"body", 4)
        sending.output.flush()
        assert pair[1].recv(100) == b"headbody"
        assert (sending.taken, sending.spawned, sending.output.is_stalled) == (4, 0, False)


async def test_what_it_does_not_take_is_kept_and_paid_for_as_it_leaves(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    async with trio.open_nursery() as nursery:
        sending = Sending(pair[0], nursery)
        data = bytes(range(256)) * (BIG // 256)
        for at in range(0, BIG, 65536):
            sending.output.queue(data[at : at + 65536], 65536)
        sending.output.flush()
        assert sending.output.is_stalled
        assert 0 < sending.taken < BIG
        sending.output.queue(b"after")
        sending.output.flush()
        assert sending.spawned == 1
        pair[1].setblocking(False)
        received = bytearray()
        while len(received) < BIG + 5:
            await trio.lowlevel.wait_readable(pair[1])
            received += pair[1].recv(1 << 20)
        await trio.testing.wait_all_tasks_blocked()
        assert bytes(received) == data + b"after"
        assert (sending.taken, sending.drains, sending.output.is_stalled) == (BIG, 1, False)


async def test_a_client_that_is_gone_breaks_the_output_and_ends_its_task(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    async with trio.open_nursery() as nursery:
        sending = Sending(pair[0], nursery)
        sending.output.queue(bytes(BIG), BIG)
        sending.output.flush()
        await trio.testing.wait_all_tasks_blocked()
        pair[1].close()
        await trio.testing.wait_all_tasks_blocked()
        assert sending.output.is_broken
        sending.output.flush()


async def test_a_debt_of_the_last_answer_is_not_paid_to_the_next(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    async with trio.open_nursery() as nursery:
        sending = Sending(pair[0], nursery)
        sending.output.queue(bytes(BIG), BIG)
        sending.output.flush()
        paid = sending.taken
        sending.output.owe(None)
        sending.output.give_up()
        trio.lowlevel.notify_closing(pair[0])
        assert sending.taken == paid


async def test_what_was_not_flushed_can_be_taken_back(pair: tuple[socket.socket, socket.socket]) -> None:
    async with trio.open_nursery() as nursery:
        sending = Sending(pair[0], nursery)
        sending.output.queue(b"wrong", 5)
        sending.output.discard()
        sending.output.queue(b"right")
        sending.output.flush()
        assert pair[1].recv(100) == b"right"
        assert sending.taken == 0


async def test_of_what_is_live_the_kernel_takes_little_ahead_of_a_slow_client() -> None:
    taken: list[int] = []
    for live in (False, True):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = socket.socket()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            theirs.connect(listener.getsockname())
            ours, _ = listener.accept()
        ours.setblocking(False)
        with ours, theirs:
            async with trio.open_nursery() as nursery:
                sending = Sending(ours, nursery)
                if live:
                    sending.output.hold_little()
                sending.output.queue(bytes(BIG), BIG)
                sending.output.flush()
                await trio.testing.wait_all_tasks_blocked(0.05)
                taken.append(sending.taken)
                nursery.cancel_scope.cancel()
    # What is on its way is the client's window; beyond it only a little waits here.
    assert taken[1] < taken[0] / 3
    assert taken[1] < 4 * LIVE_UNSENT_BYTES
