import threading
import time
from collections.abc import Callable

import pytest

from tests.support import lateness
from tests.support.lateness import Lateness, within


class SlowWaking(threading.Event):
    """Whoever waits sleeps so much too long: it is given the clock."""

    def __init__(self, pass_time: Callable[[float], None], late: float) -> None:
        super().__init__()
        self.pass_time = pass_time
        self.late = late
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        self.pass_time((timeout or 0) + self.late)
        return self.waits == 10


@pytest.mark.parametrize(("late", "summed"), [(0.0005, 0.0), (0.5, 5.0)])
def test_only_what_is_unusual_counts(late: float, summed: float, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    one = Lateness()
    one._over = SlowWaking(pass_time, late)
    monkeypatch.setattr(lateness.time, "monotonic", lambda: now[0])
    one._run()
    assert one.seconds == pytest.approx(summed)


def test_what_takes_too_long_by_itself_is_told() -> None:
    with pytest.raises(AssertionError, match=r"^0\.\d+ s, "), within(0.05):
        time.sleep(0.3)  # noqa: TID251 - this is what must be noticed


def test_what_the_machine_adds_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lateness, "_run", lambda self: setattr(self, "seconds", 10.0))
    with within(0.05):
        time.sleep(0.1)  # noqa: TID251 - as if the machine had been busy


def test_an_error_of_the_block_is_the_one_that_is_told() -> None:
    with pytest.raises(LookupError), within(0.0):
        raise LookupError
