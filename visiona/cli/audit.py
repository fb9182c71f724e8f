"""`visiona audit list|export`: who did what, from where; for the operator, who sees everything."""

import argparse
import json
import sys
from dataclasses import replace

from visiona.cli.output import Exit, print_json, print_table
from visiona.cli.stores import with_stores
from visiona.domain.audit import AuditEntry, AuditFilter, Deed
from visiona.domain.ids import WorkspaceId
from visiona.domain.pages import MAX_PAGE, Page
from visiona.services.audit import list_audit
from visiona.services.audit_export import FORMATS, export_audit, shown
from visiona.services.clock import now
from visiona.services.users import find_user
from visiona.stores.interfaces import Stores
from visiona.web.api.audit import moment_of

LISTED = 50
"""Entries, where nothing else is asked: what fits a person's eye."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="list|export")
    list_parser = verbs.add_parser("list", help="the newest entries")
    _add_filters(list_parser)
    list_parser.add_argument(
        "--limit", type=int, default=LISTED, metavar="N", help=f"so many, up to {MAX_PAGE}"
    )
    list_parser.set_defaults(run=show)
    export_parser = verbs.add_parser("export", help="all of it, as lines of JSON or a table")
    _add_filters(export_parser)
    export_parser.add_argument("--format", choices=list(FORMATS), default="ndjson")
    export_parser.set_defaults(run=export)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--deed", choices=[deed.value for deed in Deed], metavar="DEED", help="only this deed"
    )
    parser.add_argument("--user", metavar="EMAIL", help="only what this person did")
    parser.add_argument(
        "--subject", metavar="ID", help="only what was done to this device, token, account, …"
    )
    parser.add_argument("--workspace", metavar="ID", help="only what happened in this workspace")
    parser.add_argument(
        "--since", metavar="TIME", help="from this moment on: 2026-01-02 or 2026-01-02T03:04:05Z"
    )
    parser.add_argument("--until", metavar="TIME", help="before this moment")


def show(arguments: argparse.Namespace) -> int:
    """Prints a page."""
    wanted = _wanted(arguments)

    async def operation(stores: Stores) -> Page[AuditEntry]:
        return await list_audit(
            stores, None, await _of_user(stores, arguments, wanted), limit=arguments.limit
        )

    page = with_stores(arguments, operation)
    if arguments.json:
        print_json([shown(entry) for entry in page.items])
        return Exit.OK
    rows = [
        (
            entry.at,
            entry.deed,
            entry.email or entry.user_id or entry.through,
            entry.address,
            entry.subject,
            json.dumps(dict(entry.details), ensure_ascii=False) if entry.details else None,
        )
        for entry in page.items
    ]
    print_table(["at", "deed", "who", "from", "what", "details"], rows, "nothing is in the audit log")
    return Exit.OK


def export(arguments: argparse.Namespace) -> int:
    """Writes everything to standard output."""
    wanted = _wanted(arguments)

    async def operation(stores: Stores) -> None:
        narrowed = await _of_user(stores, arguments, wanted)
        async for piece in await export_audit(stores, None, narrowed, arguments.format, now()):
            # Whole lines, so no character is cut.
            sys.stdout.write(piece.decode())

    with_stores(arguments, operation)
    return Exit.OK


def _wanted(arguments: argparse.Namespace) -> AuditFilter:
    """The filter, its user aside; raises Invalid."""
    return AuditFilter(
        deed=arguments.deed,
        subject=arguments.subject,
        workspace_id=WorkspaceId(arguments.workspace) if arguments.workspace else None,
        since=moment_of(arguments.since, "--since") if arguments.since else None,
        until=moment_of(arguments.until, "--until") if arguments.until else None,
    )


async def _of_user(stores: Stores, arguments: argparse.Namespace, wanted: AuditFilter) -> AuditFilter:
    if arguments.user is None:
        return wanted
    return replace(wanted, user_id=(await find_user(stores, arguments.user)).id)
