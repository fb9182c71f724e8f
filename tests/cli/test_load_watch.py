import os
import signal
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import trio
import trio.testing
from visiona.cli import load_watch
from visiona.cli.load_watch import ATTEMPTS, Shown, Watch, unless_interrupted, wants_end
from visiona.cli.output import CommandError, Exit

DEVICE = "/api/devices/d/loads"


def a_load(state: str, **more: Any) -> dict[str, Any]:
    known = {"id": "l", "state": state, "sent_bytes": 0, "total_bytes": 10, "waiting_for_device": False}
    return known | more


class Server:
    """Gives one answer after the other: events, or a refusal; the last one again and again."""

    def __init__(self, *answers: list[dict[str, Any]] | CommandError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    async def events(self, method: str, path: str, body: object = None) -> AsyncGenerator[Any, None]:
        self.asked.append((method, path))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, CommandError):
            raise answer
        for each in answer:
            yield each

    async def ask(self, method: str, path: str) -> None:
        self.asked.append((method, path))


def watch(*answers: list[dict[str, Any]] | CommandError) -> tuple[Watch, Server]:
    server: Any = Server(*answers)
    return Watch(server, "m", "d", "kl720-0"), server


def unreachable() -> CommandError:
    return CommandError("nobody is there", code="UNREACHABLE")


async def test_a_load_is_begun_once_and_followed_over_the_servers_restarts(
    autojump_clock: trio.testing.MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    one, server = watch(
        [a_load("queued"), a_load("pushing")],
        unreachable(),
        unreachable(),
        [a_load("pushing", sent_bytes=5)],
        [a_load("flashing"), a_load("active")],
    )
    heard: list[str] = []
    ended = await one.to_the_end(lambda load: heard.append(load["state"]), print)
    assert (ended["state"], heard) == ("active", ["queued", "pushing", "pushing", "flashing", "active"])
    assert server.asked == [
        ("POST", "/api/models/m/load-to-device"),
        *[("GET", f"{DEVICE}/l/events")] * 4,
    ]
    assert capsys.readouterr().out.count("the server is away") == 1
    await one.cancel()
    assert server.asked[-1] == ("DELETE", f"{DEVICE}/l")


@pytest.mark.parametrize("begun", [False, True])
async def test_what_stays_refused_is_an_end(begun: bool, autojump_clock: trio.testing.MockClock) -> None:
    gone = CommandError("no such load", code="NOT_FOUND", exit_code=Exit.NOT_FOUND)
    one, _ = watch(*[[a_load("pushing")]] * begun, gone)
    with pytest.raises(CommandError) as refused:
        await one.to_the_end(lambda _: None, print)
    assert refused.value is gone


async def test_nobody_there_at_the_beginning_is_no_reason_to_wait() -> None:
    one, _ = watch(unreachable())
    with pytest.raises(CommandError, match="nobody is there"):
        await one.to_the_end(lambda _: None, print)
    one, _ = watch([])
    with pytest.raises(CommandError) as refused:
        await one.to_the_end(lambda _: None, print)
    assert refused.value.code == "UNEXPECTED_ANSWER"


async def test_a_server_that_stays_away_is_not_waited_for_for_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    one, server = watch([a_load("pushing")], unreachable())
    with pytest.raises(CommandError, match="the load may go on"):
        await one.to_the_end(lambda _: None, print)
    assert len(server.asked) == ATTEMPTS + 1
    assert 120 < trio.current_time() < 600


def test_each_part_of_the_way_has_its_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bars: list[list[object]] = []

    class Bar:
        def __init__(self, what: str, unit: str = "rows") -> None:
            bars.append([what, unit])

        def begin(self, total: int, total_bytes: int = 0) -> None:
            bars[-1].append(total + total_bytes)

        def step(self, count: int) -> None:
            assert bars[-1][0] == "flashing"
            bars[-1].append(count)

        def pass_bytes(self, count: int) -> None:
            assert bars[-1][0] == "pushing"
            bars[-1].append(count)

        def end(self) -> None:
            bars[-1].append("end")

    monkeypatch.setattr(load_watch, "RowProgress", Bar)
    shown = Shown()
    for load in (
        a_load("queued"),
        a_load("pushing", sent_bytes=4),
        a_load("pushing", sent_bytes=4, waiting_for_device=True),
        a_load("pushing", sent_bytes=3),
        a_load("flashing"),
        a_load("flashing", progress=50),
        a_load("active"),
    ):
        shown.show(load)
    shown.end()
    # What is said stands on a line of its own: the bar begins anew below it.
    assert bars == [
        ["pushing", "rows", 10, 4, "end"],
        ["pushing", "rows", 10, 4, -1, "end"],
        ["flashing", "percent", 100, 0, 50, "end"],
    ]
    assert capsys.readouterr().err == "visiona: the device is away; the load goes on when it is back\n"


async def test_ctrl_c_ends_the_watching_alone() -> None:
    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep_forever()

    assert not await unless_interrupted(work)


async def test_what_is_not_interrupted_is_done_or_refused() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    assert await unless_interrupted(work)
    assert done == [1]

    async def refused() -> None:
        raise unreachable()

    with pytest.raises(CommandError, match="nobody is there"):
        await unless_interrupted(refused)


@pytest.mark.parametrize(
    ("is_terminal", "answer", "wants"),
    [
        (True, "y\n", True),
        (True, "Yes\n", True),
        (True, "\n", False),
        (True, "n\n", False),
        (False, "y\n", False),
    ],
)
def test_a_person_is_asked_and_a_program_is_not(
    is_terminal: bool,
    answer: str,
    wants: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return is_terminal

        def readline(self) -> str:
            return answer

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    assert wants_end() is wants
    assert ("cancel the load?" in capsys.readouterr().err) is is_terminal
