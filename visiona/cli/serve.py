"""`visiona serve`: loads the configuration, starts the logs, runs the app, listens to signals.

SIGTERM or SIGINT: drain and stop. A second one: now. SIGHUP: read the configuration again, use what can be changed
while running, say what needs a restart.
"""

import argparse
import errno
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from visiona.app import Bound, run
from visiona.cli.output import CommandError, Exit, print_note
from visiona.cli.ready_file import ReadyFile, ready_file
from visiona.cli.signals import outlive
from visiona.config import ConfigInvalid, Loaded, Settings, from_process
from visiona.domain.listen import ListenAddress
from visiona.ops.log_writer import LineWriter, WriterStatistics
from visiona.ops.logs import setup_logging
from visiona.relay.certificates import CertificateUnusable

log = logging.getLogger(__name__)

SWITCH_INTERVAL_SECONDS = 0.0005
"""With Python's 5 ms a worker thread (password hashing, checkpoints) waits seconds for its turn under load."""

COLLECTOR_THRESHOLDS = (50_000, 20, 50)
"""Objects made before Python looks for cycles. The data path makes none; with Python's 700 each of some hundred requests
in flight is looked at again and again, and the pauses are the slowest requests."""

RELOADABLE = frozenset({"log.level", "log.format"})
"""Keys that SIGHUP changes in a running server; certificates are read again by themselves when they change."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Reload = Callable[[], None]


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="write JSON with the bound addresses here once all accept",
    )
    parser.set_defaults(run=serve)


def serve(arguments: argparse.Namespace) -> int:
    """Runs the server until it is told to stop."""
    loaded = from_process(arguments.config, arguments.set)
    for warning in loaded.warnings:
        print_note(f"warning: {warning}")
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    logs = setup_logging(loaded.settings.log)
    reload = Reloader(loaded, partial(from_process, arguments.config, arguments.set), logs)
    try:
        file, state_dir = arguments.ready_file, loaded.settings.state_dir
        with ready_file(file, state_dir=state_dir, also_printed=arguments.json) as ready:
            trio.run(run_until_told, loaded.settings, ready, reload, logs.statistics)
    except* OSError as group:
        raise _start_failure(group, loaded.settings) from group
    finally:
        reload.logs.close()
    return Exit.OK


async def run_until_told(
    settings: Settings, ready: ReadyFile, reload: Reload, logs: Callable[[], WriterStatistics] | None = None
) -> None:
    """Runs the app beside the signals' listener."""
    stop = trio.Event()

    def tell_ready(bound: Bound) -> None:
        ready.write(bound.web, bound.relay, bound.internal)
        if bound.first_link is not None:
            tell_first_link(bound.first_link)
        log.info("ready", extra={"web": bound.web, "relay": bound.relay, "internal": bound.internal})
        if settings.relay.public_url is None and settings.web.public_url is None:
            log.info(
                "agents are told to dial this machine's own address; set relay.public_url for agents elsewhere",
                extra={"address": bound.relay},
            )

    async with trio.open_nursery() as nursery:
        await nursery.start(listen_to_signals, stop, nursery.cancel_scope, reload)
        await run(settings, stop=stop, ready=tell_ready, logs=logs)
        nursery.cancel_scope.cancel()


def tell_first_link(link: str) -> None:
    """Shows the first administrator's link to whoever sits in front of this; a journal or a file is told less.

    It bypasses the log on purpose, which would mask it.
    """
    if sys.stderr.isatty():
        print(
            f"\nNobody has an account yet. Make the first one, within 15 minutes:\n  {link}\n",
            file=sys.stderr,
        )
    else:
        log.warning(
            "nobody can sign in yet; for a link that makes the first account: visiona user link --first"
        )


async def listen_to_signals(
    stop: trio.Event,
    everything: trio.CancelScope,
    reload: Reload,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Turns signals into the stop event, its second into cancellation, SIGHUP into a reload."""
    for unused in (signal.SIGUSR1, signal.SIGUSR2):
        # Their default is death, and log rotation or a typing mistake sends them.
        signal.signal(unused, signal.SIG_IGN)
    outlive(*SIGNALS)
    with trio.open_signal_receiver(*SIGNALS) as signals:
        task_status.started()
        async for number in signals:
            name = signal.Signals(number).name
            if number == signal.SIGHUP:
                reload()
            elif stop.is_set():
                log.warning("stopping now", extra={"signal": name})
                everything.cancel()
            else:
                log.info("stopping: requests in flight may finish", extra={"signal": name})
                stop.set()


class Reloader:
    """What SIGHUP does: a broken configuration changes nothing, a good one what can be changed while running.

    Attributes:
        logs: the writer in use; whoever ends the process closes it.
    """

    def __init__(self, loaded: Loaded, read_again: Callable[[], Loaded], logs: LineWriter) -> None:
        self.logs = logs
        self._loaded = loaded
        self._read_again = read_again

    def __call__(self) -> None:
        """Reads the configuration again."""
        try:
            loaded = self._read_again()
        except ConfigInvalid as error:
            for fault in error.faults:
                log.error("the configuration is broken and was not used", extra={"fault": fault})  # noqa: TRY400 - no bug
            return
        changed = {name for name, value in loaded.values.items() if value != self._loaded.values[name]}
        if changed & RELOADABLE:
            before, self.logs = self.logs, setup_logging(loaded.settings.log)
            before.close()
        log.info(
            "configuration read again",
            extra={
                "changed": ", ".join(sorted(changed & RELOADABLE)) or "nothing",
                "needs_restart": ", ".join(sorted(changed - RELOADABLE)) or "nothing",
            },
        )
        # Only what is in force counts as the old state: the rest stays to be said at the next SIGHUP.
        in_force = {name: loaded.values[name] for name in changed & RELOADABLE}
        self._loaded = Loaded(
            self._loaded.settings, {**self._loaded.values, **in_force}, loaded.origins, loaded.warnings
        )


def _start_failure(group: BaseExceptionGroup[OSError], settings: Settings) -> Exception:
    """One sentence for what kept the server from starting; the group itself where it is something else."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, OSError)
    if error.errno == errno.EADDRINUSE:
        taken = _at_fault(settings, error)
        return CommandError(
            f"{taken} is in use by another program; stop it, or choose another address", code="ADDRESS_IN_USE"
        )
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        unknown = _at_fault(settings, error)
        return CommandError(f"{unknown} is not an address of this machine", code="ADDRESS_UNKNOWN")
    if error.errno in {errno.EACCES, errno.EPERM} and error.filename is None:
        return CommandError(
            f"this user may not listen on {_at_fault(settings, error)}; choose a port above 1023, or give the capability",
            code="NOT_PERMITTED",
        )
    if isinstance(error, CertificateUnusable):
        return CommandError(str(error), code="CERTIFICATE_UNUSABLE")
    what = f"{error.filename}: " if error.filename else ""
    return CommandError(f"{what}{error.strerror or error}", code="SYSTEM")


def _at_fault(settings: Settings, error: OSError) -> str:
    """Which of our addresses it is: the failed call does not say."""
    listens = {
        "web.listen": settings.web.listen,
        "relay.listen": settings.relay.listen,
        "internal.listen": settings.internal.listen,
    }
    found = [f"{name} ({listen})" for name, listen in listens.items() if _bind_error(listen) == error.errno]
    return " and ".join(found) or "an address to listen on"


def _bind_error(listen: ListenAddress) -> int | None:
    family = socket.AF_INET6 if listen.host and ":" in listen.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host or "", listen.port))
        except OSError as error:
            return error.errno
    return None
