"""`/livez /readyz /healthz` for probes, `/api/system/*` for people: all of it read from the board, asking nobody."""

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version

import trio
from quart import Blueprint, Response

from visiona.domain.ids import WorkspaceId
from visiona.ops.health import Check, Health, HealthBoard
from visiona.web.answers import moment, ok, plain, without_nothing
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.shapes import ProbeAnswer, SystemHealth, SystemInfo


def health_routes(board: HealthBoard, tunnel_count: Callable[[Collection[WorkspaceId]], int]) -> Blueprint:
    """The routes.

    Args:
        board: who is well.
        tunnel_count: how many devices of these workspaces are connected.
    """
    routes = Blueprint("health", __name__)
    started = trio.current_time()

    @routes.get("/livez")
    @described(answer=ProbeAnswer, is_plain=True)
    async def livez() -> Response:
        """The process is up."""
        return plain({"status": "ok"})

    @routes.get("/readyz")
    @routes.get("/healthz")
    @described(answer=ProbeAnswer, is_plain=True, also={503: "The same, naming what fails."})
    async def readyz() -> Response:
        """Every store answers, and the server is not draining."""
        health = board.snapshot()
        return plain(_summary(health, _brief), 200 if health.ready else 503)

    @routes.get("/api/system/health")
    @described(answer=SystemHealth)
    async def system_health() -> Response:
        """What works, since when, and why not."""
        return ok(_summary(board.snapshot(), _detailed))

    @routes.get("/api/system/info")
    @described(answer=SystemInfo)
    async def system_info() -> Response:
        """Version, uptime, how many of the caller's devices are connected."""
        return ok(
            {
                "name": "visiona",
                "version": version("visiona"),
                "uptime_seconds": round(trio.current_time() - started),
                "tunnels": tunnel_count(current_actor().workspaces),
            }
        )

    return routes


def _summary(health: Health, shown: Callable[[Check], object]) -> Mapping[str, object]:
    status = "ok" if health.ready else "draining" if health.draining else "unavailable"
    summary: dict[str, object] = {
        "status": status,
        "checks": {name: shown(check) for name, check in health.checks.items()},
    }
    if health.failing:
        summary["failing"] = health.failing
    return summary


def _brief(check: Check) -> str:
    # Anybody may ask: a word, and no reason that could tell about the inside.
    return "ok" if check.ok else "failing"


def _detailed(check: Check) -> Mapping[str, object]:
    # What there is to say of a good state may be about everybody (how many are connected); of a store it is not.
    why = (check.why or None) if check.vital or not check.ok else None
    return without_nothing({"ok": check.ok, "since": moment(check.since), "why": why, "vital": check.vital})
