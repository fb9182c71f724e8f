"""Our agent, and our tunnel in the agent's role, with a relay made of gorilla/websocket and hashicorp/yamux."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from visiona.agent.addresses import Address, parse_target
from visiona.agent.connect import connect_to, open_link
from visiona.agent.credential import Credential
from visiona.agent.forward import Forwarder
from visiona.agent.run import Agent
from visiona.agent.settings import AgentSettings
from visiona.agent.status import State, Status
from visiona.tunnel.errors import DialRefused
from visiona.wire.yamux.limits import Role

from tests.interop import core
from tests.interop.exercise_tunnel import Responder
from tests.interop.programs import GoProgram

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(120)]

TOKEN = "vAs_" + "7" * 64
StartServer = Callable[..., GoProgram]

HTTP_SCENARIOS = (
    "requests", "half_close_ours", "half_close_theirs", "reset_ours", "backlog", "window", "ping", "websocket", "events",
    "bulk_up", "bulk_down", "bulk_both", "go_away",
)  # fmt: skip
STREAM_SCENARIOS = (
    "streams", "half_close_ours", "half_close_theirs", "reset_ours", "reset_theirs", "backlog", "window", "ping",
    "bulk_up", "bulk_down", "bulk_both", "go_away",
)  # fmt: skip


@pytest.fixture
def role() -> Role:
    """Ours: an agent is the client."""
    return Role.CLIENT


@asynccontextmanager
async def running_agent(server: GoProgram, token: str = TOKEN) -> AsyncIterator[list[Status]]:
    """Our agent, connected to the stand-in and serving its backend; yields what the agent says of itself."""
    said = await server.heard("listening")
    relay, target = Address.parse(said["relay"], "relay"), parse_target("http://" + said["backend"])
    credential = Credential(token, said["relay"], str(target), instance="one")
    settings, told = AgentSettings(), list[Status]()
    agent = Agent(
        connect_to(relay, credential, settings, "visiona-agent/test"),
        Forwarder(target, settings),
        tell=told.append,
        relay=str(relay),
        target=str(target),
        chance=lambda: 0.5,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(agent.run)
        yield told
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("scenario", HTTP_SCENARIOS)
async def test_a_go_relay_is_content_with_our_agent(
    request: pytest.FixtureRequest, go_server: StartServer, generation: str, scenario: str, role: Role
) -> None:
    note = core.row(request, scenario=f"http {scenario}", opener="they open")
    server = go_server(scenarios=scenario, streams=2000)
    async with running_agent(server):
        await server.heard("done", within_seconds=100)
    result = server.said("scenario")[0]
    assert result["ok"], json.dumps(result)
    note(core.measured(result))


@pytest.mark.parametrize("scenario", STREAM_SCENARIOS)
async def test_a_go_relay_is_content_with_our_tunnel(
    request: pytest.FixtureRequest, go_server: StartServer, generation: str, scenario: str, role: Role
) -> None:
    note = core.row(request, scenario=f"tunnel {scenario}", opener="they open")
    server = go_server(scenarios=scenario, streams=2000, language="exercise", stay=True)
    said = await server.heard("listening")
    headers = ((b"Authorization", b"Bearer " + TOKEN.encode()),)
    async with open_link(Address.parse(said["relay"], "relay"), headers, AgentSettings()) as tunnel:
        await Responder().serve(tunnel)
    await server.heard("done")
    result = server.said("scenario")[0]
    assert result["ok"], json.dumps(result)
    note(core.measured(result))


async def test_the_agent_says_who_it_is_and_offers_nothing_more(go_server: StartServer) -> None:
    server = go_server(scenarios="")
    async with running_agent(server):
        said = await server.heard("agent_connected")
    assert said["auth"] == "bearer"
    assert said["agent"] == "visiona-agent/test"
    assert said["instance"] == "one"
    assert said["extensions"] == said["origin"] == ""


async def test_a_refused_token_is_reported_with_its_code(go_server: StartServer) -> None:
    server = go_server(scenarios="", token_prefix="vAs_other")
    said = await server.heard("listening")
    headers = ((b"Authorization", b"Bearer " + TOKEN.encode()),)
    with pytest.raises(DialRefused) as refusal:
        async with open_link(Address.parse(said["relay"], "relay"), headers, AgentSettings()):
            pass
    assert (refusal.value.status, refusal.value.code) == (401, "UNAUTHENTICATED")
    assert refusal.value.retry_after_seconds == 1


async def test_the_agent_comes_back_after_refusals_and_after_a_dropped_connection(
    go_server: StartServer,
) -> None:
    server = go_server(scenarios="", refuse=503, refuse_count=2, stay=True)
    async with running_agent(server) as told:
        await server.heard("agent_connected", within_seconds=20)
        assert len(server.said("agent_refused")) == 2
        server.tell("drop")
        await server.heard("agent_connected", count=2, within_seconds=20)
    states = [status.state for status in told]
    assert states.count(State.CONNECTED) == 2
    assert states.count(State.WAITING) == 3
