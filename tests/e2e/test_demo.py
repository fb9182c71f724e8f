"""`visiona demo` as people run it: in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.servers.guardian import watched

COMMAND = [sys.executable, "-m", "visiona", "demo"]


def processes_that_mention(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
        if text in command:
            found.append(command)
    return found


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_ability_comes_through_the_tunnel_and_nothing_stays_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--check", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        env=own_temp(tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert [check["name"] for check in report["checks"] if check["ok"]] == [
        "device",
        "camera stream",
        "snapshot",
        "events",
        "detections",
        "scan",
        "connect",
        "flash",
        "inference",
        "sign-in",
        "strangers",
    ]
    assert list(tmp_path.iterdir()) == []
    assert processes_that_mention(str(tmp_path)) == []
    said = done.stdout + done.stderr
    assert not re.search("vA[a-z]_|/idp/link/", said)  # it may be a CI's log


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_curl_line_works_and_ctrl_c_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    with demo_in(tmp_path) as demo:
        assert demo.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            line = demo.stdout.readline()
            assert line, said + (demo.stderr.read() if demo.stderr else "")
            said += line
        token, url = re.findall(r"Bearer (\S+)'.*\n\s+'(\S+snapshot)'", said)[0]
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.read(2) == b"\xff\xd8"
        link = re.findall(r"Console +(\S+)/\n +Sign in +(\1/idp/link/vAo_[0-9a-f]{64})\n", said)[0][1]
        with urllib.request.urlopen(link, timeout=20) as page:
            assert b'<form method="post">' in page.read()
        logs = "".join(path.read_text() for path in tmp_path.glob("*/*.log"))
        demo.send_signal(number)
        rest, complaints = demo.communicate(timeout=60)
    assert demo.returncode == 0, rest + complaints
    assert "Traceback" not in complaints
    assert list(tmp_path.iterdir()) == []
    assert processes_that_mention(str(tmp_path)) == []
    # S-08: the token is shown to the person, and is in no log.
    assert "vA" not in re.sub(r"vA[a-z]_\w{4}…", "", logs)
    assert "tunnel" in logs


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_script_is_told_where_the_console_is_and_how_to_sign_in(tmp_path: Path) -> None:
    with demo_in(tmp_path, "--json") as demo:
        assert demo.stdout is not None
        said = ""
        while not said.endswith("\n}\n"):
            line = demo.stdout.readline()
            assert line, said + (demo.stderr.read() if demo.stderr else "")
            said += line
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)
    stage = json.loads(said)
    assert stage["console"] == stage["web"] + "/"
    assert stage["sign_in_link"].startswith(stage["console"] + "idp/link/vAo_")
    assert demo.returncode == 0
    assert list(tmp_path.iterdir()) == []


def demo_in(folder: Path, *more: str) -> "subprocess.Popen[str]":
    pipe, order = subprocess.PIPE, [*COMMAND, *more]
    return watched(subprocess.Popen(order, stdout=pipe, stderr=pipe, text=True, env=own_temp(folder)))


def own_temp(folder: Path) -> dict[str, str]:
    """The environment, with temporary files where we can see what is left of them."""
    environ = dict(os.environ)  # noqa: TID251 - a child's environment is made of ours
    return {**environ, "TMPDIR": str(folder)}
