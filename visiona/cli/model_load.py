"""`visiona model load|loads`: onto an accelerator of a device, and what is on which; over the API with a token."""

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import trio

from visiona.cli.api_client import Api, add_options, open_api
from visiona.cli.load_watch import Item, Shown, Watch, unless_interrupted, wants_end
from visiona.cli.output import CommandError, Exit, print_json, print_table

AT_ONE_TIME = 8
"""Devices that are asked after together."""


def configure_load(parser: argparse.ArgumentParser) -> None:
    """`visiona model load`."""
    parser.add_argument("model", metavar="MODEL", help="its id, or its name if that is one model's")
    parser.add_argument("device", metavar="DEVICE", help="its id, or its name if that is one device's")
    parser.add_argument(
        "--accelerator", metavar="N", help="its id, such as kl720-0; not needed where one alone fits"
    )
    add_options(parser)
    parser.set_defaults(run=load)


def configure_loads(parser: argparse.ArgumentParser) -> None:
    """`visiona model loads`."""
    parser.add_argument("--device", metavar="D", help="this one alone, by its id or name")
    add_options(parser)
    parser.set_defaults(run=loads)


def load(arguments: argparse.Namespace) -> int:
    """Loads a model and follows it to its end; Ctrl-C asks whether it is to end."""
    ended = trio.run(_load, arguments)
    if arguments.json:
        print_json(ended)
    if ended["state"] == "failed":
        raise CommandError(str(ended["message"]), code=str(ended["code"]))
    if not arguments.json:
        name = f"{ended['model_name']} {ended['model_version']}"
        print(f"{name} is on {ended['accelerator']} ({ended['chip']})")
    return Exit.OK


def loads(arguments: argparse.Namespace) -> int:
    """Prints the last load of each accelerator, and what is on each."""
    found = trio.run(_loads, arguments)
    if arguments.json:
        print_json([each for _, each in found])
        return Exit.OK
    rows = [
        (
            device["name"],
            each["accelerator"],
            f"{each['model_name']} {each['model_version']}",
            "yes" if each["current"] else None,
            each["state"],
            _how_far(each),
            datetime.fromisoformat(each["updated_at"]),
            each["id"],
        )
        for device, each in found
    ]
    headings = ["device", "accelerator", "model", "on it", "state", "sent", "at", "load"]
    print_table(headings, rows, "nothing was loaded yet")
    return Exit.OK


async def _load(arguments: argparse.Namespace) -> Item:
    async with open_api(arguments.server, arguments.token_file) as api:
        model = _one(await api.ask("GET", "/api/models"), arguments.model, "model")
        device = _one(await api.ask("GET", "/api/devices"), arguments.device, "device")
        watch, shown = Watch(api, model["id"], device["id"], arguments.accelerator), Shown()

        async def follow() -> None:
            await watch.to_the_end(shown.show, shown.note)

        try:
            is_over = await unless_interrupted(follow)
        finally:
            shown.end()
        if not is_over:
            await _interrupted(watch)
        assert watch.load is not None
        return watch.load


async def _interrupted(watch: Watch) -> None:
    """Leaves, one way or the other."""
    if watch.load is None:
        raise CommandError(
            "interrupted; whether the load has begun is shown by visiona model loads", code="INTERRUPTED"
        )
    # Left alone by a second Ctrl-C, which ends the program.
    if await trio.to_thread.run_sync(wants_end, abandon_on_cancel=True):
        await watch.cancel()
        raise CommandError("the load was cancelled", code="CANCELLED")
    raise CommandError("interrupted; the load goes on: see visiona model loads", code="INTERRUPTED")


async def _loads(arguments: argparse.Namespace) -> list[tuple[Item, Item]]:
    async with open_api(arguments.server, arguments.token_file) as api:
        devices: Sequence[Item] = await api.ask("GET", "/api/devices")
        if arguments.device is not None:
            devices = [_one(devices, arguments.device, "device")]
        found: dict[str, Sequence[Item]] = {}
        gone: list[CommandError] = []
        turns = trio.Semaphore(AT_ONE_TIME)
        async with trio.open_nursery() as nursery:
            for device in devices:
                nursery.start_soon(_loads_of, api, device["id"], turns, found, gone)
        if gone:
            raise gone[0]
    return [(device, each) for device in devices for each in found.get(device["id"], ())]


async def _loads_of(
    api: Api,
    device_id: str,
    turns: trio.Semaphore,
    found: dict[str, Sequence[Item]],
    gone: list[CommandError],
) -> None:
    async with turns:
        try:
            found[device_id] = await api.ask("GET", f"/api/devices/{quote(device_id, safe='')}/loads")
        except CommandError as error:
            if error.exit_code is not Exit.NOT_FOUND:  # unpaired just now
                gone.append(error)


def _one(items: Sequence[Item], wanted: str, what: str) -> Mapping[str, Any]:
    """The one of this id, or of this name; of a model also `name version`.

    Raises:
        CommandError: there is none, or there are several.
    """
    found = [each for each in items if each["id"] == wanted] or [
        each for each in items if wanted in {each["name"], f"{each['name']} {each.get('version')}"}
    ]
    if not found:
        raise CommandError(
            f"there is no {what} {wanted!r} that you can see; see visiona {what} list",
            code="NOT_FOUND",
            exit_code=Exit.NOT_FOUND,
        )
    if len(found) > 1:
        ids = ", ".join(f"{each['id']} ({each.get('version') or each['name']})" for each in found)
        raise CommandError(
            f"several are called {wanted!r}: {ids}; say which by its id", code="USAGE", exit_code=Exit.USAGE
        )
    return found[0]


def _how_far(each: Item) -> str | None:
    if each["state"] == "failed":
        return str(each["code"])
    if each["state"] == "flashing":
        return f"{each.get('progress', 0)} %"
    return f"{each['sent_bytes'] / each['total_bytes']:.0%}" if each["total_bytes"] else None
