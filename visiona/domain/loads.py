"""Loads: a model on its way from the server to one accelerator of a device, and how far it has come.

Which states there are, and which may follow which, is the table here. A load that goes on is moved by the one server
that holds it (`Lease`), and by no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from visiona.domain.ids import DeviceId, LoadId, ModelId, TokenId, UserId, WorkspaceId

MAX_LIVE_PER_DEVICE = 8
"""They are carried one after the other."""

MAX_KEPT_PER_DEVICE = 50
"""Loads of a device that are over, besides the last one onto each accelerator that went well."""

LEASE = timedelta(seconds=15)
"""So long after its server's last word a load is nobody's. Much more than servers' clocks differ by."""

TAKE_UP_WITHIN = timedelta(hours=1)
"""An accelerator that is written to long after somebody asked for it would surprise them."""


class LoadState(Enum):
    """How far it has come."""

    QUEUED = "queued"
    PUSHING = "pushing"
    FLASHING = "flashing"
    ACTIVE = "active"
    FAILED = "failed"


NEXT: Mapping[LoadState, frozenset[LoadState]] = {
    LoadState.QUEUED: frozenset({LoadState.PUSHING, LoadState.FAILED}),
    LoadState.PUSHING: frozenset({LoadState.FLASHING, LoadState.FAILED}),
    LoadState.FLASHING: frozenset({LoadState.ACTIVE, LoadState.FAILED}),
    LoadState.ACTIVE: frozenset(),
    LoadState.FAILED: frozenset(),
}
"""Which states may follow which."""


class Fault(StrEnum):
    """Why a load failed. For programs: a word never changes."""

    CANCELLED = "CANCELLED"
    CHIP_MISMATCH = "CHIP_MISMATCH"
    DEVICE_BUSY = "DEVICE_BUSY"
    DEVICE_ERROR = "DEVICE_ERROR"
    DEVICE_FULL = "DEVICE_FULL"
    DEVICE_OFFLINE = "DEVICE_OFFLINE"
    DEVICE_TIMEOUT = "DEVICE_TIMEOUT"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    FILE_GONE = "FILE_GONE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    REVOKED = "REVOKED"
    SERVER_STOPPING = "SERVER_STOPPING"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Load:
    """One load, at one moment.

    Attributes:
        user_id: who asked for it.
        workspace_id: the device's.
        accelerator: the agent's own id for it.
        size: of the model's file, in bytes.
        sent_bytes: how much of it is on the device, or on its way there; it may fall after the tunnel was lost.
        progress: of the flashing, in percent, where the device tells.
        is_waiting: the device is away; the load goes on when it is back.
        fault, sentence: of a failed one; the sentence is for a person.
        token_id: the access token with which it was asked for; None where a person did, or the token is not known.
        device_model_id: how the device itself calls the model; None before it has all of it.
        flashing_at: since when the accelerator may hold something else than before; None if that was never begun.
        ended_at: when it was over; None while it goes on.
        current_since: since when this is what the accelerator holds, as far as is known here; None if it is not.
    """

    id: LoadId
    model_id: ModelId
    model_name: str
    model_version: str
    device_id: DeviceId
    accelerator: str
    chip: str
    workspace_id: WorkspaceId
    user_id: UserId
    sha256: str
    size: int
    created_at: datetime
    updated_at: datetime
    state: LoadState = LoadState.QUEUED
    sent_bytes: int = 0
    progress: int | None = None
    is_waiting: bool = False
    fault: Fault | None = None
    sentence: str | None = None
    token_id: TokenId | None = None
    device_model_id: str | None = None
    flashing_at: datetime | None = None
    ended_at: datetime | None = None
    current_since: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing of it goes on."""
        return not NEXT[self.state]

    def moved(self, state: LoadState, at: datetime) -> "Load":
        """In its next state; ValueError where that one cannot follow."""
        if state not in NEXT[self.state]:
            raise ValueError(f"a load that is {self.state.value} does not become {state.value}")
        return replace(
            self,
            state=state,
            updated_at=at,
            is_waiting=False,
            progress=None,
            flashing_at=at if state is LoadState.FLASHING else self.flashing_at,
            ended_at=at if not NEXT[state] else None,
            current_since=at if state is LoadState.ACTIVE else None,
        )

    def failed(self, fault: Fault, sentence: str, at: datetime) -> "Load":
        """It ends without success."""
        return replace(self.moved(LoadState.FAILED, at), fault=fault, sentence=sentence)

    def waiting(self) -> "Load":
        """It, while its device is away."""
        return replace(self, is_waiting=True)

    @property
    def has_overwritten(self) -> bool:
        """Whether, with its end, what was on the accelerator before is there no more, or is not known to be.

        A device that was busy has not begun.
        """
        return self.flashing_at is not None and self.fault is not Fault.DEVICE_BUSY


@dataclass(frozen=True, slots=True)
class Lease:
    """Which server carries a load, and until when that holds without another word of it.

    Attributes:
        holder: the server's own name for this run of it; a server that was started again is another one.
    """

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class KeptLoad:
    """A load as it is on record.

    Attributes:
        stop_asked_at: since when somebody wants its holder to end it.
    """

    load: Load
    lease: Lease
    stop_asked_at: datetime | None = None
