"""Loads: a model on its way from the server to one accelerator of a device, and how far it has come.

Which states there are, and which may follow which, is the table here; who moves a load is relay/model_loads.py alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, StrEnum

from visiona.domain.ids import DeviceId, LoadId, ModelId, UserId, WorkspaceId


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
    DEVICE_OFFLINE = "DEVICE_OFFLINE"
    DEVICE_TIMEOUT = "DEVICE_TIMEOUT"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    FILE_GONE = "FILE_GONE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
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

    @property
    def is_over(self) -> bool:
        """Whether nothing of it goes on."""
        return not NEXT[self.state]

    def moved(self, state: LoadState, at: datetime) -> "Load":
        """In its next state; ValueError where that one cannot follow."""
        if state not in NEXT[self.state]:
            raise ValueError(f"a load that is {self.state.value} does not become {state.value}")
        return replace(self, state=state, updated_at=at, is_waiting=False, progress=None)

    def failed(self, fault: Fault, sentence: str, at: datetime) -> "Load":
        """It ends without success."""
        return replace(self.moved(LoadState.FAILED, at), fault=fault, sentence=sentence)
