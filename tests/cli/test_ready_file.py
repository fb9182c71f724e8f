import json
import os
from pathlib import Path

from visiona.cli.ready_file import ready_file


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


def test_without_a_path_nothing_is_written(tmp_path: Path) -> None:
    with ready_file(None) as ready:
        ready.write("a", "b", "c")
