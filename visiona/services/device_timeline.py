"""What tunnels report about devices: they came up, they ended and why, what the agent says it has.

A report is a value, and any number of reports is one transaction: when a thousand agents come back at once, the
relay writes them in batches. A report about a device that is gone changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from visiona.domain.causes import Cause
from visiona.domain.devices import (
    MAX_ACCELERATORS,
    MAX_EVENTS_PER_DEVICE,
    Accelerator,
    DeviceEvent,
    EventKind,
)
from visiona.domain.ids import DeviceId, EventId
from visiona.domain.labels import label, label_or_none
from visiona.services.minting import mint_id
from visiona.stores.devices import Sighting
from visiona.stores.interfaces import Stores, Tx


@dataclass(frozen=True, slots=True)
class Connected:
    """A tunnel came up. A version or instance of None leaves what is on record."""

    device_id: DeviceId
    at: datetime
    agent_version: str | None = None
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A tunnel ended. After REPLACED the device is still there: only its timeline says so."""

    device_id: DeviceId
    at: datetime
    cause: Cause
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Alarmed:
    """Something a person should look at, such as two agents that fight over one token."""

    device_id: DeviceId
    at: datetime
    detail: str


Report = Connected | Disconnected | Alarmed


async def record(stores: Stores, reports: Sequence[Report]) -> None:
    """Writes reports in their order, in one transaction; raises StoreUnavailable, and then none is written."""

    async def write(tx: Tx) -> None:
        # Few questions however many reports there are: on a database elsewhere each one takes its time.
        known = await tx.devices.lock_known(sorted({report.device_id for report in reports}))
        told = [report for report in reports if report.device_id in known]
        await tx.devices.note_sightings([seen for report in told if (seen := _sighting_or_none(report))])
        await tx.device_events.append(*map(_event, told))
        await tx.device_events.trim(sorted(known), MAX_EVENTS_PER_DEVICE)

    if reports:
        await stores.write(write)


async def record_connected(
    stores: Stores,
    device_id: DeviceId,
    at: datetime,
    *,
    agent_version: str | None = None,
    instance: str | None = None,
) -> None:
    """One tunnel came up."""
    await record(stores, [Connected(device_id, at, agent_version, instance)])


async def record_disconnected(
    stores: Stores, device_id: DeviceId, at: datetime, cause: Cause, detail: str | None = None
) -> None:
    """One tunnel ended."""
    await record(stores, [Disconnected(device_id, at, cause, detail)])


async def record_inventory(
    stores: Stores,
    device_id: DeviceId,
    accelerators: Sequence[Accelerator],
    at: datetime,
    *,
    agent_version: str | None = None,
) -> bool:
    """Keeps what the agent says it has, in place of what it said before; False if the device is gone."""
    kept = tuple(_readable(accelerator) for accelerator in accelerators[:MAX_ACCELERATORS])
    version = label_or_none(agent_version, 64)

    async def replace(tx: Tx) -> bool:
        return await tx.devices.set_accelerators(device_id, at, kept, version)

    return await stores.write(replace)


def _sighting_or_none(report: Report) -> Sighting | None:
    """What changes on the device's own record."""
    match report:
        case Connected(device_id, at, version, instance):
            version, instance = label_or_none(version, 64), label_or_none(instance, 128)
            return Sighting(device_id, at, agent_version=version, instance=instance)
        case Disconnected(device_id, at, cause, detail) if cause is not Cause.REPLACED:
            return Sighting(device_id, at, cause, label_or_none(detail))
    return None


def _event(report: Report) -> DeviceEvent:
    """What its timeline says."""
    event_id = EventId(mint_id(report.at))
    match report:
        case Connected(device_id, at, version):
            return DeviceEvent(
                event_id, device_id, EventKind.CONNECTED, at, detail=label_or_none(version, 64)
            )
        case Disconnected(device_id, at, cause, detail):
            return DeviceEvent(event_id, device_id, EventKind.DISCONNECTED, at, cause, label_or_none(detail))
        case Alarmed(device_id, at, detail):
            return DeviceEvent(event_id, device_id, EventKind.ALARM, at, detail=label(detail))


def _readable(accelerator: Accelerator) -> Accelerator:
    """The accelerator with its texts fit to be kept and shown: they are the agent's words."""
    return Accelerator(
        local_id=label(accelerator.local_id, 128),
        name=label(accelerator.name),
        chip=label(accelerator.chip, 64),
        status=accelerator.status,
        firmware_version=label_or_none(accelerator.firmware_version, 64),
        port=label_or_none(accelerator.port, 128),
        model=label_or_none(accelerator.model, 128),
    )
