"""The unit files as systemd sees them. Skipped visibly where its tool is missing."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from visiona.web.settings import WebSettings

UNITS = sorted((Path(__file__).parents[2] / "systemd").glob("*.service"))
MAX_EXPOSURE = 2.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here"
)
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def service_of(unit: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(unit)
    return parser["Service"]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=20
    )


def test_both_units_are_there() -> None:
    assert [unit.name for unit in UNITS] == ["visiona-agent.service", "visiona.service"]


@needs_systemd
@each_unit
def test_systemd_finds_no_fault(unit: Path, tmp_path: Path) -> None:
    # The programs are not installed where tests run: another one stands in, for verify asks whether it exists.
    text = unit.read_text().replace("/opt/visiona/bin/visiona", sys.executable)
    (tmp_path / unit.name).write_text(text)
    result = analyze("verify", "--man=no", str(tmp_path / unit.name))
    assert (result.returncode, result.stderr) == (0, "")


@needs_systemd
@each_unit
def test_the_sandbox_is_tight(unit: Path) -> None:
    result = analyze(
        "security", "--offline=yes", "--no-pager", f"--threshold={MAX_EXPOSURE * 10:.0f}", str(unit)
    )
    found = re.search(r"exposure level for .*?: ([0-9.]+)", result.stdout)
    assert found is not None, result.stderr
    assert float(found[1]) <= MAX_EXPOSURE


@each_unit
def test_the_manager_is_told_and_tells(unit: Path) -> None:
    service = service_of(unit)
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) >= 30  # a stall of 15 s must be survived
    assert service["LimitNOFILE"] == "65536"
    assert service["DynamicUser"] == "yes"


def test_s06_stopping_may_take_longer_than_the_drain() -> None:
    service = service_of(next(unit for unit in UNITS if unit.name == "visiona.service"))
    assert int(service["TimeoutStopSec"]) > WebSettings().drain_seconds + 5
