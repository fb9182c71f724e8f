import errno
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from visiona.cli.commands import COMMANDS
from visiona.cli.main import main, report
from visiona.cli.output import CommandError, Exit
from visiona.config import ConfigInvalid
from visiona.domain.errors import Conflict, Invalid, NotFound
from visiona.stores.errors import SchemaMismatch, StoreBusy, StoreUnavailable


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigInvalid(["a", "b"]), 2, "visiona: a [CONFIG_INVALID]\nvisiona: b [CONFIG_INVALID]\n"),
        (CommandError("no", code="X"), 1, "visiona: no [X]\n"),
        (Invalid("email: write one"), 2, "visiona: email: write one [VALIDATION_FAILED]\n"),
        (NotFound("none"), 4, "visiona: none [NOT_FOUND]\n"),
        (Conflict("twice"), 1, "visiona: twice [CONFLICT]\n"),
        (StoreUnavailable("down"), 3, "visiona: down; nothing was changed, try again [STORE_UNAVAILABLE]\n"),
        (StoreBusy("another"), 3, "visiona: another [STORE_BUSY]\n"),
        (SchemaMismatch("newer"), 3, "visiona: newer [SCHEMA_MISMATCH]\n"),
        (
            OSError(errno.EACCES, "Permission denied", "/x"),
            1,
            "visiona: /x: Permission denied; give this user the right, or be another one [SYSTEM]\n",
        ),
        (
            OSError(errno.ENOENT, "No such file", "/x"),
            1,
            "visiona: /x: No such file; check the path [SYSTEM]\n",
        ),
        (OSError(errno.ENOENT, "No such file"), 1, "visiona: No such file [SYSTEM]\n"),
        (NotFound("line\nbreak\x1b[31m"), 4, "visiona: line break [31m [NOT_FOUND]\n"),
    ],
)
def test_s07_what_goes_wrong_is_one_sentence_with_a_code(
    error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(error) == code
    assert capsys.readouterr() == ("", said)


def test_a_bug_is_not_dressed_up_as_a_mistake() -> None:
    with pytest.raises(ZeroDivisionError):
        report(ZeroDivisionError())


@pytest.mark.parametrize(
    "arguments", [[], ["nosuch"], ["user"], ["user", "add"], ["token", "create"], ["config", "x"]]
)
def test_wrong_usage_is_2_and_says_how(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == Exit.USAGE
    assert "usage: visiona" in capsys.readouterr().err


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"usage: visiona {name}" in capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(command.summary in text for command in COMMANDS)


def test_version_is_for_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("visiona ")
    assert main(["--json", "version"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"version", "python"}


def test_it_runs_as_a_module_and_survives_a_closed_pipe(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "visiona", "version"], capture_output=True, text=True, timeout=15, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    script = f"{sys.executable} -m visiona config show | true; echo ${{PIPESTATUS[0]}}"
    piped = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=15, check=False)
    assert "Traceback" not in piped.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["migrate", "{}"],
        ["user", "disable", "{}", "--set", "database.url=memory:"],
        ["--set", "web.listen={}", "config", "check"],
        ["--set", "{}=1", "config", "check"],
    ],
)
def test_p10_a_token_typed_in_the_wrong_place_is_not_repeated(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    token = "vAp_" + "7" * 64
    assert main([argument.format(token) for argument in arguments]) != 0
    assert "77777" not in "".join(capsys.readouterr())


def test_s03_a_command_says_what_the_store_cannot_do_once(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    order = [sys.executable, "-m", "visiona", "--set", f"state_dir={folder}", "user"]
    subprocess.run([*order, "list"], check=True, capture_output=True)
    with closing(sqlite3.connect(folder / "visiona.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = subprocess.run(
            [*order, "add", "a@example.org", "--password-stdin"],
            input="a long password\n",
            capture_output=True,
            text=True,
            check=False,
        )
    assert said.returncode == 3
    assert len(said.stderr.splitlines()) == 1


def test_without_a_command_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "commands:\n  serve" in err
