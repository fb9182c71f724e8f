"""Tells the service manager how things are: READY, STATUS, STOPPING, RELOADING, WATCHDOG.

The protocol is sd_notify(3): one datagram of `KEY=value` lines to the socket named by NOTIFY_SOCKET, a path or an
abstract name (`@…`). Nobody answers. Nothing here waits or raises: a manager that does not listen is not our fault.
The environment is read by the caller.
"""

import logging
import socket
import time
from collections.abc import Callable

import trio

log = logging.getLogger(__name__)

MAX_STATUS_CHARACTERS = 512

BEAT_SECONDS = 1.0
"""How often the event loop shows that it turns; shorter where the watchdog asks for more."""


class Notifier:
    """The service manager's ear, or nobody's: without a socket every call does nothing and says False."""

    def __init__(self, notify_socket: str | None) -> None:
        self._address = _address(notify_socket)
        self._socket: socket.socket | None = None

    def ready(self, status: str = "") -> bool:
        """Everything that was promised accepts connections now."""
        return self._send("READY=1", *_status(status))

    def stopping(self, status: str = "") -> bool:
        """The drain has begun."""
        return self._send("STOPPING=1", *_status(status))

    def reloading(self) -> bool:
        """Settings are being read again; `ready()` ends it. The time lets the manager order the two."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self._send(*_status(text))

    def watchdog(self) -> bool:
        """The event loop turns."""
        return self._send("WATCHDOG=1")

    def close(self) -> None:
        """Harmless when called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> bool:
        if self._address is None or not lines:
            return False
        try:
            if self._socket is None:
                self._socket = socket.socket(
                    socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
                )
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.debug("the service manager was not reached", extra={"reason": str(error)})
            return False
        return True


async def feed_watchdog(
    notifier: Notifier,
    watchdog_usec: int | None,
    *,
    clock: Callable[[], float] = trio.current_time,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Feeds the watchdog from the event loop, three to four times in its period; returns at once without one.

    A beat that comes later than a quarter of the period is not passed on: a loop that only ever turns that slowly
    is taken for dead and restarted, while one long stall is forgiven at the first punctual beat after it.
    """
    task_status.started()
    if not watchdog_usec or watchdog_usec < 0:
        return
    period_seconds = watchdog_usec / 1_000_000
    beat_seconds = min(BEAT_SECONDS, period_seconds / 10)
    notifier.watchdog()
    fed_at = clock()
    while True:
        due = clock() + beat_seconds
        await trio.sleep(beat_seconds)
        now = clock()
        if now - due > period_seconds / 4:
            log.warning(
                "the event loop stalled; the watchdog is not fed", extra={"late_seconds": round(now - due, 3)}
            )
        elif now - fed_at >= period_seconds / 4:
            notifier.watchdog()
            fed_at = now


def _address(notify_socket: str | None) -> str | None:
    """The socket's address for sendto; None for no socket or a kind that this does not speak (vsock)."""
    if notify_socket is None or notify_socket[:1] not in ("/", "@"):
        return None
    return "\0" + notify_socket[1:] if notify_socket.startswith("@") else notify_socket


def _status(text: str) -> tuple[str, ...]:
    """A line break in a status would begin another instruction to the manager."""
    return (f"STATUS={' '.join(text.split())[:MAX_STATUS_CHARACTERS]}",) if text else ()
