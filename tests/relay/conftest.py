import pytest
import trio.testing


@pytest.fixture
def patient_clock() -> trio.testing.MockClock:
    """Jumps as `autojump_clock` does, but gives real sockets a moment first: the kernel may deliver a bit late."""
    return trio.testing.MockClock(autojump_threshold=0.005)
