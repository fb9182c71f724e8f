import io

import pytest
from visiona.cli.progress import BAR_SECONDS, LINE_SECONDS, RowProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_elsewhere_than_in_a_terminal_a_line_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = RowProgress("backup", stream, clock)
    progress.begin(2000)
    progress.step(500)
    assert stream.getvalue() == ""
    clock.now += LINE_SECONDS
    progress.step(500)
    progress.step(500)
    clock.now += LINE_SECONDS
    progress.step(500)
    progress.end()
    assert stream.getvalue().splitlines() == [
        "visiona: backup: 1,000 of 2,000 rows, 50%, 5 s left",
        "visiona: backup: 2,000 of 2,000 rows, 100%",
    ]


def test_a_terminal_has_one_bar_that_ends_full() -> None:
    stream, clock = Terminal(), Clock()
    progress = RowProgress("restore", stream, clock)
    progress.begin(4000)
    for _ in range(3):
        clock.now += BAR_SECONDS
        progress.step(1000)
    progress.step(1000)
    progress.end()
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert text.count("\r") == 4
    assert "4,000 of 4,000 rows, 100%" in text.splitlines()[-1].rpartition("\r")[2]


def test_rows_and_bytes_share_one_bar_by_what_they_cost() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = RowProgress("backup", stream, clock)
    progress.begin(1000, 3 * 1024**3)
    progress.step(1000)
    clock.now += 600
    progress.pass_bytes(1024**3)
    clock.now += LINE_SECONDS
    progress.pass_bytes(2 * 1024**3)
    assert stream.getvalue().splitlines() == [
        "visiona: backup: 1,000 of 1,000 rows, 1.0 of 3.0 GiB, 33%, 20 min left",
        "visiona: backup: 1,000 of 1,000 rows, 3.0 of 3.0 GiB, 100%",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, ""), (4, "4 s left"), (95, "95 s left"), (101, "2 min left"), (9000, "2 h 30 min left")],
)
def test_the_time_it_may_still_take_is_said_when_it_is_known(seconds: float, said: str) -> None:
    stream, clock = Terminal(), Clock()
    progress = RowProgress("restore", stream, clock)
    progress.begin(0, 100)
    clock.now += seconds
    progress.pass_bytes(50)
    assert stream.getvalue().rstrip().endswith(f"50 of 100 bytes, 50%, {said}".rstrip(", "))


def test_a_bar_fits_its_terminal_and_leaves_nothing_of_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream, clock = Terminal(), Clock()
    progress = RowProgress("backup", stream, clock)
    progress.begin(200_000, 3 * 1024**3)
    for seconds, count in ((9000, 10**6), (1, 3 * 1024**3 - 10**6), (1, 0)):
        clock.now += seconds
        progress.pass_bytes(count)
    lines = stream.getvalue().split("\r")[1:]
    assert max(map(len, lines)) < 80
    # The second is shorter, without hours, and covers the first.
    assert len(lines[1]) >= len(lines[0])


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_what_is_short_or_empty_shows_nothing(stream: io.StringIO) -> None:
    progress = RowProgress("backup", stream, Clock())
    progress.begin(0)
    progress.step(0)
    progress.end()
    assert stream.getvalue() == ""
