"""Devices as people handle them. Members of a workspace see and use its devices, admins change them.

Scopes are the routes' business (web/guards.py). What a tunnel reports goes through services/device_timeline.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from visiona.domain import labels
from visiona.domain.access import Actor
from visiona.domain.audit import Deed
from visiona.domain.devices import Device, DeviceEvent, EventKind
from visiona.domain.errors import NotFound
from visiona.domain.ids import DeviceId, EventId, TokenId, WorkspaceId, is_uuid
from visiona.domain.notices import NoticeKind
from visiona.domain.pages import Page, Position, position_of
from visiona.services.audit import note
from visiona.services.minting import mint_id
from visiona.services.paging import all_items, checked_limit, page_of
from visiona.stores.interfaces import Stores, Tx


@dataclass(frozen=True, slots=True)
class Unpaired:
    """What ended with a device."""

    device_id: DeviceId
    workspace_id: WorkspaceId
    session_tokens: tuple[TokenId, ...]


async def list_devices(
    stores: Stores, actor: Actor, *, limit: int | None = None, cursor: str | None = None
) -> Page[Device]:
    """The caller's devices, the newest first; all of them where no limit is given.

    Raises:
        Invalid: the limit or the cursor is none.
    """
    workspaces = tuple(actor.workspaces)

    async def newest(tx: Tx, size: int, before: Position | None) -> list[Device]:
        return await tx.devices.list_in(workspaces, size, before)

    if limit is None:
        return Page(tuple(await all_items(stores, newest, _position)), None)
    size = checked_limit(limit)
    before = position_of(cursor) if cursor is not None else None

    async def page(tx: Tx) -> list[Device]:
        return await newest(tx, size + 1, before)

    return page_of(await stores.read(page), size, _position)


async def devices_named(stores: Stores, actor: Actor, device_ids: Sequence[DeviceId]) -> list[Device]:
    """Those of these devices that are the caller's, in the same order."""

    async def those(tx: Tx) -> list[Device]:
        found = [await tx.devices.get_or_none(device_id) for device_id in device_ids]
        return [device for device in found if device is not None and device.workspace_id in actor.workspaces]

    return await stores.read(those)


async def list_all_devices(stores: Stores) -> list[Device]:
    """Everybody's devices: for the operator."""

    async def newest(tx: Tx, size: int, before: Position | None) -> list[Device]:
        return await tx.devices.list_all(size, before)

    return await all_items(stores, newest, _position)


async def get_device(stores: Stores, actor: Actor, device_id: DeviceId) -> Device:
    """One of the caller's devices; NotFound for anything else."""

    async def look_up(tx: Tx) -> Device:
        return await _visible(tx, actor, device_id)

    return await stores.read(look_up)


async def rename_and_tag(
    stores: Stores,
    actor: Actor,
    device_id: DeviceId,
    now: datetime,
    *,
    name: str | None = None,
    tags: Sequence[str] | None = None,
) -> Device:
    """Changes what is not None and returns the device as it is now.

    Raises:
        Invalid: the name or a tag is none.
        NotFound, NotAllowed: it is not the caller's to see, or not to change.
    """
    new_name = labels.name(name) if name is not None else None
    new_tags = labels.tags(tuple(tags)) if tags is not None else None

    async def change(tx: Tx) -> Device:
        device = await _held(tx, actor, device_id)
        chosen = new_name or device.name
        await tx.devices.set_label(device_id, chosen, new_tags if new_tags is not None else device.tags, now)
        if chosen != device.name:
            event = DeviceEvent(EventId(mint_id(now)), device_id, EventKind.RENAMED, now, detail=chosen)
            await tx.device_events.append(event)
        changed = await _visible(tx, actor, device_id)
        if (changed.name, changed.tags) != (device.name, device.tags):
            await _note_changed(tx, now, device, changed)
        return changed

    return await stores.write(change)


