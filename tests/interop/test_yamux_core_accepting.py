"""Our session against hashicorp/yamux over TCP, in both roles: Go opens the streams and judges the answers."""

import pytest
from visiona.wire.yamux.limits import Role

from tests.interop import core
from tests.interop.core import Note
from tests.interop.exercise import Answer
from tests.interop.raw import joined

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(120)]
role = core.role

SCENARIOS = (
    "streams", "half_close_ours", "half_close_theirs", "reset_ours", "reset_theirs", "backlog", "window", "ping",
    "bulk_up", "bulk_down", "bulk_both", "go_away",
)  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_go_is_content_with_our_answers(
    request: pytest.FixtureRequest, scenario: str, generation: str, role: Role
) -> None:
    note: Note = core.row(request, scenario=scenario, opener="they open")
    streams = 10_000 if role is Role.CLIENT else 1_000
    with joined(generation, role, answer=Answer, drive=scenario, streams=streams) as ends:
        ends.peer.run_to_the_end(within_seconds=110)
        result = ends.program.wait("scenario")
    assert result["ok"], result
    if scenario == "window":
        assert result["window_bytes"] == 262_144
    note(core.measured(result))
