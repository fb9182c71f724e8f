"""Devices and their timelines in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from visiona.domain.devices import Accelerator, Device, DeviceEvent
from visiona.domain.ids import DeviceId, UserId, WorkspaceId
from visiona.domain.pages import Position
from visiona.stores.devices import Sighting
from visiona.stores.memory.state import State, need_new


class MemoryDevices:
    """See interfaces.DeviceStore."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._devices = state.devices

    async def add(self, device: Device) -> None:
        self._state.need_workspace(device.workspace_id)
        self._state.need_user(device.user_id)
        if device.serial_number is not None:
            same = await self.by_serial_or_none(device.workspace_id, device.serial_number)
            need_new(same is None, "serial_number")
        self._devices.put(device.id, device)

    async def get_or_none(self, device_id: DeviceId) -> Device | None:
        return self._devices.get(device_id)

    async def lock_or_none(self, device_id: DeviceId) -> Device | None:
        return self._devices.get(device_id)

    async def lock_known(self, device_ids: Sequence[DeviceId]) -> set[DeviceId]:
        return {device_id for device_id in device_ids if device_id in self._devices}

    async def by_serial_or_none(self, workspace_id: WorkspaceId, serial_number: str) -> Device | None:
        wanted = (workspace_id, serial_number)
        live = (device for device in self._devices.rows() if device.deleted_at is None)
        return next((each for each in live if (each.workspace_id, each.serial_number) == wanted), None)

    async def list_in(
        self, workspace_ids: Sequence[WorkspaceId], limit: int, before: Position | None = None
    ) -> list[Device]:
        wanted = set(workspace_ids)
        return _newest((each for each in self._devices.rows() if each.workspace_id in wanted), limit, before)

    async def list_all(self, limit: int, before: Position | None = None) -> list[Device]:
        return _newest(self._devices.rows(), limit, before)

    async def count_in(self, workspace_ids: Sequence[WorkspaceId]) -> int:
        wanted = set(workspace_ids)
        return sum(each.workspace_id in wanted and each.deleted_at is None for each in self._devices.rows())

    async def set_label(self, device_id: DeviceId, name: str, tags: Sequence[str], at: datetime) -> bool:
        device = self._live_or_none(device_id)
        if device is None:
            return False
        self._devices.put(device_id, replace(device, name=name, tags=tuple(tags), updated_at=at))
        return True

    async def set_paired(
        self,
        device_id: DeviceId,
        user_id: UserId,
        at: datetime,
        device_type: str | None,
        agent_version: str | None,
        instance: str | None,
    ) -> bool:
        device = self._live_or_none(device_id)
        if device is None:
            return False
        paired = replace(
            device,
            user_id=user_id,
            updated_at=at,
            device_type=device.device_type if device_type is None else device_type,
            agent_version=device.agent_version if agent_version is None else agent_version,
            instance=device.instance if instance is None else instance,
        )
        self._devices.put(device_id, paired)
        return True

    async def move(
        self, device_id: DeviceId, workspace_id: WorkspaceId, user_id: UserId, at: datetime
    ) -> bool:
        device = self._live_or_none(device_id)
        if device is None:
            return False
        self._state.need_workspace(workspace_id)
        self._state.need_user(user_id)
        if device.serial_number is not None:
            same = await self.by_serial_or_none(workspace_id, device.serial_number)
            need_new(same in {None, device}, "serial_number")
        moved = replace(device, workspace_id=workspace_id, user_id=user_id, updated_at=at)
        self._devices.put(device_id, moved)
        return True

    async def note_sightings(self, sightings: Sequence[Sighting]) -> None:
        for seen in sightings:
            device = self._live_or_none(seen.device_id)
            if device is not None:
                self._devices.put(device.id, _seen(device, seen))

    async def set_accelerators(
        self,
        device_id: DeviceId,
        at: datetime,
        accelerators: Sequence[Accelerator],
        agent_version: str | None,
    ) -> bool:
        device = self._live_or_none(device_id)
        if device is None:
            return False
        version = device.agent_version if agent_version is None else agent_version
        known = replace(device, accelerators=tuple(accelerators), updated_at=at, agent_version=version)
        self._devices.put(device_id, known)
        return True

    async def delete(self, device_id: DeviceId, at: datetime) -> bool:
        device = self._live_or_none(device_id)
        if device is None:
            return False
        self._devices.put(device_id, replace(device, deleted_at=at, updated_at=at))
        return True

    def _live_or_none(self, device_id: DeviceId) -> Device | None:
        device = self._devices.get(device_id)
        return device if device is not None and device.deleted_at is None else None


class MemoryDeviceEvents:
    """See interfaces.DeviceEventStore."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._events = state.device_events

    async def append(self, *events: DeviceEvent) -> None:
        for event in events:
            self._state.need_device(event.device_id)
            self._events.put(event.id, event)

    async def list_of_device(
        self, device_id: DeviceId, limit: int, before: Position | None = None
    ) -> list[DeviceEvent]:
        end = (before.at, before.id) if before is not None else None
        mine = [event for event in self._events.rows() if event.device_id == device_id]
        older = [event for event in mine if end is None or (event.at, event.id) < end]
        return sorted(older, key=lambda event: (event.at, event.id), reverse=True)[:limit]

    async def trim(self, device_ids: Sequence[DeviceId], keep: int) -> None:
        for device_id in device_ids:
            surplus = (await self.list_of_device(device_id, len(self._events)))[keep:]
            self._remove(surplus)

    async def purge(self, before: datetime, limit: int) -> int:
        return self._remove([event for event in self._events.rows() if event.at < before][:limit])

    def _remove(self, gone: list[DeviceEvent]) -> int:
        for event in gone:
            self._events.remove(event.id)
        return len(gone)


def _seen(device: Device, seen: Sighting) -> Device:
    return replace(
        device,
        last_seen_at=seen.at,
        last_connected_at=seen.at if seen.cause is None else device.last_connected_at,
        offline_cause=seen.cause,
        offline_detail=seen.detail,
        agent_version=device.agent_version if seen.agent_version is None else seen.agent_version,
        instance=device.instance if seen.instance is None else seen.instance,
    )


def _newest(devices: Iterable[Device], limit: int, before: Position | None) -> list[Device]:
    end = (before.at, before.id) if before is not None else None
    live = [device for device in devices if device.deleted_at is None]
    older = [device for device in live if end is None or (device.created_at, device.id) < end]
    return sorted(older, key=lambda device: (device.created_at, device.id), reverse=True)[:limit]