async def unpair(stores: Stores, actor: Actor, device_id: DeviceId, now: datetime) -> Unpaired:
    """Ends a device and everything it can connect with, all or nothing; its tunnel is cut within a second.

    Raises:
        NotFound, NotAllowed: it is not the caller's to see, or not to change.
    """

    async def end(tx: Tx) -> Unpaired:
        return await _end(tx, await _held(tx, actor, device_id), now)

    return await stores.write(end)


async def remove_device(stores: Stores, device_id: DeviceId, now: datetime) -> Unpaired:
    """As `unpair`, for the operator; raises NotFound."""

    async def end(tx: Tx) -> Unpaired:
        return await _end(tx, await _existing(tx, device_id, is_held=True), now)

    return await stores.write(end)


async def get_any_device(stores: Stores, device_id: DeviceId) -> Device:
    """Anybody's device: for the operator; raises NotFound."""

    async def look_up(tx: Tx) -> Device:
        return await _existing(tx, device_id)

    return await stores.read(look_up)


async def device_events(
    stores: Stores, actor: Actor, device_id: DeviceId, *, limit: int = 100, cursor: str | None = None
) -> Page[DeviceEvent]:
    """A device's timeline, the newest first.

    Raises:
        NotFound: it is not the caller's to see.
        Invalid: the limit or the cursor is none.
    """
    size = checked_limit(limit)
    before = position_of(cursor) if cursor is not None else None

    async def page(tx: Tx) -> list[DeviceEvent]:
        await _visible(tx, actor, device_id)
        return await tx.device_events.list_of_device(device_id, size + 1, before)

    return page_of(await stores.read(page), size, _event_position)


async def _held(tx: Tx, actor: Actor, device_id: DeviceId) -> Device:
    """The device, for the caller alone to change until the transaction ends."""
    device = await _visible(tx, actor, device_id, is_held=True)
    actor.need_admin(device.workspace_id)
    return device


async def _visible(tx: Tx, actor: Actor, device_id: DeviceId, *, is_held: bool = False) -> Device:
    # Seen before it is held: who has no business with it keeps nobody waiting.
    for held in (False, True) if is_held else (False,):
        device = await _existing(tx, device_id, is_held=held)
        if device.workspace_id not in actor.workspaces:
            raise NotFound("there is no such device")
    return device


async def _existing(tx: Tx, device_id: DeviceId, *, is_held: bool = False) -> Device:
    look_up = tx.devices.lock_or_none if is_held else tx.devices.get_or_none
    device = await look_up(device_id) if is_uuid(device_id) else None
    if device is None or device.deleted_at is not None:
        raise NotFound("there is no such device")
    return device


async def _note_changed(tx: Tx, now: datetime, before: Device, after: Device) -> None:
    await note(
        tx,
        now,
        Deed.DEVICE_CHANGED,
        workspace_id=after.workspace_id,
        subject=after.id,
        name=after.name if after.name != before.name else None,
        name_before=before.name if after.name != before.name else None,
        tags=", ".join(after.tags) if after.tags != before.tags else None,
    )


async def _end(tx: Tx, device: Device, now: datetime) -> Unpaired:
    await tx.devices.delete(device.id, now)
    # Used up, all of them: only their listing changes, so they are not counted.
    await tx.pairing_tokens.revoke_of_device(device.id, now)
    session_tokens = await tx.session_tokens.revoke_of_device(device.id, now)
    await tx.device_events.append(DeviceEvent(EventId(mint_id(now)), device.id, EventKind.UNPAIRED, now))
    await note(
        tx,
        now,
        Deed.UNPAIRED,
        workspace_id=device.workspace_id,
        subject=device.id,
        name=device.name,
        serial_number=device.serial_number,
        tokens_revoked=len(session_tokens),
    )
    for token_id in session_tokens:
        await tx.notices.append(NoticeKind.SESSION_TOKEN_REVOKED, token_id, now)
    await tx.notices.append(NoticeKind.DEVICE_DELETED, device.id, now)
    return Unpaired(device.id, device.workspace_id, tuple(session_tokens))


def _position(device: Device) -> Position:
    return Position(device.created_at, device.id)


def _event_position(event: DeviceEvent) -> Position:
    return Position(event.at, event.id)
