"""The reading side of one connection: bytes, what is waited for, and the deadline on that.

One task reads. It can be woken wherever it waits, by the answer that is finished, by room in the stream, by the
sweeper; whoever wakes it sets what it will look at first.
"""

import socket
from enum import Enum

import trio

from visiona.relay.deadlines import Limits, Sweeper
from visiona.web.door_output import Output
from visiona.web.door_settings import DoorSettings

READ_BYTES = 65536
BULK_READ_BYTES = 262144
"""Of an upload: a stream's whole first window at once."""

_LEFT_STATES = frozenset({7, 8})
"""TCP_CLOSE and TCP_CLOSE_WAIT (linux/tcp_states.h): the client has closed its side, or everything."""


class Stage(Enum):
    """What the connection waits for, and so which deadline it is under."""

    IDLE = "a request"
    HEAD = "the rest of a head"
    UPLOAD = "more of a body"
    ANSWER = "the device"
    LEAVING = "the client, to read the last answer"


class _Wait(Enum):
    NOT = 0
    FOR_BYTES = 1
    TO_BE_WOKEN = 2


class Input:
    """What one client sends.

    Attributes:
        buffer: read and not used yet; whatever was sent ahead of its turn.
        is_gone: the client has closed its side, or is to be treated as if it had.
        is_overdue: the deadline of the stage is over.
        is_first: no request was served on this connection yet.
        has_waited: others had their turn since whoever asks this set it back.
    """

    def __init__(
        self, sock: socket.socket, output: Output, sweeper: Sweeper, settings: DoorSettings, limits: Limits
    ) -> None:
        self.buffer = bytearray()
        self.is_gone = False
        self.is_overdue = False
        self.is_first = True
        self.has_waited = False
        self.stage = Stage.IDLE
        self._sock = sock
        self._descriptor = sock.fileno()
        self._output = output
        self._sweeper = sweeper
        self._settings = settings
        self._limits = limits
        self._since = sweeper.now
        self._waiting = _Wait.NOT
        self._task: trio.lowlevel.Task | None = None

    def enter(self, stage: Stage) -> None:
        """Begins to wait for something else, under its deadline."""
        self.stage = stage
        self._since = self._sweeper.now
        self.is_overdue = False

    def wake(self) -> None:
        """Lets the task look around, wherever it waits."""
        if self._waiting is _Wait.FOR_BYTES:
            # Nobody closes the socket: this is the cheap way to end one `wait_readable`.
            trio.lowlevel.notify_closing(self._descriptor)
        elif self._waiting is _Wait.TO_BE_WOKEN and self._task is not None:
            self._waiting = _Wait.NOT
            trio.lowlevel.reschedule(self._task)

    def end(self) -> None:
        """Treats the client as gone."""
        self.is_gone = True
        self.wake()

    async def receive(self, limit: int) -> bytes:
        """What is there next; empty when the task was woken for something else, or the client is gone."""
        self.has_waited = True
        self._waiting = _Wait.FOR_BYTES
        try:
            await trio.lowlevel.wait_readable(self._descriptor)
        except trio.ClosedResourceError:
            # `wake` did that.
            return b""
        finally:
            self._waiting = _Wait.NOT
        try:
            data = self._sock.recv(limit)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError:
            data = b""
        if not data:
            self.is_gone = True
        elif self.stage is Stage.UPLOAD:
            self._since = self._sweeper.now
        return data

    async def take(self, limit: int) -> bytes:
        """What was read ahead, else what is there next."""
        if not self.buffer:
            return await self.receive(limit)
        data = bytes(self.buffer[:limit])
        del self.buffer[:limit]
        return data

    async def more(self) -> None:
        """Reads ahead."""
        self.buffer += await self.receive(READ_BYTES)

    async def parked(self) -> None:
        """Waits for `wake`, without reading."""
        self.has_waited = True
        self._waiting = _Wait.TO_BE_WOKEN
        self._task = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._waiting = _Wait.NOT
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def check_deadlines(self, now: float) -> None:
        """See relay.deadlines.Watched."""
        output = self._output
        if output.is_stalled and now - output.moved_at > self._limits.client_stall_seconds:
            output.give_up()
            self.end()
        elif self._waiting is _Wait.TO_BE_WOKEN:
            # Only bytes that are asked for run late; but whether the client is still there must be known.
            self._since = now
            if self._client_has_left():
                self.end()
        elif now - self._since > self._limit_seconds():
            self.is_overdue = True
            self.wake()

    def _limit_seconds(self) -> float:
        match self.stage:
            case Stage.IDLE:
                return self._settings.head_seconds if self.is_first else self._settings.idle_seconds
            case Stage.HEAD:
                return self._settings.head_seconds
            case Stage.UPLOAD:
                return self._limits.client_stall_seconds
            case Stage.LEAVING:
                return self._settings.linger_seconds
            case Stage.ANSWER:
                return float("inf")

    def _client_has_left(self) -> bool:
        """Asked while nothing is read, so that the end of the client's stream would go unnoticed."""
        try:
            return self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _LEFT_STATES
        except OSError:
            return False
