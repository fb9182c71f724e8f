"""`visiona workspace …`: workspaces, who is in them and what belongs to them, over the API with a token."""

import argparse
from collections.abc import Callable

from visiona.cli.api_client import Api, add_options
from visiona.cli.workspace_asking import (
    Item,
    asked,
    id_of,
    print_all,
    print_one,
    workspace_id_of,
    workspaces_of,
)
from visiona.cli.workspace_people import change_role, invitations, invite, members, remove, withdraw

_ROLES = ("member", "admin", "owner")
_WHICH = "its name or id"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(
        name: str, run: Callable[[argparse.Namespace], int], text: str, *wants: str
    ) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
        for want in wants:
            made.add_argument(want, metavar=want.upper(), help=_WHICH if want == "workspace" else None)
        add_options(made)
        made.set_defaults(run=run)
        return made

    verb("list", show_all, "your workspaces, and what you are in each")
    verb("create", create, "make one; you own it", "name")
    verb("rename", rename, "give it another name", "workspace", "name")
    verb("rm", delete, "delete one that holds no devices and no models", "workspace")
    verb("members", members, "who is in it", "workspace")
    invite_parser = verb(
        "invite", invite, "invite the person of an address; prints the link", "workspace", "email"
    )
    invite_parser.add_argument("--role", choices=_ROLES[:2], default="member", help="what they become")
    invite_parser.add_argument(
        "--language", choices=("en", "zh-TW", "zh-CN"), default="en", help="of the mail"
    )
    verb("invitations", invitations, "invitations that wait, and what became of their mails", "workspace")
    verb("withdraw", withdraw, "take an invitation back", "workspace", "invitation")
    verb(
        "remove",
        remove,
        "take somebody out; what they run over its devices ends at once",
        "workspace",
        "member",
    )
    role_parser = verb("role", change_role, "make a member something else", "workspace", "member")
    role_parser.add_argument("role", choices=_ROLES)
    verb("move-device", move_device, "put a device into another workspace", "device", "workspace")


def show_all(arguments: argparse.Namespace) -> int:
    """Prints the caller's workspaces."""
    found = asked(arguments, workspaces_of)
    rows = [(each["id"], each["name"], each["role"], "yes" if each["personal"] else "") for each in found]
    return print_all(arguments, found, ["id", "name", "your role", "personal"], rows, "no workspaces")


def create(arguments: argparse.Namespace) -> int:
    """Makes one."""
    made = asked(arguments, lambda api: api.ask("POST", "/api/workspaces", {"name": arguments.name}))
    return print_one(arguments, made, f"{made['id']}  {made['name']}")


def rename(arguments: argparse.Namespace) -> int:
    """Renames one."""

    async def ask(api: Api) -> Item:
        path = f"/api/workspaces/{await workspace_id_of(api, arguments.workspace)}"
        renamed: Item = await api.ask("PATCH", path, {"name": arguments.name})
        return renamed

    renamed = asked(arguments, ask)
    return print_one(arguments, renamed, f"it is called {renamed['name']} now")


def delete(arguments: argparse.Namespace) -> int:
    """Deletes an empty one."""

    async def ask(api: Api) -> Item:
        workspace_id = await workspace_id_of(api, arguments.workspace)
        await api.ask("DELETE", f"/api/workspaces/{workspace_id}")
        return {"workspace_id": workspace_id}

    return print_one(arguments, asked(arguments, ask), "the workspace is deleted")


def move_device(arguments: argparse.Namespace) -> int:
    """Moves a device."""

    async def ask(api: Api) -> Item:
        device_id = id_of(arguments.device, "device")
        target = {"workspace_id": await workspace_id_of(api, arguments.workspace)}
        moved: Item = await api.ask("POST", f"/api/devices/{device_id}/transfer", target)
        return moved

    moved = asked(arguments, ask)
    closed = moved["sockets_closed"]
    return print_one(arguments, moved, f"the device is there; ended for who is not: {closed}")
