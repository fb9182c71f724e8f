"""What the metrics page shows of this process: registry, relay, door and log in numbers."""

from collections.abc import Callable, Sequence

import trio

from visiona.ops.health import HealthBoard
from visiona.ops.log_writer import WriterStatistics
from visiona.ops.metrics import DeviceFigures, Figure, Sources
from visiona.ops.stalls import StallWatch
from visiona.relay.cameras import Cameras
from visiona.relay.deadlines import Sweeper
from visiona.relay.listener import Relay
from visiona.relay.registry import LiveTunnel, Registry


def sources(
    registry: Registry,
    relay: Relay,
    sweeper: Sweeper,
    cameras: Cameras,
    board: HealthBoard,
    stalls: StallWatch,
    logs: Callable[[], WriterStatistics] | None = None,
) -> Sources:
    """Where each number is read when the page is made."""
    return Sources(
        devices=lambda: device_figures(registry.all()),
        health=board.snapshot,
        stalls=stalls.statistics,
        logs=logs,
        figures=(
            Figure(
                "visiona_deadlines_watched",
                "Connections and exchanges whose deadlines are looked at.",
                lambda: sweeper.watched_count,
            ),
            Figure(
                "visiona_calls_live",
                "Requests and sockets that a revocation would cut.",
                lambda: len(registry.calls),
            ),
            Figure(
                "visiona_newcomers",
                "Agent connections that have shown no good token yet.",
                lambda: relay.reception.newcomers,
            ),
            Figure(
                "visiona_journal_waiting",
                "Timeline entries that wait to be written.",
                lambda: len(relay.journal),
            ),
            Figure(
                "visiona_tasks",
                "Tasks of the event loop.",
                lambda: trio.lowlevel.current_statistics().tasks_living,
            ),
            Figure(
                "visiona_longest_stall_seconds",
                "The longest standstill of this process that tunnels were forgiven.",
                lambda: relay.pinger.longest_stall_seconds,
            ),
            *camera_figures(cameras),
        ),
    )


def camera_figures(cameras: Cameras) -> tuple[Figure, ...]:
    """All cameras together: their targets are chosen by clients, and would be labels without end (S-09)."""
    counts, kept = cameras.counts, cameras.kept
    return (
        Figure("visiona_cameras_shared", "Moving pictures that are being shared.", lambda: len(cameras)),
        Figure("visiona_camera_viewers", "Viewers of those.", lambda: cameras.viewer_count),
        Figure(
            "visiona_camera_frames", "Frames that came from devices.", lambda: counts.came, is_counter=True
        ),
        Figure(
            "visiona_camera_frames_lost",
            "Frames left out for viewers who were too slow for them.",
            lambda: counts.lost,
            is_counter=True,
        ),
        Figure(
            "visiona_camera_held_bytes",
            "Memory of the frames that are being shared.",
            lambda: counts.held_bytes,
        ),
        Figure("visiona_camera_pictures_kept", "Last pictures, kept for snapshots.", lambda: len(kept)),
        Figure("visiona_camera_kept_bytes", "Memory that those take.", lambda: kept.size_bytes),
    )


def device_figures(tunnels: Sequence[LiveTunnel]) -> list[DeviceFigures]:
    """Each live tunnel in numbers."""
    return [
        DeviceFigures(
            device_id=live.device_id,
            connected_at=live.connected_at.timestamp(),
            streams=live.tunnel.stream_count,
            queued_bytes=live.tunnel.queued_bytes,
            rtt_seconds=live.tunnel.rtt_seconds,
        )
        for live in tunnels
    ]
