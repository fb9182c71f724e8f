"""`visiona idp rotate-keys`."""

import argparse

from visiona.cli.output import CommandError, Exit, moment, print_json
from visiona.config import from_process
from visiona.services.clock import now
from visiona.web.idp.key_file import key_path, rotate_keys
from visiona.web.idp.keys import ANNOUNCE


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="rotate-keys")
    help_text = "a new key, which signs as soon as it is known; a running server notices by itself"
    verbs.add_parser("rotate-keys", help=help_text).set_defaults(run=rotate)


def rotate(arguments: argparse.Namespace) -> int:
    """Makes a new key; what the old one signed stays good."""
    settings = from_process(arguments.config, arguments.set).settings
    if settings.stores.is_memory:
        raise CommandError(
            "the database is memory:, and the keys live in the server alone; restart it", code="NO_DATABASE"
        )
    made_at = now()
    keys = rotate_keys(key_path(settings.state_dir), made_at)
    if arguments.json:
        kids = [each.key.kid for each in keys.signing]
        signs_from = moment(made_at + ANNOUNCE)
        print_json({"kid": keys.newest.kid, "signs_from": signs_from, "kids": kids})
    else:
        print(f"a new key is published and signs in {ANNOUNCE.seconds // 60} minutes: {keys.newest.kid}")
    return Exit.OK
