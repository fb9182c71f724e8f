"""What the stores of devices and of their timelines promise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from visiona.domain.causes import Cause
from visiona.domain.devices import Accelerator, Device, DeviceEvent
from visiona.domain.ids import DeviceId, UserId, WorkspaceId
from visiona.domain.pages import Position


@dataclass(frozen=True, slots=True)
class Sighting:
    """A tunnel of a device came up, or ended.

    Attributes:
        cause: why it ended; None if it came up.
        agent_version: None leaves what is on record, as does an instance of None.
    """

    device_id: DeviceId
    at: datetime
    cause: Cause | None = None
    detail: str | None = None
    agent_version: str | None = None
    instance: str | None = None


class DeviceStore(Protocol):
    """Devices. Soft-deleted ones are found by nothing but `get_or_none`."""

    async def add(self, device: Device) -> None:
        """Raises StoreConflict(about="serial_number") if a device of the workspace, not deleted, has it."""
        ...

    async def get_or_none(self, device_id: DeviceId) -> Device | None:
        """Also a deleted one; see its `deleted_at`."""
        ...

    async def lock_or_none(self, device_id: DeviceId) -> Device | None:
        """As `get_or_none`, held until this transaction ends."""
        ...

    async def lock_known(self, device_ids: Sequence[DeviceId]) -> set[DeviceId]:
        """Which of them there are, deleted ones too; those are held until this transaction ends."""
        ...

    async def by_serial_or_none(self, workspace_id: WorkspaceId, serial_number: str) -> Device | None: ...

    async def list_in(
        self, workspace_ids: Sequence[WorkspaceId], limit: int, before: Position | None = None
    ) -> list[Device]:
        """Those of the workspaces; with `before`, those older than that position."""
        ...

    async def list_all(self, limit: int, before: Position | None = None) -> list[Device]:
        """Everybody's, for the operator."""
        ...

    async def count_in(self, workspace_ids: Sequence[WorkspaceId]) -> int: ...

    async def set_label(self, device_id: DeviceId, name: str, tags: Sequence[str], at: datetime) -> bool: ...

    async def set_paired(
        self,
        device_id: DeviceId,
        user_id: UserId,
        at: datetime,
        device_type: str | None,
        agent_version: str | None,
        instance: str | None,
    ) -> bool:
        """It was paired again; what is None stays as it was."""
        ...

    async def move(
        self, device_id: DeviceId, workspace_id: WorkspaceId, user_id: UserId, at: datetime
    ) -> bool:
        """It belongs there, and to this user. Raises StoreConflict(about="serial_number" | "reference")."""
        ...

    async def note_sightings(self, sightings: Sequence[Sighting]) -> None:
        """Their tunnels came up and ended, in this order. Which of two tunnels is the later one is for the caller to
        know, not for the clock. What is said of a device that is not there changes nothing.
        """
        ...

    async def set_accelerators(
        self,
        device_id: DeviceId,
        at: datetime,
        accelerators: Sequence[Accelerator],
        agent_version: str | None,
    ) -> bool:
        """What the agent says it has now, whole; a version of None stays as it was."""
        ...

    async def delete(self, device_id: DeviceId, at: datetime) -> bool:
        """Soft; False if it was deleted already or there is none."""
        ...


class DeviceEventStore(Protocol):
    """Timelines of devices."""

    async def append(self, *events: DeviceEvent) -> None: ...

    async def list_of_device(
        self, device_id: DeviceId, limit: int, before: Position | None = None
    ) -> list[DeviceEvent]: ...

    async def trim(self, device_ids: Sequence[DeviceId], keep: int) -> None:
        """Forgets all but the newest `keep` of each."""
        ...

    async def purge(self, before: datetime, limit: int) -> int:
        """Forgets those of before, of any device; says how many."""
        ...
