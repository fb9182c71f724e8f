import sys
from pathlib import Path

import pytest
import trio
from visiona.cli.demo_client import Unexpected
from visiona.cli.demo_stage import running

from tests.support.waiting import until

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


async def test_a_process_ends_with_its_block(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with running([sys.executable, "-c", "import time; time.sleep(60)"], log) as process:
        process.need()
    assert process.process.returncode == -15


async def test_a_process_that_does_not_want_to_end_is_made_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visiona.cli.demo_stage.STOP_SECONDS", 0.05)
    log = tmp_path / "server.log"
    async with running([sys.executable, "-c", STUBBORN], log) as process:
        await until(lambda: "up" in process.last_words(), 15)
    assert process.process.returncode == -9


async def test_cancelling_ends_the_process_too(tmp_path: Path) -> None:
    with trio.CancelScope() as scope:
        async with running(
            [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "a.log"
        ) as process:
            scope.cancel()
            await trio.sleep_forever()
    assert process.process.returncode == -15


async def test_a_process_that_ended_early_is_said_with_its_last_words(tmp_path: Path) -> None:
    async with running(
        [sys.executable, "-c", "print('oh no'); raise SystemExit(3)"], tmp_path / "agent.log"
    ) as process:
        await process.process.wait()
        with pytest.raises(Unexpected, match="the agent ended with 3") as ended:
            process.need()
    assert "oh no" in ended.value.log
