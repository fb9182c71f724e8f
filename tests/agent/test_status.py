from pathlib import Path

import pytest
from visiona.agent.status import (
    STATUS_NAME,
    AlreadyRunning,
    State,
    Status,
    is_running,
    moment,
    read_status,
    running_in,
    write_status,
)


def test_a_status_comes_back_as_it_was_written(tmp_path: Path) -> None:
    status = Status(State.WAITING, moment(), "no route", "https://r", "http://t", 4.5)
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status


@pytest.mark.parametrize(
    "content", [None, "{", "[]", "{}", '{"state": "dancing", "since": "x"}', '{"state": "waiting"}']
)
def test_a_status_that_cannot_be_read_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / STATUS_NAME).write_text(content)
    assert read_status(tmp_path) is None


def test_a_running_agent_is_known_by_its_lock_and_has_no_double(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    with running_in(tmp_path):
        assert is_running(tmp_path)
        with pytest.raises(AlreadyRunning, match="another agent"), running_in(tmp_path):
            pass
        assert is_running(tmp_path)
    assert not is_running(tmp_path)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (Status(State.CONNECTED, "", relay="https://r"), "connected to https://r"),
        (Status(State.STOPPED, "", relay="https://r"), "stopped https://r"),
        (
            Status(State.WAITING, "", "it is away", "https://r", next_attempt_seconds=3.2),
            "away from https://r, next attempt in 3 s: it is away",
        ),
    ],
)
def test_a_status_is_a_sentence(status: Status, sentence: str) -> None:
    assert status.sentence() == sentence
