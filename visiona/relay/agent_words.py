"""What agents say about themselves, in camelCase JSON and as they please, read into our nouns.

Pure and tolerant: whatever is missing or of another shape is left out, and nothing an agent writes raises. How the
texts may be shown is decided where they are kept (services/device_timeline.py).
"""

import json
from collections.abc import Mapping, Sequence

from visiona.domain.devices import MAX_ACCELERATORS, Accelerator, accelerator_status

Json = Mapping[str, object]

MAX_TEXT_CHARACTERS = 256


def parse_json(body: bytes) -> object:
    """The value, or None for what is none."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value


def agent_version(info: object) -> str | None:
    """From the answer of `GET /api/system/info`."""
    fields = _payload(info)
    return _text(fields, "agentVersion", "version", "appVersion") if isinstance(fields, Mapping) else None


def accelerators(devices: object) -> tuple[Accelerator, ...] | None:
    """From the answer of `GET /api/devices` or of a scan; None where it holds no list."""
    items = _payload(devices)
    if isinstance(items, Mapping):
        items = items.get("devices")
    if not isinstance(items, Sequence) or isinstance(items, str):
        return None
    found = (_accelerator(item) for item in items[:MAX_ACCELERATORS])
    return tuple(one for one in found if one is not None)


def _payload(value: object) -> object:
    """What the envelope holds; the value itself where there is none."""
    if isinstance(value, Mapping) and "data" in value:
        inner: object = value["data"]
        return inner
    return value


def _accelerator(item: object) -> Accelerator | None:
    if not isinstance(item, Mapping):
        return None
    local_id = _text(item, "id", "deviceId", "localId")
    if local_id is None:
        return None
    chip = _text(item, "chip", "type", "chipType", "productName") or ""
    return Accelerator(
        local_id=local_id,
        name=_text(item, "name", "displayName") or local_id,
        chip=chip.upper().removeprefix("KNERON_"),
        status=accelerator_status(_text(item, "status", "state") or ""),
        firmware_version=_text(item, "firmwareVersion", "firmware", "fwVersion"),
        port=_text(item, "port", "portId", "usbPort"),
        model=_text(item, "flashedModel", "loadedModel", "model", "modelName"),
    )


def _text(fields: Json, *names: str) -> str | None:
    """The first of these that is a text, or a number, and not empty."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, bool):
            continue
        if isinstance(value, (str, int)) and (text := str(value)[:MAX_TEXT_CHARACTERS]):
            return text
    return None
