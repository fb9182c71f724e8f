"""What the store of loads promises; see interfaces.py for what all promise.

Whoever adds one holds its device. One that goes on is changed by its holder alone: every change says who makes it, and
False says that the load is another's by now, or over.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from visiona.domain.ids import DeviceId, LoadId
from visiona.domain.loads import KeptLoad, Lease, Load


class LoadStore(Protocol):
    """Loads of models onto accelerators."""

    async def add(self, load: Load, lease: Lease) -> None:
        """Raises StoreConflict(about="load") where one goes on for the accelerator, or the id is known.

        (about="reference") for an unknown device, model, workspace or user.
        """
        ...

    async def get_or_none(self, load_id: LoadId) -> KeptLoad | None: ...

    async def live_or_none(self, device_id: DeviceId, accelerator: str) -> Load | None:
        """The one that goes on for the accelerator."""
        ...

    async def count_live(self, device_id: DeviceId) -> int:
        """How many go on for the device."""
        ...

    async def list_of_device(self, device_id: DeviceId, limit: int) -> list[Load]:
        """Those that are kept, also those that go on."""
        ...

    async def current_of_device(self, device_id: DeviceId, limit: int) -> list[Load]:
        """What is on each accelerator of the device, by the accelerators' names."""
        ...

    async def save(self, load: Load, lease: Lease) -> bool:
        """Writes how far it is, and the lease, if it goes on and is this holder's.

        Raises StoreConflict(about="load") where another one is on the accelerator: see `clear_current`.
        """
        ...

    async def clear_current(self, device_id: DeviceId, accelerator: str) -> None:
        """What is on the accelerator is not known any more."""
        ...

    async def renew(self, holder: str, load_ids: Sequence[LoadId], until: datetime) -> None:
        """Prolongs the leases of those that are still this holder's."""
        ...

    async def held(self, holder: str, limit: int) -> list[KeptLoad]:
        """Those that go on and are this holder's, by their ids."""
        ...

    async def free(self, now: datetime, limit: int) -> list[KeptLoad]:
        """Those that go on and are nobody's, the longest so first; their leases say whose they were."""
        ...

    async def claim(self, load_id: LoadId, lease: Lease, now: datetime) -> bool:
        """True for exactly one caller: it goes on, was nobody's or this holder's, and is this holder's now."""
        ...

    async def free_all(self, now: datetime) -> int:
        """Makes every one that goes on nobody's: for a server that knows itself to be alone. Says how many."""
        ...

    async def ask_stop(self, load_id: LoadId, at: datetime) -> bool:
        """Asks its holder to end it; False if it is over, or there is none."""
        ...

    async def trim(self, device_id: DeviceId, keep: int) -> int:
        """Forgets those of the device that are over and on no accelerator, but the newest; says how many."""
        ...

    async def purge(self, ended_before: datetime, limit: int) -> int:
        """Forgets those that ended before and are on no accelerator; says how many."""
        ...
