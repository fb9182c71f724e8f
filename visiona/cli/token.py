"""`visiona token create|list|revoke`: personal access tokens."""

import argparse
import re
from datetime import timedelta

from visiona.cli.output import Exit, moment, print_json, print_note, print_table
from visiona.cli.stores import with_stores
from visiona.domain.access import ALL_SCOPES, Scope
from visiona.domain.ids import TokenId
from visiona.domain.tokens import ACCESS_TOKEN_TTL, AccessToken
from visiona.domain.users import User
from visiona.services.clock import now
from visiona.services.tokens import (
    NewAccessToken,
    create_access_token,
    list_access_tokens,
    revoke_access_token,
)
from visiona.services.users import find_user, list_users
from visiona.stores.interfaces import Stores

_TTL = re.compile(r"([0-9]{1,6})([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="create|list|revoke")
    create_parser = verbs.add_parser("create", help="make a token; its text is shown once")
    create_parser.add_argument("--user", required=True, metavar="EMAIL", help="whose token it is")
    create_parser.add_argument("--name", required=True, help="what it is for")
    create_parser.add_argument(
        "--scope",
        action="extend",
        type=_scopes,
        metavar="SCOPE",
        help="what it may do, again for more, all if left out: " + ", ".join(scope.value for scope in Scope),
    )
    create_parser.add_argument(
        "--ttl",
        type=_ttl,
        default=ACCESS_TOKEN_TTL,
        metavar="TIME",
        help="how long it is good: 30m, 12h, 90d (the default), or none for ever",
    )
    create_parser.set_defaults(run=create)
    list_parser = verbs.add_parser("list", help="tokens, also expired and revoked ones")
    list_parser.add_argument("--user", metavar="EMAIL", help="only this person's")
    list_parser.set_defaults(run=show_all)
    revoke_parser = verbs.add_parser("revoke", help="end a token, and what runs on it, at once")
    revoke_parser.add_argument("id", metavar="ID", help="from `visiona token list`")
    revoke_parser.set_defaults(run=revoke)


def create(arguments: argparse.Namespace) -> int:
    """Makes a token. Only the token is on standard output, so that a script can take it."""
    scopes = frozenset(arguments.scope) if arguments.scope else ALL_SCOPES

    async def operation(stores: Stores) -> NewAccessToken:
        user = await find_user(stores, arguments.user)
        return await create_access_token(stores, user.id, arguments.name, scopes, now(), ttl=arguments.ttl)

    made = with_stores(arguments, operation)
    if arguments.json:
        print_json({**_shown(made.token), "token": made.text})
        return Exit.OK
    expires = made.token.expires_at
    print_note(f"this is shown once; it is good {'until ' + str(moment(expires)) if expires else 'for ever'}")
    print(made.text)
    return Exit.OK


def show_all(arguments: argparse.Namespace) -> int:
    """Prints one person's tokens, or everybody's."""

    async def operation(stores: Stores) -> list[tuple[User, AccessToken]]:
        users = [await find_user(stores, arguments.user)] if arguments.user else await list_users(stores)
        return [(user, token) for user in users for token in await list_access_tokens(stores, user.id)]

    found = with_stores(arguments, operation)
    if arguments.json:
        print_json([{**_shown(token), "user": user.email} for user, token in found])
        return Exit.OK
    rows = [
        (
            token.id,
            user.email,
            token.name,
            token.prefix,
            token.expires_at,
            token.last_used_at,
            token.revoked_at,
        )
        for user, token in found
    ]
    print_table(
        ["id", "user", "name", "begins with", "expires", "last used", "revoked"],
        rows,
        "no tokens yet; visiona token create --user EMAIL --name NAME",
    )
    return Exit.OK


def revoke(arguments: argparse.Namespace) -> int:
    """Ends a token."""

    async def operation(stores: Stores) -> list[TokenId]:
        return await revoke_access_token(stores, TokenId(arguments.id), now())

    ended = with_stores(arguments, operation)
    if arguments.json:
        print_json({"id": arguments.id, "changed": bool(ended), "also": ended[1:]})
        return Exit.OK
    print("the token is revoked" if ended else "the token was revoked already")
    if ended[1:]:
        print(f"with it {len(ended) - 1} that were made with it")
    return Exit.OK


def _scopes(text: str) -> list[Scope]:
    """One scope, or several with commas between."""
    known = {scope.value: scope for scope in Scope}
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        # An empty variable in a script must not end as a token for everything.
        raise argparse.ArgumentTypeError("name at least one scope, or leave --scope out for all of them")
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"no such scope: {unknown[0]}; use {', '.join(known)}")
    return [known[name] for name in names]


def _ttl(text: str) -> timedelta | None:
    if text in {"none", "never"}:
        return None
    match = _TTL.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time; write 30m, 12h, 90d or none")
    return timedelta(seconds=int(match[1]) * _UNIT_SECONDS[match[2]])


def _shown(token: AccessToken) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "token_prefix": token.prefix,
        "scopes": sorted(scope.value for scope in token.scopes),
        "created_at": moment(token.created_at),
        "expires_at": moment(token.expires_at),
        "last_used_at": moment(token.last_used_at),
        "revoked_at": moment(token.revoked_at),
    }
