"""Moving a device from one workspace to another: its history and its tokens go along, and its tunnel stays up.

From then on it is the mover's, for whoever paired it need not be where it is now. What those run over it who are not
there is ended; who is in both goes on.
"""

from dataclasses import dataclass
from datetime import datetime

from visiona.domain.access import Actor, Role
from visiona.domain.audit import Deed
from visiona.domain.devices import Device, DeviceEvent, EventKind
from visiona.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from visiona.domain.ids import DeviceId, EventId, WorkspaceId, is_uuid
from visiona.domain.notices import DeviceMove, NoticeKind
from visiona.services.afresh import OvertakenError, write_afresh
from visiona.services.audit import note
from visiona.services.minting import mint_id
from visiona.services.workspaces import held_workspace
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx


@dataclass(frozen=True, slots=True)
class Moved:
    """A device as it is now, where it was, and what the notice of it says."""

    device: Device
    source: WorkspaceId
    move: DeviceMove


async def move_device(
    stores: Stores, actor: Actor, device_id: DeviceId, workspace_id: WorkspaceId, now: datetime
) -> Moved:
    """Puts a device into another of the caller's workspaces.

    Raises:
        NotFound: the device or the workspace is none of the caller's.
        NotAllowed: the caller is no admin in one of the two.
        Invalid: it is there already.
        Conflict: a device of the same serial number is there.
    """
    if not is_uuid(workspace_id):
        raise NotFound("no such workspace")

    async def move(tx: Tx) -> Moved:
        seen = await _seen(tx, actor, device_id)
        if seen.workspace_id == workspace_id:
            raise Invalid("workspace_id: the device is in this workspace")
        await _both_held(tx, actor, seen.workspace_id, workspace_id)
        device = await tx.devices.lock_or_none(device_id)
        if device is None or device.deleted_at is not None or device.workspace_id != seen.workspace_id:
            raise OvertakenError
        await _need_free_serial(tx, device, workspace_id)
        await tx.devices.move(device_id, workspace_id, actor.user_id, now)
        await tx.session_tokens.move_of_device(device_id, workspace_id, actor.user_id)
        there = await tx.workspaces.members(workspace_id, MAX_ROWS)
        told = DeviceMove(device_id, workspace_id, actor.user_id, frozenset(each.user_id for each in there))
        await _tell(tx, device, told, now)
        return Moved(await _seen(tx, actor, device_id), device.workspace_id, told)

    return await write_afresh(stores, move, "serial_number")


async def _seen(tx: Tx, actor: Actor, device_id: DeviceId) -> Device:
    device = await tx.devices.get_or_none(device_id) if is_uuid(device_id) else None
    if device is None or device.deleted_at is not None:
        raise NotFound("there is no such device")
    if await tx.workspaces.role_or_none(device.workspace_id, actor.user_id) is None:
        raise NotFound("there is no such device")
    return device


async def _both_held(tx: Tx, actor: Actor, source: WorkspaceId, target: WorkspaceId) -> None:
    """Both by their ids: nobody waits in a circle. Of the target a stranger learns nothing, whatever else is wrong."""
    roles = {}
    for workspace_id in sorted((source, target)):
        _, roles[workspace_id] = await held_workspace(tx, actor, workspace_id, Role.MEMBER)
    for workspace_id, role in roles.items():
        if not role.is_at_least(Role.ADMIN):
            where = "the device's workspace" if workspace_id == source else "the workspace it is to go to"
            raise NotAllowed(f"only an admin or an owner of {where} may do this")


async def _need_free_serial(tx: Tx, device: Device, workspace_id: WorkspaceId) -> None:
    if device.serial_number is None:
        return
    if await tx.devices.by_serial_or_none(workspace_id, device.serial_number) is not None:
        raise Conflict(
            "the workspace has a device of this serial number; unpair that one, or pair this unit anew there"
        )


async def _tell(tx: Tx, device: Device, move: DeviceMove, now: datetime) -> None:
    source, target = device.workspace_id, move.workspace_id
    # Without a name: those of a third workspace may read it some day.
    await tx.device_events.append(DeviceEvent(EventId(mint_id(now)), device.id, EventKind.MOVED, now))
    # One entry for each: who looks after the one is to see it as well as who looks after the other.
    for workspace_id in (source, target):
        await note(
            tx,
            now,
            Deed.DEVICE_MOVED,
            workspace_id=workspace_id,
            subject=device.id,
            name=device.name,
            moved_from=source,
            moved_to=target,
        )
    await tx.notices.append(NoticeKind.DEVICE_MOVED, move.subject, now)
