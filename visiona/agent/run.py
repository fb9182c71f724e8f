"""The agent's life: connect, serve, wait, again; until it is told to stop.

Nothing the relay or the network does ends it. A refusal that only a person can mend (401) is said plainly and tried
again rarely: the person may mend it at the server.
"""

import logging
import random
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import trio

from visiona.agent.backoff import Backoff
from visiona.agent.forward import Forwarder
from visiona.agent.reasons import ending_of, reason_of
from visiona.agent.status import State, Status, moment
from visiona.tunnel.errors import DialRefused, TunnelClosed

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.5
"""How often the tunnel's timers are looked at: pings are due every 10 s, the agent's own stalls are forgiven."""

STOP_GRACE_SECONDS = 5.0
"""For requests in flight when the agent is told to stop; a camera stream would never end by itself."""

_UNREACHABLE = (OSError, ssl.SSLError, trio.BrokenResourceError, trio.TooSlowError)


class ServedTunnel(Protocol):
    """A tunnel as the agent sees it; see tunnel/session.py."""

    async def accept(self) -> trio.abc.HalfCloseableStream:
        """Raises TunnelClosed."""
        ...

    async def wait_closed(self) -> TunnelClosed:
        """Why it ended, once it has."""
        ...

    def retire(self, cause: str, grace_seconds: float) -> None:
        """No new streams; those in flight have this long."""
        ...

    def sweep(self, now: float) -> None:
        """Looks after its deadlines."""
        ...

    def forgive(self, seconds: float) -> None:
        """We stood still for so long; it is not held against the relay."""
        ...


Connect = Callable[[], AbstractAsyncContextManager[ServedTunnel]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one connection went: what to say, how long it lived, and what the relay asked for."""

    why: str
    lived_seconds: float = 0.0
    retry_after_seconds: float | None = None
    hopeless: bool = False


class Agent:
    """One agent with one relay and one target.

    Args:
        connect: dials; raises DialRefused, OSError, trio.BrokenResourceError or trio.TooSlowError.
        forwarder: serves the streams.
        tell: is told each change of state; must not raise.
        relay, target: for the status only.
    """

    def __init__(
        self,
        connect: Connect,
        forwarder: Forwarder,
        *,
        tell: Callable[[Status], None],
        relay: str,
        target: str,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._connect = connect
        self._forwarder = forwarder
        self._tell = tell
        self._relay = relay
        self._target = target
        self._chance = chance
        self._stop = trio.Event()

    def stop(self) -> None:
        """Takes no new requests, lets those in flight finish within a grace, then `run` returns."""
        self._stop.set()

    async def run(self) -> None:
        """Runs until `stop`. Cancelling ends it at once."""
        backoff = Backoff()
        while not self._stop.is_set():
            self._say(State.CONNECTING)
            attempt = await self._attempt()
            if self._stop.is_set():
                break
            backoff.lived(attempt.lived_seconds)
            wait = backoff.next_seconds(
                self._chance(), attempt.retry_after_seconds, hopeless=attempt.hopeless
            )
            self._say(State.REFUSED if attempt.hopeless else State.WAITING, attempt.why, wait)
            with trio.move_on_after(wait):
                await self._stop.wait()
        self._say(State.STOPPED)

    async def _attempt(self) -> Attempt:
        connected_at = trio.current_time()
        try:
            async with self._connect() as tunnel:
                connected_at = trio.current_time()
                self._say(State.CONNECTED)
                closed = await self._serve(tunnel)
        except DialRefused as error:
            return _refused(error)
        except trio.TooSlowError:
            return Attempt("the relay does not answer")
        except _UNREACHABLE as error:
            return Attempt(f"the relay cannot be reached: {reason_of(error)}")
        return Attempt(f"the connection ended: {ending_of(closed)}", trio.current_time() - connected_at)

    async def _serve(self, tunnel: ServedTunnel) -> TunnelClosed:
        """Until the tunnel is over, which after `stop` is within the grace."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sweep_forever, tunnel)
            nursery.start_soon(self._retire_when_stopped, tunnel)
            nursery.start_soon(self._accept_forever, tunnel, nursery)
            closed = await tunnel.wait_closed()
            # The streams are lost with the tunnel; what is left of their tasks is not worth waiting for.
            nursery.cancel_scope.cancel()
        return closed

    async def _accept_forever(self, tunnel: ServedTunnel, streams: trio.Nursery) -> None:
        while True:
            try:
                stream = await tunnel.accept()
            except TunnelClosed:
                return
            streams.start_soon(self._forwarder.serve, stream)

    async def _retire_when_stopped(self, tunnel: ServedTunnel) -> None:
        await self._stop.wait()
        tunnel.retire("agent_closed", STOP_GRACE_SECONDS)

    def _say(self, state: State, why: str = "", wait: float | None = None) -> None:
        status = Status(state, moment(), why, self._relay, self._target, wait)
        level = logging.WARNING if state in (State.WAITING, State.REFUSED) else logging.INFO
        log.log(level, "%s", status.sentence())
        self._tell(status)


async def sweep_forever(tunnel: ServedTunnel) -> None:
    """Runs the tunnel's timers. A stall of this process is not held against the relay."""
    due = trio.current_time()
    while True:
        due += SWEEP_SECONDS
        await trio.sleep_until(due)
        now = trio.current_time()
        if now - due > SWEEP_SECONDS:
            tunnel.forgive(now - due)
            due = now
        tunnel.sweep(now)


def _refused(error: DialRefused) -> Attempt:
    """What a refusal means to the person who reads it."""
    if error.status == 401:
        code = error.code or "UNAUTHENTICATED"
        return Attempt(
            f"the relay refuses this unit ({code}); pair again", 0.0, error.retry_after_seconds, hopeless=True
        )
    if error.status == 404:
        return Attempt("there is no relay at this address (404); check the relay URL")
    if error.status == 403:
        return Attempt(
            "the relay forbids this connection (403)", 0.0, error.retry_after_seconds, hopeless=True
        )
    words = {429: "asks us to come less often", 503: "is not ready"}.get(
        error.status, f"answered {error.status}"
    )
    return Attempt(f"the relay {words}", 0.0, error.retry_after_seconds)
