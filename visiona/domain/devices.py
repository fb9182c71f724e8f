"""Devices: paired edge units, the accelerators in them, and what happened to them.

Whether a device is online is not here: only the live tunnel knows (relay/registry.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from visiona.domain.causes import Cause
from visiona.domain.ids import DeviceId, EventId, UserId, WorkspaceId

DEFAULT_DEVICE_TYPE = "edge"

MAX_ACCELERATORS = 64
"""A USB tree full of hubs holds fewer; what an agent reports beyond is dropped."""

MAX_EVENTS_PER_DEVICE = 1000
"""A device that flaps must not fill the disk: older events make room."""


class RemoteStatus(Enum):
    """Of the tunnel."""

    ONLINE = "online"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class AcceleratorStatus(Enum):
    """Of an accelerator, as the agent last reported it."""

    DETECTED = "detected"
    CONNECTED = "connected"
    FLASHING = "flashing"
    INFERENCING = "inferencing"
    ERROR = "error"
    UNKNOWN = "unknown"


def accelerator_status(text: str) -> AcceleratorStatus:
    """Reads an agent's word; what we do not know is UNKNOWN, never an error."""
    try:
        return AcceleratorStatus(text.strip().lower())
    except ValueError:
        return AcceleratorStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One accelerator of a device.

    Attributes:
        local_id: the agent's own id for it, unique within the device only.
        chip: KL520, KL720, KL630, KL730 … or what the agent says.
    """

    local_id: str
    name: str
    chip: str
    status: AcceleratorStatus = AcceleratorStatus.UNKNOWN
    firmware_version: str | None = None
    port: str | None = None
    model: str | None = None


# What a person looking at one device wants to know first.
_BY_INTEREST = (
    AcceleratorStatus.ERROR,
    AcceleratorStatus.FLASHING,
    AcceleratorStatus.INFERENCING,
    AcceleratorStatus.CONNECTED,
    AcceleratorStatus.DETECTED,
)


def overall_status(accelerators: Sequence[Accelerator]) -> AcceleratorStatus:
    """One status for a device with any number of accelerators: the most interesting one of theirs."""
    seen = {accelerator.status for accelerator in accelerators}
    return next((status for status in _BY_INTEREST if status in seen), AcceleratorStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Device:
    """A paired edge unit.

    Attributes:
        user_id: who paired it last, and whose disabling disconnects it.
        serial_number: unique in its workspace among devices that are not deleted; None if the agent named none.
        instance: random per installation of the agent; tells clones apart.
        last_seen_at: the end of its last tunnel, or the start of the one that runs.
        offline_cause: why its last tunnel ended; None before the first and while one runs.
        offline_detail: the part after the colon of a cause such as `protocol_error:header`.
    """

    id: DeviceId
    workspace_id: WorkspaceId
    user_id: UserId
    name: str
    device_type: str
    serial_number: str | None
    created_at: datetime
    updated_at: datetime
    agent_version: str | None = None
    instance: str | None = None
    tags: tuple[str, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    last_seen_at: datetime | None = None
    last_connected_at: datetime | None = None
    offline_cause: Cause | None = None
    offline_detail: str | None = None
    deleted_at: datetime | None = None

    @property
    def status(self) -> AcceleratorStatus:
        """Of its accelerators, as last reported."""
        return overall_status(self.accelerators)


class EventKind(Enum):
    """What can happen to a device."""

    PAIRED = "paired"
    PAIRED_AGAIN = "paired_again"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    RENAMED = "renamed"
    MOVED = "moved"
    UNPAIRED = "unpaired"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """One line of a device's timeline.

    Attributes:
        cause: of a DISCONNECTED event.
        detail: a few words for a person, never a secret.
    """

    id: EventId
    device_id: DeviceId
    kind: EventKind
    at: datetime
    cause: Cause | None = None
    detail: str | None = None
