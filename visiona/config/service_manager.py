"""What the service manager told this process: where it listens for us, and how often it wants to hear."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """For ops/systemd.py; both None where nobody started us as a service.

    Attributes:
        notify_socket: a path, or an abstract name beginning with `@`.
        watchdog_usec: the watchdog's period in microseconds.
    """

    notify_socket: str | None = None
    watchdog_usec: int | None = None


def read_service_manager(environ: Mapping[str, str], pid: int) -> ServiceManager:
    """Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, sd_watchdog_enabled(3): the latter may name another process."""
    usec_text, watched = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(pid))
    usec = int(usec_text) if usec_text.isascii() and usec_text.isdigit() and watched == str(pid) else 0
    return ServiceManager(environ.get("NOTIFY_SOCKET") or None, usec or None)


def service_manager() -> ServiceManager:
    """Of this very process."""
    return read_service_manager(os.environ, os.getpid())  # noqa: TID251 - config is the reader of the environment
