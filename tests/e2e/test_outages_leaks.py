"""After twenty outages nothing is left of them: no task, no socket, no connection on the database's side."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.agents import Unit
from tests.e2e.client import Watching, until
from tests.e2e.outages import Site, figure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Measured = Callable[[str, float], None]

POOL = 8
FEW = 4


def open_files(site: Site) -> int:
    assert site.server.process is not None
    return len(os.listdir(f"/proc/{site.server.process.pid}/fd"))


def resident_mebibytes(site: Site) -> float:
    assert site.server.process is not None
    fields = Path(f"/proc/{site.server.process.pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


QUICK, SILENT = ("refuse", "reset"), ("swallow", "freeze")
KINDS = [*QUICK * 5, *SILENT, *QUICK * 4]
"""What is silent takes seconds each."""


def in_an_outage(site: Site, kind: str) -> None:
    """Both at once, and callers who wait for both."""
    for relay, behind in ((site.to_postgres, site.postgres), (site.to_redis, site.redis)):
        getattr(behind if kind == "freeze" else relay, kind)()
    writes, reads = (
        ("POST", "/api/auth/tokens", {"name": "t", "ttl_seconds": 1}),
        ("GET", "/api/devices", None),
    )
    orders = [(caller, request) for request in (writes, reads) for caller in (site.known, site.browser)]
    shots = site.salvo(orders * 4)
    assert {shot.answer.status for shot in shots} <= {200, 201, 409, 429, 503}
    for relay, behind in ((site.to_postgres, site.postgres), (site.to_redis, site.redis)):
        relay.heal()
        behind.thaw()
    until(site.reads_succeed, "it is back", 10)


def tasks_and_files(site: Site) -> tuple[int, int]:
    return int(figure(site.server, "visiona_tasks")), open_files(site)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_s01_nothing_is_left_of_twenty_outages(
    site: Site, site_unit: Unit, watching: list[Watching], measured: Measured
) -> None:
    site.warm_browsers()
    in_an_outage(site, "refuse")  # what is made once and kept is made now
    site.warm_browsers()
    tasks, files = tasks_and_files(site)
    memory = resident_mebibytes(site)
    assert len(KINDS) == 20
    for kind in KINDS:
        in_an_outage(site, kind)
    site.warm_browsers()

    def nothing_is_left() -> bool:
        tasks_now, files_now = tasks_and_files(site)
        # A health check is under way or not; the pools may have more connections than they had, up to their size.
        return tasks_now <= tasks + FEW and files_now <= files + FEW + 2 * POOL

    until(nothing_is_left, f"of {tasks} tasks and {files} files no more are left", 20)
    measured("MiB grown, as milliseconds", (resident_mebibytes(site) - memory) / 1000)
    assert site.connections <= POOL
    assert site.to_postgres.connections <= POOL
    assert site.to_redis.connections <= POOL + FEW
    assert resident_mebibytes(site) - memory < 20
    assert all(one.goes_on for one in watching)
    assert site_unit.item["tunnel_online"]
