"""The verbs of `visiona workspace` about who is in one, and who is asked to."""

import argparse
from collections.abc import Sequence

from visiona.cli.api_client import Api
from visiona.cli.output import CommandError, Exit, print_json, print_note
from visiona.cli.workspace_asking import Item, asked, id_of, print_all, print_one, workspace_id_of
from visiona.domain.ids import is_uuid


def members(arguments: argparse.Namespace) -> int:
    """Prints who is in one."""

    async def ask(api: Api) -> Sequence[Item]:
        return await _members(api, await workspace_id_of(api, arguments.workspace))

    found = asked(arguments, ask)
    columns = ("user_id", "email", "name", "role", "joined_at")
    rows = [[each[name] for name in columns] for each in found]
    return print_all(arguments, found, ["id", "email", "name", "role", "since"], rows, "nobody")


def invite(arguments: argparse.Namespace) -> int:
    """Invites somebody. Only the link is on standard output, so that a script can take it."""

    async def ask(api: Api) -> Item:
        path = f"/api/workspaces/{await workspace_id_of(api, arguments.workspace)}/members"
        wish = {"email": arguments.email, "role": arguments.role, "language": arguments.language}
        made: Item = await api.ask("POST", path, wish)
        return made

    made = asked(arguments, ask)
    if arguments.json:
        print_json(made)
        return Exit.OK
    if made.get("mail") == "queued":
        print_note(f"the link is on its way to {made['email']}; see visiona workspace invitations")
    else:
        print_note(made.get("mail_fault") or "the server sends no mail: hand the link on yourself")
    print_note(f"it is shown once; it works for {made['email']} alone, until {made['expires_at']}")
    print(made["link"])
    return Exit.OK


def invitations(arguments: argparse.Namespace) -> int:
    """Prints what waits."""

    async def ask(api: Api) -> Sequence[Item]:
        workspace_id = await workspace_id_of(api, arguments.workspace)
        found: Sequence[Item] = (await api.ask("GET", f"/api/workspaces/{workspace_id}/invitations"))["items"]
        return found

    found = asked(arguments, ask)
    columns = ("id", "email", "role", "expires_at", "mail", "mail_fault")
    rows = [[each.get(name) for name in columns] for each in found]
    headings = ["id", "email", "role", "until", "mail", "because"]
    return print_all(arguments, found, headings, rows, "no invitation waits")


def withdraw(arguments: argparse.Namespace) -> int:
    """Takes one back."""

    async def ask(api: Api) -> Item:
        workspace_id = await workspace_id_of(api, arguments.workspace)
        invitation_id = id_of(arguments.invitation, "invitation")
        await api.ask("DELETE", f"/api/workspaces/{workspace_id}/invitations/{invitation_id}")
        return {"invitation_id": invitation_id}

    return print_one(arguments, asked(arguments, ask), "the invitation is good for nothing any more")


def remove(arguments: argparse.Namespace) -> int:
    """Takes a member out."""

    async def ask(api: Api) -> Item:
        gone: Item = await api.ask("DELETE", await _member(api, arguments))
        return gone

    gone = asked(arguments, ask)
    closed = gone["sockets_closed"]
    return print_one(
        arguments, gone, f"{arguments.member} is out; ended pictures, streams and sockets: {closed}"
    )


def change_role(arguments: argparse.Namespace) -> int:
    """Makes a member something else."""

    async def ask(api: Api) -> Item:
        changed: Item = await api.ask("PATCH", await _member(api, arguments), {"role": arguments.role})
        return changed

    changed = asked(arguments, ask)
    return print_one(arguments, changed, f"{arguments.member} is {changed['role']} now")


async def _members(api: Api, workspace_id: str) -> Sequence[Item]:
    found: Sequence[Item] = (await api.ask("GET", f"/api/workspaces/{workspace_id}/members"))["items"]
    return found


async def _member(api: Api, arguments: argparse.Namespace) -> str:
    """The path of the member of this id or address."""
    workspace_id = await workspace_id_of(api, arguments.workspace)
    user_id = arguments.member
    if not is_uuid(user_id):
        wanted = user_id.strip().lower()
        found = [each["user_id"] for each in await _members(api, workspace_id) if each["email"] == wanted]
        user_id = found[0] if found else None
    if user_id is None:
        raise CommandError(
            "there is no such member; see visiona workspace members",
            code="NOT_FOUND",
            exit_code=Exit.NOT_FOUND,
        )
    return f"/api/workspaces/{workspace_id}/members/{user_id}"
