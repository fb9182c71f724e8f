"""`visiona demo`: a server, a sample edge unit and the agent, paired for real, and what comes through the tunnel."""

import argparse
import shutil
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import trio

from visiona.cli.demo_checks import CHECKS, Finding, Visit, run_check
from visiona.cli.demo_client import Unexpected
from visiona.cli.demo_stage import Stage, set_stage
from visiona.cli.output import CommandError, Exit, print_json
from visiona.domain.one_time_links import ONE_TIME_LINK_TTL

MINUTES = int(ONE_TIME_LINK_TTL.total_seconds() // 60)
STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument(
        "--check", action="store_true", help="prove the sign-in and each ability through the tunnel, and exit"
    )
    parser.set_defaults(run=demo)


def demo(arguments: argparse.Namespace) -> int:
    """Runs until Ctrl-C, or through the checks; leaves no process and no file behind."""
    folder = Path(tempfile.mkdtemp(prefix="visiona-demo-"))
    try:
        return trio.run(_demo, folder, arguments.check, arguments.json)
    except* Unexpected as group:
        error = _first_of(group)
        if error.log:
            print(error.log, file=sys.stderr)
        raise CommandError(str(error), code="DEMO_FAILED") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _first_of(group: BaseExceptionGroup[Unexpected]) -> Unexpected:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Unexpected)
    return error


async def _demo(folder: Path, check: bool, as_json: bool) -> int:
    outcome = Exit.FAILED
    async with trio.open_nursery() as nursery:
        await nursery.start(_cancel_on_signal, nursery.cancel_scope, check)
        if not as_json:
            print("Starting a server, a sample edge unit and an agent …", flush=True)
        async with set_stage(folder) as stage:
            if check:
                if not as_json:
                    _describe(stage)
                outcome = await _check_everything(stage, as_json)
            else:
                outcome = Exit.OK
                (_hand_over if as_json else _invite)(stage)
                await trio.sleep_forever()
        nursery.cancel_scope.cancel()
    return outcome


async def _cancel_on_signal(
    everything: trio.CancelScope,
    check: bool,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    with trio.open_signal_receiver(*STOPPING_SIGNALS) as signals:
        task_status.started()
        await anext(signals)
        if not check:
            print("\nStopping …", flush=True)
        everything.cancel()


async def _check_everything(stage: Stage, as_json: bool) -> Exit:
    visit = Visit(stage.client, stage.device_id, stage.sign_in_link)
    findings: list[Finding] = []
    for name, check in CHECKS:
        finding = await run_check(name, check, visit)
        findings.append(finding)
        if not as_json:
            mark = "ok    " if finding.ok else "FAILED"
            print(f"  {mark}  {finding.name:<14} {finding.saw}  ({finding.seconds:.1f} s)", flush=True)
    good = all(finding.ok for finding in findings)
    if as_json:
        print_json({"ok": good, "checks": [asdict(finding) for finding in findings]})
    else:
        passed = sum(finding.ok for finding in findings)
        print(f"\n{passed} of {len(findings)} abilities are there.", flush=True)
    return Exit.OK if good else Exit.FAILED


def _hand_over(stage: Stage) -> None:
    """For a script that wants a server to play with; it ends the demo by a signal."""
    print_json({name: str(value) for name, value in asdict(stage).items()})
    sys.stdout.flush()


def _describe(stage: Stage) -> None:
    print(
        f"""
  server       {stage.web}    API; {stage.web}/readyz
  relay        {stage.relay}    where agents connect
  metrics      {stage.internal}/metrics
  sample unit  {stage.sample}    behind the tunnel: only its agent knows this address
  agent        paired and connected as device {stage.device_id}
  state, logs  {stage.folder}    removed at the end
""",
        flush=True,
    )


def _invite(stage: Stage) -> None:
    """For the person at the terminal only: the link and the token let anybody in, and die with the temporary folder."""
    proxy = f"{stage.web}/api/devices/{stage.device_id}/proxy"
    print(
        f"""
  Console      {stage.console}
  Sign in      {stage.sign_in_link}
               without a password, once, within {MINUTES} minutes""",
        flush=True,
    )
    _describe(stage)
    print(
        f"""The unit's camera and its events, through the tunnel:

  curl -H 'Authorization: Bearer {stage.token}' \\
       '{proxy}/api/camera/snapshot' -o snapshot.jpg
  curl -N -H 'Authorization: Bearer {stage.token}' \\
       '{proxy}/api/events'

Ctrl-C ends everything.
""",
        flush=True,
    )
