"""Loading a model onto a device: who may, and whether it fits.

Whether a model fits is decided here, before a byte of it is sent (M-06). What is kept of a load is services/kept_loads.py,
how the model gets there relay/model_loads.py.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from visiona.domain.access import Actor, Via
from visiona.domain.devices import Accelerator, Device
from visiona.domain.errors import Conflict
from visiona.domain.ids import DeviceId, LoadId, ModelId, TokenId
from visiona.domain.loads import Load
from visiona.domain.models import Model, ModelStatus
from visiona.services.devices import get_device
from visiona.services.minting import mint_id
from visiona.services.models import get_model
from visiona.stores.interfaces import Stores


class Plan(NamedTuple):
    """A load that may begin."""

    load: Load
    model: Model


async def plan_load(
    stores: Stores,
    actor: Actor,
    model_id: ModelId,
    device_id: DeviceId,
    accelerator: str | None,
    now: datetime,
) -> Plan:
    """What would be loaded, and onto what.

    Args:
        accelerator: the agent's own id of it; None chooses the only one for which the model was made.

    Raises:
        NotFound: the model or the device is not the caller's to see.
        Conflict: the file is not there yet, the accelerator is not there, its chip is another one, or several fit.
    """
    model = await get_model(stores, actor, model_id)
    device = await get_device(stores, actor, device_id)
    if model.status is not ModelStatus.READY:
        raise Conflict("the file of this model has not been uploaded yet")
    chosen = _chosen(model, device.accelerators, accelerator)
    return Plan(_load(actor, model, device, chosen, now), model)


def _load(actor: Actor, model: Model, device: Device, chosen: Accelerator, now: datetime) -> Load:
    return Load(
        id=LoadId(mint_id(now)),
        model_id=model.id,
        model_name=model.name,
        model_version=model.version,
        device_id=device.id,
        accelerator=chosen.local_id,
        chip=chosen.chip,
        workspace_id=device.workspace_id,
        user_id=actor.user_id,
        token_id=TokenId(actor.credential_id) if actor.via is Via.TOKEN else None,
        sha256=model.sha256,
        size=model.file_size,
        created_at=now,
        updated_at=now,
    )


def _chosen(model: Model, there: Sequence[Accelerator], wanted: str | None) -> Accelerator:
    if not there:
        raise _unfit("the device has told of no accelerator; scan it, then try again", model, there)
    named = [one for one in there if wanted in {None, one.local_id}]
    fitting = [one for one in named if fits(model, one)]
    if not named:
        raise _unfit(f"the device has no accelerator {wanted!r}; it has {_listed(there)}", model, there)
    if not fitting:
        chips = ", ".join(model.target_chips)
        raise _unfit(f"the model is made for {chips}; this is {_listed(named)}", model, there)
    if len(fitting) > 1:
        raise _unfit(f"several accelerators fit: {_listed(fitting)}; say which", model, there)
    return fitting[0]


def fits(model: Model, accelerator: Accelerator) -> bool:
    """Whether the model was made for its chip."""
    return accelerator.chip.strip().upper() in model.target_chips


def _listed(accelerators: Sequence[Accelerator]) -> str:
    return ", ".join(f"{one.local_id} ({one.chip or 'unknown'})" for one in accelerators)


def _unfit(message: str, model: Model, there: Sequence[Accelerator]) -> Conflict:
    return Conflict(
        message,
        details={
            "accelerators": [f"{one.local_id} ({one.chip or 'unknown'})" for one in there],
            "target_chips": list(model.target_chips),
        },
    )
