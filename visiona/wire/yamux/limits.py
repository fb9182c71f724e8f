"""The role of an end, and every limit of a session with its reason."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

INITIAL_WINDOW_BYTES: Final = 262_144
"""What each side may send on a new stream before any window update: fixed by the protocol (SPEC, windows)."""

MAX_STREAM_ID: Final = (1 << 31) - 1
"""Go implementations stop near 2³¹; a session is replaced before it gets there."""


class Role(Enum):
    """Which ids an end opens: the client odd ones, the server even ones."""

    CLIENT = 1
    SERVER = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session allows. Each default states why it is what it is."""

    initial_window_bytes: int = INITIAL_WINDOW_BYTES
    """Receive window of a new stream. More than the protocol's 256 KiB is announced together with the SYN or the ACK."""

    max_window_bytes: int = 16 << 20
    """A receive window grows up to here: 400 MB/s at 40 ms, and the same ceiling as in other implementations."""

    receive_budget_bytes: int = 64 << 20
    """Growth beyond the initial windows, for all streams of the tunnel together."""

    max_send_credit_bytes: int = 1 << 30
    """Credit the peer may have given us at one time. Honest peers stay at 16 MiB; the rest is an overflow attempt."""

    max_streams: int = 512
    """Live streams: each may hold one initial window, so that this bounds what a peer can make us hold."""

    max_unacked_streams: int = 128
    """Opened by us, not yet acknowledged: half of the 256 at which Go agents begin to refuse."""

    accept_backlog: int = 256
    """Opened by the peer, not yet accepted by us; beyond it a SYN is answered with RST, as Go does."""

    remote_may_open: bool = False
    """Whether the peer may open streams at all. The relay says no, the agent yes."""

    remote_opens_per_minute: int = 64
    """Refused opens that are bounded nuisance; beyond it the peer is hostile (only where it may not open)."""

    outbox_high_bytes: int = 1 << 20
    """Queued payload at which nobody has room: what a peer that stops reading can cost us."""

    outbox_low_bytes: int = 256 << 10
    """Queued payload at which there is room again; the gap keeps writers from being woken for each frame."""

    stream_queue_bytes: int = 256 << 10
    """Queued payload of one stream: one window of an agent, more cannot leave in one go."""

    frame_bytes: int = 64 << 10
    """Payload of one data frame: longer ones make neighbours wait, shorter ones cost headers."""

    crowded_frame_bytes: int = 16 << 10
    """The same when more than `crowd_streams` have something to send: turns come round sooner."""

    crowd_streams: int = 8
    """How many streams with queued payload make a crowd."""

    control_frames: int = 4096
    """Frames in the control lane (48 KiB) that a peer that does not read can make us queue."""

    queued_ping_replies: int = 32
    """Unsent answers to pings; an honest peer has one ping in flight."""

    idle_frames_per_second: int = 256
    """Frames that change nothing: pings, empty data, empty window updates. Honest peers send one in ten seconds."""

    unknown_frames_per_minute: int = 1000
    """Frames for streams that never were or were forgotten long ago."""

    remembered_streams: int = 1024
    """Finished streams whose late frames are expected and not held against the peer."""

    frame_body_seconds: float = 60.0
    """How long one frame may take from its first byte to its last."""
