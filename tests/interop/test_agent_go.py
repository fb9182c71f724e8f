"""The reference agent, with a relay of gorilla/websocket and hashicorp/yamux of two generations in place of ours."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.lowlevel
from visiona.agent.addresses import Address, parse_target
from visiona.agent.connect import connect_to
from visiona.agent.credential import Credential
from visiona.agent.forward import Forwarder
from visiona.agent.run import Agent
from visiona.agent.settings import AgentSettings
from visiona.agent.status import State, Status

from tests.interop.programs import GoProgram

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(180)]

StartServer = Callable[..., GoProgram]
TOKEN = "vAs_" + "6" * 64


@asynccontextmanager
async def agent_of(relay: str, backend: str, token: str = TOKEN) -> AsyncIterator[tuple[Agent, list[Status]]]:
    """A running agent and what it has told of itself; stopped as by SIGTERM when the block is left."""
    told: list[Status] = []
    settings = AgentSettings()
    credential = Credential(token, relay, f"http://{backend}", "i" * 32)
    agent = Agent(
        connect_to(Address.parse(relay, "relay"), credential, settings, "visiona-agent/test"),
        Forwarder(parse_target(credential.target), settings),
        tell=told.append,
        relay=relay,
        target=credential.target,
        chance=lambda: 0.0,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(agent.run)
        yield agent, told
        agent.stop()


async def test_every_scenario_of_the_go_server_passes(go_server: StartServer) -> None:
    server = go_server(streams=3000, bytes=50 << 20)
    listening = server.wait("listening")
    async with agent_of(listening["relay"], listening["backend"]):
        done = await server.heard("done", within_seconds=80)
    failed = [line for line in server.said("scenario") if not line["ok"]]
    assert (done["ok"], failed) == (True, [])
    assert len(server.said("scenario")) >= 12
    (connected,) = server.said("agent_connected")
    assert (connected["auth"], connected["agent"], connected["instance"]) == (
        "bearer",
        "visiona-agent/test",
        "i" * 32,
    )
    assert (connected["origin"], connected["extensions"]) == ("", "")


async def test_it_survives_a_restart_of_the_relay(go_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    first = go_server(scenarios="", listen=f"127.0.0.1:{port}")
    listening = first.wait("listening")
    async with agent_of(listening["relay"], listening["backend"]) as (_, told):
        await first.heard("agent_connected")
        first.process.kill()
        second = go_server(scenarios="requests", streams=100, listen=f"127.0.0.1:{port}")
        await second.heard("agent_connected", within_seconds=30)
    assert [status.state for status in told].count(State.CONNECTED) == 2


async def test_a_relay_that_says_come_later_is_asked_later(go_server: StartServer) -> None:
    server = go_server(scenarios="", refuse=503, refuse_count=1)  # with Retry-After: 1
    listening = server.wait("listening")
    began = trio.current_time()
    async with agent_of(listening["relay"], listening["backend"]) as (_, told):
        await server.heard("agent_connected")
    assert trio.current_time() - began >= 1
    assert "not ready" in next(status.why for status in told if status.state is State.WAITING)


async def test_a_refused_token_is_said_and_not_hammered(go_server: StartServer) -> None:
    server = go_server(scenarios="")
    listening = server.wait("listening")
    async with agent_of(listening["relay"], listening["backend"], token="vAs-wrong") as (_, told):
        await server.heard("agent_refused")
        with trio.fail_after(5):
            while told[-1].state is not State.REFUSED:
                await trio.lowlevel.checkpoint()
    assert "pair again" in told[1].why
    assert len(server.said("agent_refused")) == 1
