"""What backup, restore and moving share: being told to stop, and which files belong to what is kept."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
from visiona.cli.copying import NAMED, STATE_FILES, model_folder, named, run_copy
from visiona.cli.output import CommandError
from visiona.cli.ready_file import SERVER_FILE
from visiona.config import Settings, from_process
from visiona.stores.copying.ends import Progress
from visiona.stores.copying.errors import CopyRefused
from visiona.stores.copying.file_list import Missing
from visiona.stores.files.opening import FOLDER

from tests.cli.test_serve import environment, started
from tests.stores.copying.sample import filled_with_many

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_when_it_has_undone_its_work(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    undone = []
    before = [signal.getsignal(each) for each in SIGNALS]

    async def copy(_: Progress) -> None:
        try:
            os.kill(os.getpid(), number)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                # A second one does not break the first off.
                os.kill(os.getpid(), number)
                await trio.testing.wait_all_tasks_blocked()
            undone.append(True)

    with pytest.raises(KeyboardInterrupt):
        run_copy("backup", copy)
    assert undone == [True]
    assert "nothing was changed" in capsys.readouterr().err
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_signal_that_comes_too_late_changes_nothing() -> None:
    async def copy(_: Progress) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "done"

    assert run_copy("backup", copy) == "done"


def test_a_refusal_is_one_sentence_with_its_code() -> None:
    async def copy(_: Progress) -> None:
        raise CopyRefused("no", code="NOT_EMPTY")

    with pytest.raises(CommandError) as caught:
        run_copy("backup", copy)
    assert (caught.value.message, caught.value.code) == ("no", "NOT_EMPTY")


def test_the_server_keeps_no_file_that_a_backup_lacks(tmp_path: Path) -> None:
    process, _ = started(tmp_path)
    try:
        found = {path.name for path in (tmp_path / "state").iterdir()}
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)
    assert "visiona.db" in found
    kept = {name for name in found if not name.startswith("visiona.db")}
    # The folder by what its models refer to; where a server listens is of no use when it is gone.
    assert kept - {SERVER_FILE} == {*STATE_FILES, FOLDER}


def settings_of(folder: Path, text: str = "") -> Settings:
    file = folder / "visiona.toml"
    file.write_text(f'state_dir = "{folder}"\n{text}')
    file.chmod(0o600)
    return from_process(file, []).settings


def test_the_folder_of_model_files_is_that_of_the_server(tmp_path: Path) -> None:
    folder = model_folder(settings_of(tmp_path))
    assert folder is not None
    assert folder.root == tmp_path / FOLDER
    elsewhere = settings_of(tmp_path, f'[storage]\npath = "{tmp_path}/large"\nreserve_bytes = 7\n')
    folder = model_folder(elsewhere)
    assert folder is not None
    assert (folder.root, folder.reserve_bytes) == (tmp_path / "large", 7)
    store = settings_of(tmp_path, '[storage]\nurl = "s3://KEY:SECRET@s3.example.com/bucket"\n')
    assert model_folder(store) is None


def test_models_are_named_and_many_are_counted() -> None:
    models = [Missing(f"id-{number}", "yolo", "missing") for number in range(NAMED)]
    assert named(models[:1], 1) == "1 model: yolo (id-0)"
    assert named(models[:2], 2) == "2 models: yolo (id-0), yolo (id-1)"
    assert named(models, 70).endswith(f"yolo (id-{NAMED - 1}) and {70 - NAMED} more")


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_control_c_leaves_nothing_behind(tmp_path: Path) -> None:
    trio.run(filled_with_many, tmp_path / "state", 50_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "visiona", "backup", str(tmp_path / "file.zip")],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 15
    while not list(tmp_path.glob(".file.zip.*")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.005)  # noqa: TID251 - another process; there is nothing else to wait for
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "visiona: interrupted; nothing was changed\n")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
