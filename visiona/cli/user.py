"""`visiona user add|list|disable|enable|passwd|link`."""

import argparse
import getpass
import sys
from functools import partial

from visiona.cli import user_link
from visiona.cli.output import CommandError, Exit, moment, print_facts, print_json, print_note, print_table
from visiona.cli.stores import with_stores
from visiona.domain.users import User
from visiona.services.clock import now
from visiona.services.passwords import MAX_PASSWORD_BYTES, hash_password
from visiona.services.users import (
    Disabled,
    add_user,
    disable_user,
    enable_user,
    find_user,
    list_users,
    set_password,
)
from visiona.stores.interfaces import Stores


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="add|list|disable|enable|passwd|link")
    add_parser = verbs.add_parser("add", help="make an account and its personal workspace")
    add_parser.add_argument("email", metavar="EMAIL")
    add_parser.add_argument("--name", default="", help="what to call the person")
    add_parser.add_argument("--admin", action="store_true", help="an administrator of this server")
    add_parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    add_parser.set_defaults(run=add)
    verbs.add_parser("list", help="every account").set_defaults(run=show_all)
    for verb, change, help_text in (
        ("disable", disable, "nothing of this account works any more, at once"),
        ("enable", enable, "undo disable"),
    ):
        change_parser = verbs.add_parser(verb, help=help_text)
        change_parser.add_argument("email", metavar="EMAIL")
        change_parser.set_defaults(run=change)
    passwd_parser = verbs.add_parser("passwd", help="set a new password; its sessions end")
    passwd_parser.add_argument("email", metavar="EMAIL")
    passwd_parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    passwd_parser.set_defaults(run=passwd)
    user_link.configure(verbs.add_parser("link", help="a link that signs somebody in once, for 15 minutes"))


def add(arguments: argparse.Namespace) -> int:
    """Makes an account. A password never comes as an argument: every process of the machine could read it there."""
    password_hash = hash_password(_password(from_stdin=arguments.password_stdin))

    async def operation(stores: Stores) -> User:
        return await add_user(
            stores, arguments.email, password_hash, now(), name=arguments.name, is_admin=arguments.admin
        )

    user = with_stores(arguments, operation)
    if arguments.json:
        print_json(_shown(user))
    else:
        print_facts({"id": user.id, "email": user.email, "name": user.name, "admin": user.is_admin})
    return Exit.OK


def show_all(arguments: argparse.Namespace) -> int:
    """Prints every account."""
    users = with_stores(arguments, list_users)
    if arguments.json:
        print_json([_shown(user) for user in users])
        return Exit.OK
    rows = [
        (user.email, user.name, "yes" if user.is_admin else "", user.created_at, user.disabled_at, user.id)
        for user in users
    ]
    print_table(
        ["email", "name", "admin", "created", "disabled", "id"],
        rows,
        "no accounts yet; visiona user add EMAIL --password-stdin",
    )
    return Exit.OK


def disable(arguments: argparse.Namespace) -> int:
    """Ends everything of an account, live sockets too."""
    return _change(arguments, disabled=True)


def enable(arguments: argparse.Namespace) -> int:
    """Undoes it."""
    return _change(arguments, disabled=False)


def passwd(arguments: argparse.Namespace) -> int:
    """Sets a new password; whoever is signed in with the old one is not any more."""
    password_hash = hash_password(_password(from_stdin=arguments.password_stdin))

    async def operation(stores: Stores) -> User:
        user = await find_user(stores, arguments.email)
        await set_password(stores, user.id, password_hash, now())
        return user

    user = with_stores(arguments, operation)
    if arguments.json:
        print_json({"id": user.id, "email": user.email, "changed": True})
    else:
        print(f"{user.email} has a new password; its sessions have ended")
    return Exit.OK


def _change(arguments: argparse.Namespace, *, disabled: bool) -> int:
    user, done = with_stores(arguments, partial(_set_disabled, arguments.email, disabled=disabled))
    if arguments.json:
        heirs = [
            {"workspace_id": heir.workspace_id, "workspace": heir.workspace, "owner": heir.email}
            for heir in done.heirs
        ]
        shown = {"id": user.id, "email": user.email, "disabled": disabled, "changed": done.changed}
        print_json({**shown, **({"new_owners": heirs} if disabled else {})})
        return Exit.OK
    word = "disabled" if disabled else "enabled"
    print(f"{user.email} is {word}" if done.changed else f"{user.email} was {word} already")
    for heir in done.heirs:
        print(f"{heir.email} owns the workspace {heir.workspace} now: nobody else who can sign in did")
    return Exit.OK


async def _set_disabled(email: str, stores: Stores, *, disabled: bool) -> tuple[User, Disabled]:
    user = await find_user(stores, email)
    if disabled:
        return user, await disable_user(stores, user.id, now())
    return user, Disabled(await enable_user(stores, user.id, now()), ())


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline(MAX_PASSWORD_BYTES + 2).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandError(
            "no password was given; pipe it in and say --password-stdin", code="USAGE", exit_code=Exit.USAGE
        )
    print_note("choose a password for the account")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError(
            "the two passwords differ; nothing was changed", code="USAGE", exit_code=Exit.USAGE
        )
    return password


def _shown(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "is_admin": user.is_admin,
        "created_at": moment(user.created_at),
        "disabled_at": moment(user.disabled_at),
    }
