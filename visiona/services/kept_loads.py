"""Loads on record: begun, carried further by the one server that holds each, taken over from one that is gone, ended.

Each state is written when it is reached, each step of its progress is not. The beginning and the end stand in the audit
log, in the same transaction.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from visiona.domain.access import Actor
from visiona.domain.audit import Deed, Outcome
from visiona.domain.errors import Conflict, NotFound, TooMany
from visiona.domain.ids import DeviceId, LoadId, WorkspaceId
from visiona.domain.loads import (
    LEASE,
    MAX_KEPT_PER_DEVICE,
    MAX_LIVE_PER_DEVICE,
    TAKE_UP_WITHIN,
    Fault,
    KeptLoad,
    Lease,
    Load,
    LoadState,
)
from visiona.domain.models import Model
from visiona.services.afresh import OvertakenError
from visiona.services.audit import note
from visiona.services.devices import get_device
from visiona.services.load_model import Plan
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx

RETRY_SECONDS = 30
"""A load takes that long, or some minutes."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A load that goes on; `is_new` is False where it did before: of the same model to the same accelerator."""

    load: Load
    is_new: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A load that was nobody's and is ours now.

    Attributes:
        model: None where it is not there any more.
        email: whose load it is.
    """

    load: Load
    model: Model | None
    email: str | None


async def begin_load(stores: Stores, plan: Plan, holder: str, now: datetime) -> Begun:
    """Puts a load on record as this server's.

    Raises:
        NotFound: the device was unpaired or moved just now.
        Conflict: another model is on its way to the accelerator.
        TooMany: too many wait for the device.
    """
    load = plan.load

    async def begin(tx: Tx) -> Begun:
        device = await tx.devices.lock_or_none(load.device_id)
        if device is None or device.deleted_at is not None or device.workspace_id != load.workspace_id:
            raise NotFound("there is no such device")
        other = await tx.model_loads.live_or_none(load.device_id, load.accelerator)
        if other is not None:
            return Begun(_joined(other, load), is_new=False)
        if await tx.model_loads.count_live(load.device_id) >= MAX_LIVE_PER_DEVICE:
            raise TooMany(
                "too many loads wait for this device; try again when some are done",
                retry_after_seconds=RETRY_SECONDS,
            )
        await tx.model_loads.add(load, Lease(holder, now + LEASE))
        await tx.model_loads.trim(load.device_id, MAX_KEPT_PER_DEVICE)
        await _note(tx, load, now, Deed.MODEL_LOAD_STARTED, Outcome.OK)
        return Begun(load, is_new=True)

    return await stores.write(begin)


async def save_load(stores: Stores, load: Load, holder: str, until: datetime) -> bool:
    """Writes how far a load is; the end as well. False: it is another server's by now, or was ended there."""

    async def save(tx: Tx) -> bool:
        if load.is_over and load.has_overwritten:
            await tx.model_loads.clear_current(load.device_id, load.accelerator)
        if not await tx.model_loads.save(load, Lease(holder, until)):
            raise OvertakenError
        if load.is_over:
            await _note_end(tx, load, load.updated_at)
        return True

    try:
        return await stores.write(save)
    except OvertakenError:
        return False


async def loads_of_device(stores: Stores, actor: Actor, device_id: DeviceId) -> list[Load]:
    """The newest of each accelerator, and what is on each where that is another one; the newest first.

    Raises:
        NotFound: the device is not the caller's to see.
    """
    device = await get_device(stores, actor, device_id)

    async def look_up(tx: Tx) -> list[Load]:
        found = await tx.model_loads.list_of_device(device.id, MAX_ROWS)
        newest = {load.accelerator: load for load in reversed(found)}
        shown = [load for load in found if load.current_since is not None or newest[load.accelerator] is load]
        # What is being overwritten is there no more.
        written = {load.accelerator for load in found if load.flashing_at is not None and not load.is_over}
        return [replace(load, current_since=None) if load.accelerator in written else load for load in shown]

    return await stores.read(look_up)


async def get_load(stores: Stores, device_id: DeviceId, load_id: LoadId) -> KeptLoad:
    """A load of the device, as it is on record; NotFound for any other."""
    kept = await stores.read(lambda tx: tx.model_loads.get_or_none(load_id))
    if kept is None or kept.load.device_id != device_id:
        raise NotFound("there is no such load")
    return kept


async def free_loads(stores: Stores, now: datetime, limit: int) -> list[KeptLoad]:
    """Those that go on and that nobody carries."""
    return await stores.read(lambda tx: tx.model_loads.free(now, limit))


