import json
import logging
import sys

import pytest
from visiona.ops.log_lines import MAX_TRACEBACK_LINES, PlainRecord, console_line, json_line


def record(message: str, *args: object, **extras: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "visiona.relay.listener", "levelno": 20, "levelname": "INFO", "msg": message, "args": args}
        | extras
    )
    made.created = 1_700_000_000.5
    return made


def failing(text: str) -> logging.LogRecord:
    try:
        raise ValueError(text)
    except ValueError:
        return record("it broke", exc_info=sys.exc_info())


def test_a_console_line_has_time_level_place_message_and_extras() -> None:
    line = console_line(record("tunnel %s", "up", device_id="d1", streams=3, note="two words", none=None))
    assert line == (
        '2023-11-14T22:13:20.500Z INFO    relay.listener: tunnel up device_id=d1 streams=3 note="two words" none=-'
    )


def test_a_json_line_has_the_extras_as_members() -> None:
    entry = json.loads(json_line(record("tunnel up", device_id="d1", streams=3)))
    assert entry == {
        "time": "2023-11-14T22:13:20.500Z",
        "level": "info",
        "logger": "visiona.relay.listener",
        "message": "tunnel up",
        "device_id": "d1",
        "streams": 3,
    }


def test_an_extra_cannot_hide_a_member_of_ours() -> None:
    entry = json.loads(json_line(record("m", level="forged", time=1)))
    assert (entry["level"], entry["extra_level"], entry["extra_time"]) == ("info", "forged", 1)


def test_s08_an_agents_words_cannot_begin_a_line_of_their_own() -> None:
    forged = "1.0\n2026-01-01T00:00:00Z ERROR forged \x1b[31m"
    for line in (
        console_line(record("up", agent_version=forged)),
        json_line(record("up", agent_version=forged)),
    ):
        assert "\n" not in line
        assert "\x1b" not in line


def test_s08_secrets_are_masked_in_messages_arguments_and_extras() -> None:
    token = "vAs_" + "a" * 64
    made = record(
        "got %s for %s",
        token,
        {"password": "hunter2"},
        url=f"/x?token={token}",
        password="hunter2",
        raw=token.encode(),
    )
    for line in (console_line(made), json_line(made)):
        assert "aaaaa" not in line
        assert "hunter2" not in line


def test_s08_a_traceback_is_masked_and_each_of_its_lines_is_marked_as_such() -> None:
    line = console_line(failing("password=hunter2\n2026-01-01T00:00:00Z INFO forged"))
    assert "hunter2" not in line
    first, *rest = line.split("\n")
    assert first.endswith("it broke")
    assert rest[0] == "    | Traceback (most recent call last):"
    assert all(each.startswith("    | ") for each in rest)


def test_a_traceback_in_json_is_a_list_of_lines() -> None:
    entry = json.loads(json_line(failing("bad")))
    assert entry["traceback"][-1] == "ValueError: bad"


def test_an_endless_traceback_keeps_its_end() -> None:
    lines = console_line(failing("x\n" * 1000 + "the end")).split("\n")
    assert len(lines) == MAX_TRACEBACK_LINES + 1
    assert lines[-1] == "    | the end"


def test_names_of_extras_cannot_forge_either() -> None:
    assert "\n" not in console_line(record("m", **{"a\nb": 1}))


@pytest.mark.parametrize(
    "path",
    [
        "/plain",
        "/a=b",
        '/say"so"',
        "",
        "two words",
        "trailing ",
        "=",
        "/x\x1b[31m",
        "/x?token=vAs_" + "a" * 64,
        "/" + "p" * 9000,
    ],
)
def test_a_plain_record_makes_the_line_that_any_other_makes(path: str) -> None:
    extras = {"method": "GET", "path": path, "status": 200, "ms": 1.5}
    usual = record("request", **extras)
    plain = PlainRecord("visiona.relay.listener", "request", extras)
    plain.created = usual.created
    assert console_line(plain) == console_line(usual)
    assert json_line(plain) == json_line(usual)
    assert (plain.path, plain.getMessage()) == (path, "request")


def test_a_plain_record_can_be_formatted_by_anybody() -> None:
    record = PlainRecord("visiona.access", "request", {"status": 200})
    assert (
        logging.Formatter("%(levelname)s %(name)s %(filename)s %(message)s")
        .format(record)
        .startswith("INFO visiona.access")
    )
    assert vars(record)["status"] == 200
