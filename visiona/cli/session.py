"""`visiona session list|end`: who is signed in, and ending it."""

import argparse

from visiona.cli.output import CommandError, Exit, moment, print_json, print_table
from visiona.cli.stores import with_stores
from visiona.domain.ids import SessionId
from visiona.domain.sessions import UserSession
from visiona.domain.users import User
from visiona.services.clock import now
from visiona.services.sessions import end_all_sessions, end_session, list_sessions
from visiona.services.users import find_user, list_users
from visiona.stores.interfaces import Stores


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="list|end")
    list_parser = verbs.add_parser("list", help="who is signed in")
    list_parser.add_argument("--user", metavar="EMAIL", help="only this person's")
    list_parser.set_defaults(run=show_all)
    end_parser = verbs.add_parser("end", help="end a session, and what runs on it, at once")
    end_parser.add_argument("id", metavar="ID", nargs="?", help="from `visiona session list`")
    end_parser.add_argument("--user", metavar="EMAIL", help="all of this person's")
    end_parser.set_defaults(run=end)


def show_all(arguments: argparse.Namespace) -> int:
    """Prints one person's live sessions, or everybody's."""

    async def operation(stores: Stores) -> list[tuple[User, UserSession]]:
        users = [await find_user(stores, arguments.user)] if arguments.user else await list_users(stores)
        return [(user, each) for user in users for each in await list_sessions(stores, user.id, now())]

    found = with_stores(arguments, operation)
    if arguments.json:
        print_json([{**_shown(session), "user": user.email} for user, session in found])
        return Exit.OK
    rows = [
        (
            session.id,
            user.email,
            session.created_at,
            session.last_seen_at,
            session.idle_expires_at,
            session.address,
            session.user_agent,
        )
        for user, session in found
    ]
    headings = ["id", "user", "since", "last seen", "until", "address", "browser"]
    print_table(headings, rows, "nobody is signed in")
    return Exit.OK


def end(arguments: argparse.Namespace) -> int:
    """Ends one session, or all of one person."""
    if (arguments.id is None) == (arguments.user is None):
        raise CommandError(
            "name one session by its id, or a person by --user", code="USAGE", exit_code=Exit.USAGE
        )

    async def operation(stores: Stores) -> list[SessionId]:
        if arguments.user is not None:
            return await end_all_sessions(stores, (await find_user(stores, arguments.user)).id, now())
        await end_session(stores, SessionId(arguments.id), now())
        return [SessionId(arguments.id)]

    ended = with_stores(arguments, operation)
    if arguments.json:
        print_json({"ended": ended})
    else:
        print("the session is over" if arguments.user is None else f"{len(ended)} sessions are over")
    return Exit.OK


def _shown(session: UserSession) -> dict[str, object]:
    return {
        "id": session.id,
        "created_at": moment(session.created_at),
        "last_seen_at": moment(session.last_seen_at),
        "expires_at": moment(session.idle_expires_at),
        "absolute_expires_at": moment(session.absolute_expires_at),
        "address": session.address,
        "user_agent": session.user_agent,
        "issuer": session.issuer,
    }
