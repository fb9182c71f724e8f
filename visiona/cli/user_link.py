"""`visiona user link`: a link that signs somebody in once, without the password; also the first administrator's."""

import argparse
from datetime import datetime

from visiona.cli.output import CommandError, Exit, moment, print_json, print_note
from visiona.cli.ready_file import running_web_or_none
from visiona.cli.stores import with_stores
from visiona.config import Settings, from_process
from visiona.domain.listen import reachable_url
from visiona.domain.one_time_links import ONE_TIME_LINK_TTL
from visiona.services.clock import now
from visiona.services.users import find_user
from visiona.stores.interfaces import Stores
from visiona.web.bff.place import Place
from visiona.web.idp.addresses import first_admin_url, sign_in_url


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("email", metavar="EMAIL", nargs="?", help="whom it signs in")
    who.add_argument(
        "--first", action="store_true", help="while nobody has a password: makes the first account"
    )
    parser.add_argument("--url", metavar="BASE", help="where browsers reach the server (web.public_url)")
    parser.set_defaults(run=link)


def link(arguments: argparse.Namespace) -> int:
    """Prints the link, once: only its hash is kept."""
    settings = from_process(arguments.config, arguments.set).settings
    if settings.oidc.issuer is not None:
        raise CommandError(
            f"people sign in at {settings.oidc.issuer}; ask there for a new password", code="OTHER_PROVIDER"
        )
    place = _place(settings, arguments.url)

    async def operation(stores: Stores) -> tuple[str, datetime]:
        made_at = now()
        if arguments.first:
            return await _first(stores, place, made_at), made_at
        user = await find_user(stores, arguments.email)
        return await sign_in_url(stores, place, user.id, made_at), made_at

    url, made_at = with_stores(arguments, operation)
    if arguments.json:
        print_json({"link": url, "expires_at": moment(made_at + ONE_TIME_LINK_TTL)})
    else:
        print(url)
        print_note("works once, for 15 minutes; whoever has it is let in")
    return Exit.OK


async def _first(stores: Stores, place: Place, made_at: datetime) -> str:
    url = await first_admin_url(stores, place, made_at)
    if url is None:
        raise CommandError(
            "somebody has a password already; name the account: visiona user link EMAIL", code="CONFLICT"
        )
    return url


def _place(settings: Settings, base: str | None) -> Place:
    if base is not None and not base.startswith(("http://", "https://")):
        raise CommandError("--url must start with http:// or https://", code="USAGE", exit_code=Exit.USAGE)
    listen = settings.web.listen
    public_url = base or settings.web.public_url or running_web_or_none(settings.state_dir)
    if public_url is None and listen.port == 0:
        raise CommandError(
            "no server runs here, and it takes any free port; say where it will be: --url http://127.0.0.1:PORT",
            code="USAGE",
            exit_code=Exit.USAGE,
        )
    return Place(public_url, lambda: reachable_url("http", listen.host or "127.0.0.1", listen.port))
