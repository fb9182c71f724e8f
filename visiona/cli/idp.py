"""`visiona idp rotate-keys`."""

import argparse

from visiona.cli.output import CommandError, Exit, print_json
from visiona.config import from_process
from visiona.services.clock import now
from visiona.web.idp.key_file import key_path, rotate_keys


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="rotate-keys")
    help_text = "a new key signs from now on; a running server notices by itself"
    verbs.add_parser("rotate-keys", help=help_text).set_defaults(run=rotate)


def rotate(arguments: argparse.Namespace) -> int:
    """Puts a new key in use; what the old one signed stays good."""
    settings = from_process(arguments.config, arguments.set).settings
    if settings.stores.is_memory:
        raise CommandError(
            "the database is memory:, and the keys live in the server alone; restart it", code="NO_DATABASE"
        )
    keys = rotate_keys(key_path(settings.state_dir), now())
    if arguments.json:
        print_json({"kid": keys.current.kid, "kids": [each.key.kid for each in keys.signing]})
    else:
        print(f"a new key signs from now on: {keys.current.kid}")
    return Exit.OK
