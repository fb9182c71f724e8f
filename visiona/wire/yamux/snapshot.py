"""What a session looks like at one moment, for those who watch."""

from dataclasses import dataclass

from visiona.wire.yamux.outbox import Outbox
from visiona.wire.yamux.pings import Pings
from visiona.wire.yamux.table import StreamTable


@dataclass(frozen=True, slots=True)
class Statistics:
    """A session at one moment."""

    streams: int
    unacked_streams: int
    unaccepted_streams: int
    remembered_streams: int
    ids_left: int
    queued_bytes: int
    control_frames: int
    granted_bytes: int
    """What the peer may still send, or has sent and nobody consumed."""
    grown_bytes: int
    """How much of that is growth beyond the initial windows, as counted against the budgets."""
    rtt_seconds: float | None


def statistics_of(table: StreamTable, outbox: Outbox, pings: Pings) -> Statistics:
    """Looks at the parts of a session."""
    return Statistics(
        streams=len(table.streams),
        unacked_streams=table.unacked,
        unaccepted_streams=table.unaccepted,
        remembered_streams=len(table.strays),
        ids_left=table.ids_left,
        queued_bytes=outbox.queued_bytes,
        control_frames=outbox.control_frames + outbox.ping_replies,
        granted_bytes=table.granted_bytes,
        grown_bytes=table.grown_bytes,
        rtt_seconds=pings.rtt_seconds,
    )
