"""Our tunnel in the agent's role, with a relay of gorilla/websocket and hashicorp/yamux that opens the streams."""

import json
from collections.abc import Callable

import pytest
from visiona.agent.addresses import Address
from visiona.agent.connect import open_link
from visiona.agent.settings import AgentSettings
from visiona.tunnel.errors import DialRefused
from visiona.wire.yamux.limits import Role

from tests.interop import core
from tests.interop.exercise_tunnel import Responder
from tests.interop.programs import GoProgram

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(120)]

HEADERS = ((b"Authorization", b"Bearer vAs_" + b"7" * 64),)
SCENARIOS = (
    "streams", "half_close_ours", "half_close_theirs", "reset_ours", "reset_theirs", "backlog", "window", "ping",
    "bulk_up", "bulk_down", "bulk_both", "go_away",
)  # fmt: skip
StartServer = Callable[..., GoProgram]


@pytest.fixture
def role() -> Role:
    """Ours: an agent is the client."""
    return Role.CLIENT


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_go_relay_is_content_with_our_tunnel(
    request: pytest.FixtureRequest, go_server: StartServer, generation: str, scenario: str, role: Role
) -> None:
    note = core.row(request, scenario=f"tunnel {scenario}", opener="they open")
    server = go_server(scenarios=scenario, streams=2000, language="exercise", stay=True)
    said = await server.heard("listening")
    async with open_link(Address.parse(said["relay"], "relay"), HEADERS, AgentSettings()) as tunnel:
        await Responder().serve(tunnel)
    await server.heard("done")
    result = server.said("scenario")[0]
    assert result["ok"], json.dumps(result)
    note(core.measured(result))


async def test_a_refusal_comes_with_its_status_its_code_and_when_to_come_again(
    go_server: StartServer,
) -> None:
    server = go_server(scenarios="", token_prefix="vAs_other")
    said = await server.heard("listening")
    with pytest.raises(DialRefused) as refusal:
        async with open_link(Address.parse(said["relay"], "relay"), HEADERS, AgentSettings()):
            pass
    assert (refusal.value.status, refusal.value.code) == (401, "UNAUTHENTICATED")
    assert refusal.value.retry_after_seconds == 1
