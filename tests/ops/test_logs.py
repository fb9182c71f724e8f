import io
import logging
import warnings
from collections.abc import Iterator

import pytest
from visiona.ops.log_lines import console_line
from visiona.ops.log_writer import LineWriter
from visiona.ops.logs import (
    ACCESS_LOGGER,
    FLOOD_KEYS,
    FLOOD_LINES,
    FLOOD_SECONDS,
    FloodGate,
    LineHandler,
    LogSettings,
    setup_logging,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines_of(settings: LogSettings, *, count: int = 1, name: str = "visiona.x") -> list[str]:
    output = io.BytesIO()
    writer = setup_logging(settings, output)
    for number in range(count):
        logging.getLogger(name).info("number %d", number)
    logging.getLogger(name).debug("detail")
    writer.close()
    return output.getvalue().decode().splitlines()


def test_the_level_decides_what_is_written() -> None:
    assert len(lines_of(LogSettings("info"))) == 1
    assert len(lines_of(LogSettings("debug"))) == 2
    assert lines_of(LogSettings("error")) == []


def test_a_library_that_logs_each_request_is_not_heard_below_a_warning() -> None:
    assert lines_of(LogSettings("debug"), name="httpx") == []


def test_the_format_decides_how() -> None:
    assert lines_of(LogSettings(format="json"))[0].startswith('{"time": ')
    assert "x: number 0" in lines_of(LogSettings(format="console"))[0]


def test_setting_up_again_replaces_what_was_there() -> None:
    lines_of(LogSettings())
    assert len(lines_of(LogSettings())) == 1


def test_setting_up_again_keeps_the_thread_that_writes_to_stderr() -> None:
    first = setup_logging(LogSettings())
    assert setup_logging(LogSettings("debug", "json")) is first
    first.close()
    second = setup_logging(LogSettings())
    assert second is not first
    second.close()


def test_every_fault_of_the_settings_is_said_at_once() -> None:
    assert LogSettings().check() == []
    assert len(LogSettings("loud", "xml").check()) == 2


def test_s08_a_flood_of_one_message_is_limited_and_the_rest_counted() -> None:
    assert len(lines_of(LogSettings(), count=FLOOD_LINES + 20)) == FLOOD_LINES


def test_access_lines_are_not_limited() -> None:
    assert len(lines_of(LogSettings(), count=FLOOD_LINES + 20, name=ACCESS_LOGGER)) == FLOOD_LINES + 20


def test_s08_what_was_held_back_is_said_with_the_next_such_line() -> None:
    clock = Clock()
    gate = FloodGate(clock)
    admitted = [gate.admit("logger", "message") for _ in range(FLOOD_LINES + 7)]
    assert admitted == [0] * FLOOD_LINES + [None] * 7
    clock.now = FLOOD_SECONDS
    assert gate.admit("logger", "message") == 7
    assert gate.admit("logger", "message") == 0


def test_a_flood_of_one_message_does_not_silence_another() -> None:
    gate = FloodGate(Clock())
    while gate.admit("logger", "message") is not None:
        pass
    assert gate.admit("logger", "another") == 0
    assert gate.admit("other", "message") == 0


def test_the_gate_forgets_rather_than_grows() -> None:
    gate = FloodGate(Clock())
    for number in range(FLOOD_KEYS * 3):
        gate.admit("logger", str(number))
    assert len(gate._seen) <= FLOOD_KEYS


def test_a_call_with_wrong_arguments_becomes_a_line_that_names_the_place() -> None:
    output = io.BytesIO()
    writer = LineWriter(output)
    # Straight to the handler: pytest's own, beside it, would raise.
    record = logging.LogRecord("visiona.x", logging.INFO, "some/place.py", 7, "%d", ("not a number",), None)
    LineHandler(console_line, writer, FloodGate()).handle(record)
    writer.close()
    assert "some/place.py:7" in output.getvalue().decode()


def test_warnings_of_python_are_logged_too() -> None:
    output = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        writer = setup_logging(LogSettings(), output)
        warnings.warn("an old thing", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    writer.close()
    assert b"DeprecationWarning: an old thing" in output.getvalue()


def test_s08_what_libraries_write_of_every_field_is_not_logged_at_debug_either() -> None:
    """Packed as HPACK does it, a credential is found by no mask and unpacked by anybody."""
    output = io.BytesIO()
    writer = setup_logging(LogSettings("debug"), output)
    logging.getLogger("hpack.hpack").debug("Decoding %s", b"a header block")
    logging.getLogger("h2.connection").debug("a field")
    logging.getLogger("visiona.x").debug("our own")
    writer.close()
    assert [line.rpartition(": ")[2] for line in output.getvalue().decode().splitlines()] == ["our own"]
