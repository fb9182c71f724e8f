"""Sets the stage of the demo: a server, a sample unit and an agent, each started as an installer would, each gone again
when the block is left, however it is left.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from visiona.agent.addresses import Address
from visiona.agent.sample.serve import serve_sample
from visiona.cli.demo_client import Client, Unexpected

EMAIL = "demo@visiona.local"
START_SECONDS = 60.0
"""For the server to accept, and for the tunnel to come up; a small machine imports for several seconds."""

STOP_SECONDS = 10.0
"""For a process to end by itself before it is killed."""

LOG_TAIL_LINES = 15

CONFIG = """\
state_dir = "{folder}/state"
[web]
listen = "127.0.0.1:0"
[relay]
listen = "127.0.0.1:0"
[internal]
listen = "127.0.0.1:0"
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs where.

    Attributes:
        console: where people sign in.
        sign_in_link: the same for the demo's user, once, without a password.
    """

    console: str
    sign_in_link: str = field(repr=False)
    web: str
    relay: str
    internal: str
    sample: str
    folder: Path
    token: str = field(repr=False)
    device_id: str

    @property
    def client(self) -> Client:
        """The demo's user."""
        return Client(Address.parse(self.web, "web"), self.token)


@asynccontextmanager
async def set_stage(folder: Path) -> AsyncIterator[Stage]:
    """Everything runs and the device is online while the block does.

    Raises:
        Unexpected: something did not start; the message ends with what it logged.
    """
    config = folder / "visiona.toml"
    config.write_text(CONFIG.format(folder=folder), encoding="utf-8")
    visiona = (sys.executable, "-m", "visiona", "--config", str(config))
    ready_file = folder / "ready.json"
    async with trio.open_nursery() as nursery:
        sample = await nursery.start(serve_sample)
        serve = (*visiona, "serve", "--ready-file", str(ready_file))
        async with running(serve, folder / "server.log") as server:
            ready = await _wait_ready(server, ready_file)
            token = await _make_user(visiona, folder)
            client = Client(Address.parse(ready["web"], "web"), token)
            device_id = await _pair(visiona, folder, client, ready["web"], sample)
            agent = (*visiona, "agent", "run", "--state-dir", str(folder / "agent"))
            async with running(agent, folder / "agent.log") as agent_process:
                await _wait_online(client, device_id, agent_process)
                # Made last: its quarter of an hour is the person's, and begins when everything runs.
                link = await _sign_in_link(visiona, ready["web"])
                yield Stage(
                    console=f"{ready['web']}/",
                    sign_in_link=link,
                    web=ready["web"],
                    relay=ready["relay"],
                    internal=ready["internal"],
                    sample=sample,
                    folder=folder,
                    token=token,
                    device_id=device_id,
                )
        nursery.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class Running:
    """A process and where its words go."""

    process: trio.Process
    log_file: Path

    def need(self) -> None:
        """Raises Unexpected if it has ended."""
        if self.process.poll() is not None:
            raise Unexpected(
                f"the {self.log_file.stem} ended with {self.process.returncode}", self.last_words()
            )

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])


@asynccontextmanager
async def running(command: Sequence[str], log_file: Path) -> AsyncIterator[Running]:
    """A process while the block runs; asked to end, then made to.

    In a session of its own: Ctrl-C is for the demo, which then ends the others in the right order.
    """
    with log_file.open("wb") as log:
        process = await trio.lowlevel.open_process(
            list(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield Running(process, log_file)
    finally:
        with trio.CancelScope(shield=True):
            if process.poll() is None:
                process.terminate()
            with trio.move_on_after(STOP_SECONDS):
                await process.wait()
            if process.poll() is None:
                process.kill()
                await process.wait()


async def _command(command: Sequence[str], stdin: str) -> str:
    """Runs a command to its end and gives its standard output."""
    done = await trio.run_process(
        list(command), stdin=stdin.encode(), capture_stdout=True, capture_stderr=True, check=False
    )
    if done.returncode != 0:
        raise Unexpected(f"{' '.join(command[1:6])} … failed: {done.stderr.decode(errors='replace').strip()}")
    return str(done.stdout.decode())


async def _wait_ready(server: Running, ready_file: Path) -> dict[str, str]:
    with trio.move_on_after(START_SECONDS):
        while not await trio.Path(ready_file).exists():
            server.need()
            await trio.sleep(0.05)
        ready: dict[str, str] = json.loads(await trio.Path(ready_file).read_text())
        return ready
    raise Unexpected(f"the server was not ready within {START_SECONDS:g} s", server.last_words())


async def _make_user(visiona: Sequence[str], folder: Path) -> str:
    """A user with a password that nobody knows, and a token: `visiona user add`, `visiona token create`."""
    await _command((*visiona, "user", "add", EMAIL, "--password-stdin"), secrets.token_urlsafe(16) + "\n")
    made = await _command(
        (*visiona, "token", "create", "--user", EMAIL, "--name", "demo", "--ttl", "1d", "--json"), ""
    )
    token: str = json.loads(made)["token"]
    return token


async def _sign_in_link(visiona: Sequence[str], web: str) -> str:
    made = await _command((*visiona, "user", "link", EMAIL, "--url", web, "--json"), "")
    link: str = json.loads(made)["link"]
    return link


async def _pair(visiona: Sequence[str], folder: Path, client: Client, web: str, sample: str) -> str:
    """A pairing token from the API, spent by `visiona agent pair`; gives the device's id."""
    pairing = await client.call("POST", "/api/pairing/token", {"name": "sample unit"})
    command = (
        *visiona,
        "agent",
        "pair",
        "-",
        "--relay",
        web,
        "--target",
        sample,
        "--serial",
        "SAMPLE-1",
        "--json",
    )
    paired = await _command((*command, "--state-dir", str(folder / "agent")), pairing["token"] + "\n")
    device_id: str = json.loads(paired)["device_id"]
    return device_id


async def _wait_online(client: Client, device_id: str, agent: Running) -> None:
    with trio.move_on_after(START_SECONDS):
        while not (await client.call("GET", f"/api/devices/{device_id}"))["tunnel_online"]:
            agent.need()
            await trio.sleep(0.2)
        return
    raise Unexpected(f"the tunnel did not come up within {START_SECONDS:g} s", agent.last_words())
