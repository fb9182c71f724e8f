"""Fixtures for whoever wants a real agent: see programs.py for what can be asked of one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import pytest

from tests.interop import gobuild, programs


@pytest.fixture(params=sorted(gobuild.GENERATIONS))
def generation(request: pytest.FixtureRequest) -> str:
    """The yamux that the Go side is built with: v0.1.2 ("new") or of September 2019 ("old")."""
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def go_agent(generation: str) -> Iterator[Callable[..., programs.GoProgram]]:
    """`go_agent(relay, token, **flags)` starts an agent that ends with the test."""
    gobuild.binary("agent", generation)  # a skip inside an async test would lose its reason
    yield from _starter(partial(programs.go_agent, generation=generation))


@pytest.fixture
def go_server(generation: str) -> Iterator[Callable[..., programs.GoProgram]]:
    """`go_server(scenarios=…, **flags)` starts the relay stand-in that ends with the test."""
    gobuild.binary("server", generation)
    yield from _starter(partial(programs.go_program, "server", generation))


def _starter(
    start: Callable[..., AbstractContextManager[programs.GoProgram]],
) -> Iterator[Callable[..., programs.GoProgram]]:
    with ExitStack() as running:
        yield lambda *values, **flags: running.enter_context(start(*values, **flags))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The interop table: what was played, with which yamux, in which role of ours, and how long it took."""
    rows = [
        (dict(report.user_properties)["interop"], outcome, report.duration)
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and "interop" in dict(report.user_properties)
    ]
    if rows and terminalreporter.config.get_verbosity() >= 0:
        terminalreporter.section("interop: scenario × yamux × our role")
        for (scenario, generation, role, opener, measured), outcome, seconds in sorted(rows):
            line = f"{scenario:<24} {generation:<4} {role:<7} {opener:<10} {outcome:<7} {seconds:6.2f} s  {measured}"
            terminalreporter.write_line(line.rstrip())
