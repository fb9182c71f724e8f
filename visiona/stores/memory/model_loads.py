"""Loads in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from visiona.domain.ids import DeviceId, LoadId
from visiona.domain.loads import KeptLoad, Lease, Load
from visiona.stores.memory.state import State, need_new


class MemoryLoads:
    """See loads.LoadStore."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rows = state.model_loads

    async def add(self, load: Load, lease: Lease) -> None:
        need_new(load.id not in self._rows, "load")
        need_new(load.is_over or await self.live_or_none(load.device_id, load.accelerator) is None, "load")
        self._need_no_other(load)
        self._state.need_device(load.device_id)
        self._state.need_model(load.model_id)
        self._state.need_workspace(load.workspace_id)
        self._state.need_user(load.user_id)
        self._rows.put(load.id, KeptLoad(_kept(load), lease))

    async def get_or_none(self, load_id: LoadId) -> KeptLoad | None:
        return self._rows.get(load_id)

    async def live_or_none(self, device_id: DeviceId, accelerator: str) -> Load | None:
        live = (row.load for row in self._live() if row.load.device_id == device_id)
        return next((load for load in live if load.accelerator == accelerator), None)

    async def count_live(self, device_id: DeviceId) -> int:
        return sum(row.load.device_id == device_id for row in self._live())

    async def list_of_device(self, device_id: DeviceId, limit: int) -> list[Load]:
        return self._of_device(device_id)[:limit]

    async def current_of_device(self, device_id: DeviceId, limit: int) -> list[Load]:
        current = [load for load in self._of_device(device_id) if load.current_since is not None]
        return sorted(current, key=lambda load: load.accelerator)[:limit]

    async def save(self, load: Load, lease: Lease) -> bool:
        row = self._rows.get(load.id)
        if row is None or row.load.is_over or row.lease.holder != lease.holder:
            return False
        self._need_no_other(load)
        self._rows.put(load.id, replace(row, load=_kept(load), lease=lease))
        return True

    async def clear_current(self, device_id: DeviceId, accelerator: str) -> None:
        for load in self._of_device(device_id):
            if load.accelerator == accelerator and load.current_since is not None:
                self._put(replace(self._row(load), load=replace(load, current_since=None)))

    async def renew(self, holder: str, load_ids: Sequence[LoadId], until: datetime) -> None:
        for row in self._live():
            if row.lease.holder == holder and row.load.id in load_ids:
                self._put(replace(row, lease=Lease(holder, until)))

    async def held(self, holder: str, limit: int) -> list[KeptLoad]:
        mine = [row for row in self._live() if row.lease.holder == holder]
        return sorted(mine, key=lambda row: row.load.id)[:limit]

    async def free(self, now: datetime, limit: int) -> list[KeptLoad]:
        free = [row for row in self._live() if row.lease.until <= now]
        return sorted(free, key=lambda row: (row.lease.until, row.load.id))[:limit]

    async def claim(self, load_id: LoadId, lease: Lease, now: datetime) -> bool:
        row = self._rows.get(load_id)
        if row is None or row.load.is_over or (row.lease.until > now and row.lease.holder != lease.holder):
            return False
        self._put(replace(row, lease=lease))
        return True

    async def free_all(self, now: datetime) -> int:
        held = [row for row in self._live() if row.lease.until > now]
        for row in held:
            self._put(replace(row, lease=Lease(row.lease.holder, now)))
        return len(held)

    async def ask_stop(self, load_id: LoadId, at: datetime) -> bool:
        row = self._rows.get(load_id)
        if row is None or row.load.is_over:
            return False
        self._put(replace(row, stop_asked_at=at))
        return True

    async def trim(self, device_id: DeviceId, keep: int) -> int:
        over = [load for load in self._of_device(device_id) if load.is_over and load.current_since is None]
        return self._remove(over[keep:])

    async def purge(self, ended_before: datetime, limit: int) -> int:
        over = [row.load for row in self._rows.rows() if row.load.current_since is None]
        old = [load for load in over if load.ended_at is not None and load.ended_at < ended_before]
        return self._remove(old[:limit])

    def _live(self) -> list[KeptLoad]:
        return [row for row in self._rows.rows() if not row.load.is_over]

    def _of_device(self, device_id: DeviceId) -> list[Load]:
        found = [row.load for row in self._rows.rows() if row.load.device_id == device_id]
        return sorted(found, key=lambda load: (load.created_at, load.id), reverse=True)

    def _need_no_other(self, load: Load) -> None:
        others = [one for one in self._of_device(load.device_id) if one.current_since is not None]
        taken = any(one.accelerator == load.accelerator and one.id != load.id for one in others)
        need_new(load.current_since is None or not taken, "load")

    def _row(self, load: Load) -> KeptLoad:
        row = self._rows.get(load.id)
        assert row is not None
        return row

    def _put(self, row: KeptLoad) -> None:
        self._rows.put(row.load.id, row)

    def _remove(self, loads: Sequence[Load]) -> int:
        for load in loads:
            self._rows.remove(load.id)
        return len(loads)


def _kept(load: Load) -> Load:
    """What is not written down: how far the flashing is, and that the device is away, are of the moment."""
    return replace(load, progress=None, is_waiting=False)