async def take_load(stores: Stores, load_id: LoadId, holder: str, now: datetime) -> Taken | None:
    """Makes a load ours that is nobody's, or was ours; None where somebody was quicker, or it is over."""

    async def take(tx: Tx) -> Taken | None:
        if not await tx.model_loads.claim(load_id, Lease(holder, now + LEASE), now):
            return None
        kept = await tx.model_loads.get_or_none(load_id)
        if kept is None:
            return None
        model = await tx.models.get_or_none(kept.load.model_id)
        user = await tx.users.get_or_none(kept.load.user_id)
        is_there = model is not None and model.deleted_at is None
        return Taken(kept.load, model if is_there else None, user.email if user is not None else None)

    return await stores.write(take)


async def end_free_load(
    stores: Stores, kept: KeptLoad, holder: str, fault: Fault, sentence: str, now: datetime
) -> bool:
    """Ends a load that nobody carries; False where somebody was quicker, or it is over."""
    if await take_load(stores, kept.load.id, holder, now) is None:
        return False
    return await save_load(stores, kept.load.failed(fault, sentence, now), holder, now)


async def free_all_loads(stores: Stores, now: datetime) -> int:
    """For a server that is alone: nobody else carries any. Says how many went on."""
    return await stores.write(lambda tx: tx.model_loads.free_all(now))


async def stop_elsewhere(stores: Stores, load_id: LoadId, now: datetime) -> bool:
    """Asks the server that carries a load to end it."""
    return await stores.write(lambda tx: tx.model_loads.ask_stop(load_id, now))


def too_old(kept: KeptLoad, now: datetime) -> str | None:
    """Why a load that nobody carries is not to be taken up any more."""
    if now - kept.lease.until <= TAKE_UP_WITHIN:
        return None
    hours = TAKE_UP_WITHIN / timedelta(hours=1)
    return f"the server was away for more than {hours:g} hour; load the model again"


async def why_not_theirs(stores: Stores, load: Load) -> str | None:
    """Why the load may not go on: who began it could not begin it now. None if it may."""

    async def look_up(tx: Tx) -> str | None:
        device = await tx.devices.get_or_none(load.device_id)
        if device is None or device.deleted_at is not None:
            return "the device was unpaired while the model was loaded"
        user = await tx.users.get_or_none(load.user_id)
        if user is None or user.disabled_at is not None:
            return "the account of whoever began the load was disabled"
        if await tx.workspaces.role_or_none(device.workspace_id, load.user_id) is None:
            return "whoever began the load is not in the device's workspace any more"
        if load.token_id is not None:
            token = await tx.access_tokens.get_or_none(load.token_id)
            if token is not None and token.revoked_at is not None:
                return "the access token with which the load was begun was revoked"
        return await _why_not_their_model(tx, load)

    return await stores.read(look_up)


async def _why_not_their_model(tx: Tx, load: Load) -> str | None:
    model = await tx.models.get_or_none(load.model_id)
    # A built-in one is everybody's; what became of a deleted one is seen when its file is opened.
    home: WorkspaceId | None = model.workspace_id if model is not None else None
    if home is not None and await tx.workspaces.role_or_none(home, load.user_id) is None:
        return "whoever began the load is not in the model's workspace any more"
    return None


def _joined(other: Load, load: Load) -> Load:
    if (other.model_id, other.sha256) == (load.model_id, load.sha256):
        return other
    raise Conflict(
        f"{other.model_name} {other.model_version} is on its way to this accelerator; cancel that first",
        details={"load_id": other.id, "state": other.state.value},
    )


async def _note_end(tx: Tx, load: Load, now: datetime) -> None:
    if load.fault is Fault.CANCELLED:
        await _note(tx, load, now, Deed.MODEL_LOAD_CANCELLED, Outcome.OK)
        return
    is_well = load.state is LoadState.ACTIVE
    await _note(tx, load, now, Deed.MODEL_LOAD_ENDED, Outcome.OK if is_well else Outcome.FAILED)


async def _note(tx: Tx, load: Load, now: datetime, deed: Deed, outcome: Outcome) -> None:
    await note(
        tx,
        now,
        deed,
        workspace_id=load.workspace_id,
        subject=load.id,
        outcome=outcome,
        code=load.fault.value if load.fault is not None else None,
        cause=load.sentence,
        model=load.model_id,
        name=load.model_name,
        version=load.model_version,
        device=load.device_id,
        accelerator=load.accelerator,
    )
