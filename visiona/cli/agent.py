"""`visiona agent pair|run|status`: the reference agent, on the edge unit."""

import argparse
import logging
import os
import signal
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import trio

from visiona.agent.addresses import Address, AddressInvalid, parse_target, websocket_url
from visiona.agent.connect import connect_to
from visiona.agent.credential import Credential, CredentialInvalid
from visiona.agent.forward import Forwarder
from visiona.agent.pair import PairingFailed, Unit, pair
from visiona.agent.post import tls_context
from visiona.agent.run import Agent
from visiona.agent.settings import AgentSettings
from visiona.agent.status import (
    AlreadyRunning,
    State,
    Status,
    is_running,
    read_status,
    running_in,
    write_status,
)
from visiona.cli.output import CommandError, Exit, print_facts, print_json, print_note
from visiona.cli.signals import outlive
from visiona.config.service_manager import service_manager
from visiona.ops.logs import LEVELS, LogSettings, setup_logging
from visiona.ops.systemd import Notifier, feed_watchdog

log = logging.getLogger(__name__)

SYSTEM_STATE_DIR = Path("/var/lib/visiona-agent")
AGENT_VERSION = f"visiona-agent/{version('visiona')}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="pair|run|status")
    pair_parser = verbs.add_parser("pair", help="exchange a one-time token for this unit's credential")
    pair_parser.add_argument(
        "token", metavar="TOKEN", help="from the console; - reads it from standard input"
    )
    pair_parser.add_argument(
        "--relay", required=True, metavar="URL", help="the relay's web address, https://…"
    )
    pair_parser.add_argument(
        "--target", required=True, metavar="URL", help="the local service, http://127.0.0.1:PORT"
    )
    pair_parser.add_argument(
        "--dial", metavar="URL", help="dial this instead of what the relay says (wss://…)"
    )
    pair_parser.add_argument("--name", default="", help="what the unit is called; its host name if left out")
    pair_parser.add_argument(
        "--serial", default="", help="a unit that pairs again with its serial number stays the same"
    )
    pair_parser.add_argument("--device-type", default="", help="what kind of unit it is")
    pair_parser.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="trust these authorities, not the system's"
    )
    pair_parser.set_defaults(run=pair_unit)
    run_parser = verbs.add_parser("run", help="keep this unit reachable until stopped")
    run_parser.add_argument(
        "--target", metavar="URL", help="serve this instead of what was given when pairing"
    )
    run_parser.add_argument("--dial", metavar="URL", help="dial this instead of what was learnt when pairing")
    run_parser.add_argument("--log-level", default="info", choices=LEVELS)
    run_parser.add_argument("--log-format", default="console", choices=("console", "json"))
    run_parser.set_defaults(run=run_unit)
    status_parser = verbs.add_parser("status", help="whether the agent runs, and how it does")
    status_parser.set_defaults(run=show_status)
    for verb in (pair_parser, run_parser, status_parser):
        verb.add_argument(
            "--state-dir", type=Path, default=default_state_dir(), metavar="DIR", help="(%(default)s)"
        )


def default_state_dir() -> Path:
    """The system's for root, as in the unit file; else the user's own."""
    return SYSTEM_STATE_DIR if os.geteuid() == 0 else Path.home() / ".local" / "state" / "visiona-agent"


def pair_unit(arguments: argparse.Namespace) -> int:
    """Pairs, and says what to do next."""
    typed = arguments.token
    text = sys.stdin.readline(4096).strip() if typed == "-" else typed
    if not text:
        raise CommandError("no pairing token was given", code="NO_TOKEN", exit_code=Exit.USAGE)
    ca_file = str(arguments.ca_file.absolute()) if arguments.ca_file else ""
    known = _credential_or_none(arguments.state_dir)
    unit = Unit(arguments.name, arguments.serial, arguments.device_type, AGENT_VERSION)
    if known is not None:
        unit = Unit(unit.name, unit.serial_number, unit.device_type, AGENT_VERSION, known.instance)
    try:
        site = Address.parse(arguments.relay, "relay")
        target = str(parse_target(arguments.target))
        dial = str(Address.parse(arguments.dial, "dial")) if arguments.dial else ""
        context = tls_context(ca_file) if site.secure else None
        credential = trio.run(
            lambda: pair(text, site, target, unit, relay_url=dial, ca_file=ca_file, context=context)
        )
    except AddressInvalid as error:
        raise CommandError(str(error), code="ADDRESS", exit_code=Exit.USAGE) from None
    except PairingFailed as error:
        raise CommandError(str(error), code=error.code or "PAIRING_FAILED") from None
    path = credential.write(arguments.state_dir)
    shown = {
        key: value for key, value in asdict(credential).items() if key not in ("session_token", "instance")
    }
    if arguments.json:
        print_json({**shown, "credential_file": str(path)})
    else:
        print_facts({**shown, "credential file": str(path)})
        print_note(f"paired; now run: visiona agent run --state-dir {arguments.state_dir}")
    return Exit.OK


