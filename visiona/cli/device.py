"""`visiona device list|show|rm`.

Whether a device is connected is known to the running server alone, so it is not shown here; when it was last seen is.
"""

import argparse

from visiona.cli.output import Exit, moment, print_facts, print_json, print_table
from visiona.cli.stores import with_stores
from visiona.domain.devices import Device
from visiona.domain.errors import NotFound
from visiona.domain.ids import DeviceId, is_uuid
from visiona.services.clock import now
from visiona.services.devices import Unpaired, get_any_device, list_all_devices, remove_device
from visiona.stores.interfaces import Stores


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="list|show|rm")
    verbs.add_parser("list", help="every device").set_defaults(run=show_all)
    show_parser = verbs.add_parser("show", help="one device")
    show_parser.add_argument("id", metavar="ID")
    show_parser.set_defaults(run=show)
    remove_parser = verbs.add_parser("rm", help="unpair a device: its tokens end and its tunnel closes")
    remove_parser.add_argument("id", metavar="ID")
    remove_parser.set_defaults(run=remove)


def show_all(arguments: argparse.Namespace) -> int:
    """Prints every device."""
    devices = with_stores(arguments, list_all_devices)
    if arguments.json:
        print_json([_shown(device) for device in devices])
        return Exit.OK
    rows = [
        (
            device.id,
            device.name,
            device.device_type,
            device.serial_number,
            device.last_seen_at,
            _cause(device),
        )
        for device in devices
    ]
    print_table(["id", "name", "type", "serial", "last seen", "went because"], rows, "no devices yet")
    return Exit.OK


def show(arguments: argparse.Namespace) -> int:
    """Prints one device."""

    async def operation(stores: Stores) -> Device:
        return await get_any_device(stores, _id(arguments.id))

    device = with_stores(arguments, operation)
    if arguments.json:
        print_json(_shown(device))
        return Exit.OK
    facts = {
        "id": device.id,
        "name": device.name,
        "type": device.device_type,
        "serial": device.serial_number,
        "agent": device.agent_version,
        "accelerators": [f"{a.name} ({a.chip}, {a.status.value})" for a in device.accelerators],
        "tags": device.tags,
        "paired": device.created_at,
        "last connected": device.last_connected_at,
        "last seen": device.last_seen_at,
        "went because": _cause(device),
        "workspace": device.workspace_id,
    }
    print_facts(facts)
    return Exit.OK


def remove(arguments: argparse.Namespace) -> int:
    """Ends a device; a running server cuts its tunnel within a second."""

    async def operation(stores: Stores) -> Unpaired:
        return await remove_device(stores, _id(arguments.id), now())

    ended = with_stores(arguments, operation)
    count = len(ended.session_tokens)
    if arguments.json:
        print_json({"device_id": ended.device_id, "tokens_revoked": count})
    else:
        print(f"the device is unpaired; tokens revoked: {count}")
    return Exit.OK


def _id(text: str) -> DeviceId:
    if not is_uuid(text):
        raise NotFound("there is no such device; see visiona device list")
    return DeviceId(text)


def _cause(device: Device) -> str | None:
    return device.offline_cause.value if device.offline_cause is not None else None


def _shown(device: Device) -> dict[str, object]:
    return {
        "id": device.id,
        "name": device.name,
        "device_type": device.device_type,
        "serial_number": device.serial_number,
        "agent_version": device.agent_version,
        "accelerators": [
            {"id": a.local_id, "name": a.name, "chip": a.chip, "status": a.status.value}
            for a in device.accelerators
        ],
        "tags": list(device.tags),
        "created_at": moment(device.created_at),
        "last_connected_at": moment(device.last_connected_at),
        "last_seen_at": moment(device.last_seen_at),
        "offline_cause": _cause(device),
        "workspace_id": device.workspace_id,
    }
