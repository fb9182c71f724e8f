"""What the tests of the bare session share: fixtures over roles, the table's rows, and an echo."""

from collections.abc import Callable

import pytest
from visiona.wire.yamux.limits import Role

from tests.interop.pattern import digest
from tests.interop.peer import Channel, Peer

Note = Callable[[str], None]


@pytest.fixture(params=list(Role), ids=lambda role: f"we_are_{role.name.lower()}")
def role(request: pytest.FixtureRequest) -> Role:
    """Ours."""
    assert isinstance(request.param, Role)
    return request.param


def row(request: pytest.FixtureRequest, *, scenario: str, opener: str) -> Note:
    """Enters the running test into the table; the result adds what was measured."""
    generation, role = request.getfixturevalue("generation"), request.getfixturevalue("role")
    record_property = request.getfixturevalue("record_property")

    def note(measured: str) -> None:
        record_property("interop", (scenario, generation, role.name.lower(), opener, measured))

    note("")
    return note


class Echo:
    """One echo: sends a pattern, ends, and compares what comes back."""

    def __init__(self, peer: Peer, seed: int, count: int) -> None:
        self.channel: Channel = peer.open("echo")
        self.channel.send_pattern(seed, count)
        self.channel.end()
        self._expected = (digest(seed, count), count)

    @property
    def is_done(self) -> bool:
        """Whether everything is back; an AssertionError where it came back wrong."""
        if not self.channel.is_over:
            return False
        assert self.channel.history == ["ended"]
        assert (self.channel.digest, self.channel.length) == self._expected
        return True


def echo(peer: Peer, seed: int = 1, count: int = 5000) -> None:
    """One echo from beginning to end: proof that the session still works."""
    one = Echo(peer, seed, count)
    peer.run_until(lambda: one.is_done)


def nothing_is_left(peer: Peer) -> bool:
    """Whether the session has forgotten every stream and owes nothing."""
    now = peer.session.statistics()
    return now.streams == 0 and now.queued_bytes == 0 and now.unacked_streams == 0 and now.grown_bytes == 0


_NOT_MEASURED = {"event", "scenario", "ok", "seconds"}


def measured(result: dict[str, object]) -> str:
    """What a Go program measured in a scenario, for the table."""
    values = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in result.items()}
    return ", ".join(f"{key} {value}" for key, value in values.items() if key not in _NOT_MEASURED)