def run_unit(arguments: argparse.Namespace) -> int:
    """Runs until SIGTERM or SIGINT; a second one ends it at once."""
    credential = _credential(arguments.state_dir)
    try:
        target = parse_target(arguments.target or credential.target)
        relay = Address.parse(arguments.dial or credential.relay_url, "relay")
    except AddressInvalid as error:
        raise CommandError(str(error), code="ADDRESS", exit_code=Exit.USAGE) from None
    writer = setup_logging(LogSettings(arguments.log_level, arguments.log_format))
    try:
        with running_in(arguments.state_dir):
            trio.run(_run, credential, relay, target, arguments.state_dir)
    except AlreadyRunning as error:
        raise CommandError(str(error), code="ALREADY_RUNNING") from None
    finally:
        writer.close()
    return Exit.OK


async def _run(credential: Credential, relay: Address, target: Address, state_dir: Path) -> None:
    manager = service_manager()
    notifier = Notifier(manager.notify_socket)
    settings = AgentSettings()

    def tell(status: Status) -> None:
        (notifier.stopping if status.state is State.STOPPED else notifier.status)(status.sentence())
        try:
            write_status(state_dir, status)
        except OSError as error:
            # A full disk must not take the unit off the air.
            log.warning("the status was not written", extra={"reason": str(error)})

    agent = Agent(
        connect_to(relay, credential, settings, AGENT_VERSION),
        Forwarder(target, settings),
        tell=tell,
        relay=websocket_url(relay),
        target=str(target),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(_stop_on_signal, agent, nursery.cancel_scope)
        await nursery.start(feed_watchdog, notifier, manager.watchdog_usec)
        notifier.ready("started")
        await agent.run()
        nursery.cancel_scope.cancel()
    notifier.close()


async def _stop_on_signal(
    agent: Agent, now: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    outlive(signal.SIGTERM, signal.SIGINT)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        await anext(signals)
        log.info("stopping; once more to stop at once")
        agent.stop()
        await anext(signals)
        now.cancel()


def show_status(arguments: argparse.Namespace) -> int:
    """Says how the agent does; exit code 0 only while it is connected."""
    credential = _credential(arguments.state_dir)
    running = is_running(arguments.state_dir)
    last = read_status(arguments.state_dir)
    state = last.state.value if last is not None and running else "not running"
    facts: dict[str, object] = {
        "state": state,
        "since": last.since if last is not None else None,
        "why": (last.why or None) if last is not None else None,
        "relay_url": (last.relay if last is not None and running else "") or credential.relay_url,
        "target": (last.target if last is not None and running else "") or credential.target,
        "device_id": credential.device_id or None,
        "account": credential.account or None,
        "expires_at": credential.expires_at or None,
    }
    if arguments.json:
        print_json({**facts, "running": running})
    else:
        print_facts(facts)
    return Exit.OK if state == State.CONNECTED.value else Exit.FAILED


def _credential(state_dir: Path) -> Credential:
    try:
        return Credential.read(state_dir)
    except CredentialInvalid as error:
        raise CommandError(str(error), code="NOT_PAIRED", exit_code=Exit.NOT_FOUND) from None


def _credential_or_none(state_dir: Path) -> Credential | None:
    try:
        return Credential.read(state_dir)
    except CredentialInvalid:
        return None
