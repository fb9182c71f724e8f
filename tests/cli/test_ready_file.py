import json
import os
import subprocess
from pathlib import Path

import pytest
from visiona.cli.output import CommandError
from visiona.cli.ready_file import SERVER_FILE, ready_file, running_web_or_none


def test_it_is_there_while_the_server_accepts_and_gone_after(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    with ready_file(path) as ready:
        assert not path.exists()
        ready.write("http://127.0.0.1:1", "ws://127.0.0.1:2", "http://127.0.0.1:3")
        assert json.loads(path.read_text(encoding="utf-8")) == {
            "web": "http://127.0.0.1:1",
            "relay": "ws://127.0.0.1:2",
            "internal": "http://127.0.0.1:3",
            "pid": os.getpid(),
        }
        assert [entry.name for entry in tmp_path.iterdir()] == ["ready.json"]
    assert list(tmp_path.iterdir()) == []


def test_another_servers_file_is_let_alone(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    for foreign in ('{"pid": 1}', "garbage", "[]"):
        with ready_file(path) as ready:
            ready.write("a", "b", "c")
            path.write_text(foreign, encoding="utf-8")
        assert path.exists()


def test_what_a_killed_server_left_is_gone_before_anything_is_ready(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    path.write_text(json.dumps({"pid": int(gone.stdout)}), encoding="utf-8")
    with ready_file(path):
        assert not path.exists()
    path.write_text(json.dumps({"pid": os.getppid()}), encoding="utf-8")
    with ready_file(path):
        assert path.exists(), "a living server's file is not ours to take away"


def test_s07_a_place_that_cannot_be_written_is_said_before_the_server_starts(tmp_path: Path) -> None:
    with (
        pytest.raises(CommandError, match="cannot be written: No such file") as caught,
        ready_file(tmp_path / "no" / "x"),
    ):
        pass
    assert str(tmp_path / "no" / "x") in caught.value.message


def test_json_says_the_same_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ready.json"
    with ready_file(path, also_printed=True) as ready:
        ready.write("a", "b", "c")
        assert capsys.readouterr().out == path.read_text(encoding="utf-8")


def test_without_a_path_nothing_is_written(tmp_path: Path) -> None:
    with ready_file(None) as ready:
        ready.write("a", "b", "c")


def test_the_state_folder_says_where_the_server_is_while_it_runs(tmp_path: Path) -> None:
    with ready_file(None, state_dir=tmp_path) as ready:
        assert running_web_or_none(tmp_path) is None
        ready.write("http://127.0.0.1:1", "b", "c")
        assert running_web_or_none(tmp_path) == "http://127.0.0.1:1"
    assert list(tmp_path.iterdir()) == []


def test_a_server_starts_also_where_it_cannot_say_so(tmp_path: Path) -> None:
    with ready_file(None, state_dir=tmp_path / "no") as ready:
        ready.write("a", "b", "c")
    assert running_web_or_none(tmp_path / "no") is None


def test_what_a_killed_server_said_is_not_believed(tmp_path: Path) -> None:
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    for text in (
        json.dumps({"pid": int(gone.stdout), "web": "http://x"}),
        "[]",
        '{"pid": 1}',
        '{"pid": 1, "web": 2}',
    ):
        (tmp_path / SERVER_FILE).write_text(text, encoding="utf-8")
        assert running_web_or_none(tmp_path) is None
