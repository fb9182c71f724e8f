"""`visiona mail check [--to ADDRESS]`: whether mail can be sent with these settings, and if not, why."""

import argparse

import trio

from visiona.cli.output import CommandError, Exit, print_json, print_note
from visiona.config import from_process
from visiona.integrations.mail.faults import MailFault
from visiona.integrations.mail.letters import Letter
from visiona.integrations.mail.settings import MailSettings
from visiona.integrations.mail.smtp import MailServer

TEXT = "This mail was sent by visiona mail check: mail from this server arrives.\n"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verb."""
    verbs = parser.add_subparsers(required=True, metavar="check")
    check_parser = verbs.add_parser(
        "check", help="go to the mail server as invitations do, and say what is wrong"
    )
    check_parser.add_argument("--to", metavar="ADDRESS", help="also send a mail there")
    check_parser.set_defaults(run=check)


def check(arguments: argparse.Namespace) -> int:
    """Goes to the server."""
    loaded = from_process(arguments.config, arguments.set)
    for warning in loaded.warnings:
        print_note(f"warning: {warning}")
    settings = loaded.settings.mail
    if not settings.is_on:
        raise CommandError("mail.host is not set, so no mail is sent", code="NO_MAIL")
    place = f"{settings.host}:{settings.port_or_usual}"
    try:
        trio.run(_go, settings, arguments.to)
    except MailFault as fault:
        said = f"; it said: {fault.said}" if fault.said else ""
        raise CommandError(fault.sentence + said, code="MAIL_REFUSED") from fault
    if arguments.json:
        print_json({"ok": True, "server": place, "sent_to": arguments.to})
    elif arguments.to is not None:
        print(f"{place} took a mail for {arguments.to}")
    else:
        print(f"{place} takes mail of this server; add --to ADDRESS to send one")
    return Exit.OK


async def _go(settings: MailSettings, to: str | None) -> None:
    server = MailServer(settings)
    if to is None:
        await server.check()
        return
    html = f'<!doctype html>\n<html lang="en"><head><title>visiona</title></head><body><p>{TEXT}</p></body></html>\n'
    await server.deliver(Letter("a check", to, "Mail from visiona arrives", TEXT, html, "en"))
