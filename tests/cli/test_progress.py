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
        "visiona: backup: 1,000 of 2,000 rows, 50%",
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


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_what_is_short_or_empty_shows_nothing(stream: io.StringIO) -> None:
    progress = RowProgress("backup", stream, Clock())
    progress.begin(0)
    progress.step(0)
    progress.end()
    assert stream.getvalue() == ""
