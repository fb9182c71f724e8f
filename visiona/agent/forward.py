"""An accepted stream → the local HTTP service → its answer: a byte pipe both ways, with half-close.

Nothing of the request is read, so whatever HTTP can do goes through as it is: streaming, trailers, WebSocket. The
destination is the configured target and never anything that a request names. Host stays what the relay wrote, for
the relay is the one who knows how the service is addressed from outside.

An answer that breaks off must not look finished: a local connection that breaks resets the stream, and only a local
end becomes an end.
"""

import logging

import trio

from visiona.agent.addresses import Address
from visiona.agent.reasons import reason_of
from visiona.agent.refusals import refusal
from visiona.agent.settings import AgentSettings

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024

LINGER_SECONDS = 10.0
"""After the local service has ended its answer, how long the caller may take to end its side."""

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError)


class Forwarder:
    """Serves the streams of one agent, `max_streams` at a time."""

    def __init__(self, target: Address, settings: AgentSettings) -> None:
        self._target = target
        self._settings = settings
        self.active_count = 0
        self.served_count = 0

    async def serve(self, stream: trio.abc.HalfCloseableStream) -> None:
        """One stream, from its acceptance to its end. Raises nothing of the network's; closing is done here."""
        self.served_count += 1
        self.active_count += 1
        try:
            if self.active_count > self._settings.max_streams:
                await _refuse(stream, 503, "this unit serves as many requests as it may; try again")
            else:
                await self._connect_and_pipe(stream)
        finally:
            self.active_count -= 1
            await trio.aclose_forcefully(stream)

    async def _connect_and_pipe(self, stream: trio.abc.HalfCloseableStream) -> None:
        try:
            with trio.fail_after(self._settings.target_seconds):
                local = await trio.open_tcp_stream(self._target.host, self._target.port)
        except (OSError, trio.TooSlowError) as error:
            log.warning(
                "the local service is not reachable",
                extra={"target": str(self._target), "reason": reason_of(error)},
            )
            await _refuse(stream, 502, f"the local service at {self._target.authority} is not reachable")
            return
        async with local:
            await pipe(stream, local)


async def pipe(stream: trio.abc.HalfCloseableStream, local: trio.abc.HalfCloseableStream) -> None:
    """Copies both ways until both have ended, or one broke. Closing both is for the caller; unended means reset."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_bring_requests, stream, local, nursery.cancel_scope)
        if await _bring_answers(local, stream):
            nursery.cancel_scope.deadline = trio.current_time() + LINGER_SECONDS
        else:
            nursery.cancel_scope.cancel()


async def _bring_requests(
    stream: trio.abc.HalfCloseableStream, local: trio.abc.HalfCloseableStream, exchange: trio.CancelScope
) -> None:
    """Until the caller ends; a caller that gives up ends the exchange.

    A service that stops reading does not: it may have answered early, and that answer still has to cross. What the
    caller sends on is dropped, so that it gets to reading it.
    """
    reading = True
    try:
        while data := await stream.receive_some(READ_BYTES):
            if reading:
                reading = await _send(local, data)
    except _BROKEN:
        exchange.cancel()
        return
    if reading:
        try:
            await local.send_eof()
        except _BROKEN:
            return


async def _bring_answers(local: trio.abc.HalfCloseableStream, stream: trio.abc.HalfCloseableStream) -> bool:
    """Until the service ends; False if it broke off, or if nobody wants the answer any more."""
    try:
        while data := await local.receive_some(READ_BYTES):
            await stream.send_all(data)
        await stream.send_eof()
    except _BROKEN:
        return False
    return True


async def _send(local: trio.abc.HalfCloseableStream, data: bytes | bytearray) -> bool:
    try:
        await local.send_all(data)
    except _BROKEN:
        return False
    return True


async def _refuse(stream: trio.abc.HalfCloseableStream, status: int, message: str) -> None:
    """Answers in the service's place, and waits for the caller's end so that the answer is read."""
    code = "DEVICE_ERROR" if status == 502 else "DEVICE_BUSY"
    with trio.move_on_after(LINGER_SECONDS):
        try:
            request = await stream.receive_some(READ_BYTES)
            await stream.send_all(refusal(bytes(request), status, code, message))
            await stream.send_eof()
            while await stream.receive_some(READ_BYTES):
                pass
        except _BROKEN:
            return
