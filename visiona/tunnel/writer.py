"""The sending half of a tunnel: the one place that touches the transport's outgoing side.

It sleeps without an Event and without a lock: whoever queues something reschedules the sleeping task, which runs in
the next scheduler tick and then finds all that this tick queued.
"""

import trio

from visiona.tunnel.settings import TunnelSettings
from visiona.tunnel.transport import Transport
from visiona.wire.yamux.session import Session

SEND_BYTES = 256 * 1024
"""One send: as much as one read of the other end takes."""

GOODBYE_BYTES = 4096
"""What still goes when the tunnel closes: the control lane with its GoAway."""


class Writer:
    """Sends what a session has queued. One task calls the async methods."""

    __slots__ = ("_drain", "_parked", "_session", "_settings", "_transport", "is_broken")

    def __init__(self, session: Session, transport: Transport, settings: TunnelSettings) -> None:
        self._session = session
        self._transport = transport
        self._settings = settings
        self._parked: trio.lowlevel.Task | None = None
        self._drain: trio.CancelScope | None = None
        self.is_broken = False
        """Nothing more can be sent: the connection broke, or half a frame stands on the line."""

    def wake(self) -> None:
        """Something was queued; harmless when the task is awake."""
        task = self._parked
        if task is not None:
            self._parked = None
            trio.lowlevel.reschedule(task)

    def hurry(self) -> None:
        """The tunnel closes: what is being sent has this much longer, and then the farewell goes."""
        if self._drain is not None:
            self._drain.deadline = trio.current_time() + self._settings.goodbye_seconds
        self.wake()

    async def send_queued(self) -> bool:
        """Sends what is queued, as one message; sleeps and returns False when nothing is.

        Raises:
            trio.TooSlowError: the other end took nothing for `write_seconds`.
            OSError, trio.BrokenResourceError: the connection broke.
        """
        pieces = self._session.data_to_send(SEND_BYTES)
        if not pieces and not self._transport.wants_to_send:
            await self._park()
            return False
        if not self._transport.send_nowait(pieces):
            await self._send_rest()
        elif self._session.wants_to_send:
            # The kernel would take more and more: the other tasks have their turn first.
            await trio.lowlevel.checkpoint()
        return True

    async def say_goodbye(self, code: int) -> None:
        """Sends the GoAway that is queued and the transport's farewell, if that goes quickly."""
        if self.is_broken:
            return
        self._transport.queue_close(code)
        with trio.move_on_after(self._settings.goodbye_seconds):
            if not self._transport.send_nowait(self._session.data_to_send(GOODBYE_BYTES)):
                await self._transport.drain(self._settings.goodbye_seconds)

    async def _send_rest(self) -> None:
        with trio.CancelScope() as self._drain:
            await self._transport.drain(self._settings.write_seconds)
        if self._drain.cancelled_caught:
            self.is_broken = True
        self._drain = None

    async def _park(self) -> None:
        self._parked = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._unpark)

    def _unpark(self, _: object) -> trio.lowlevel.Abort:
        self._parked = None
        return trio.lowlevel.Abort.SUCCEEDED
