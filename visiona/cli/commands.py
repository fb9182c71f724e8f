"""The table of commands: a new command is a line here and a file beside.

A command's module is imported only when it is asked for, so `visiona version` does not load a web server.
"""

import importlib
from argparse import ArgumentParser
from collections.abc import Callable
from typing import NamedTuple


class Command(NamedTuple):
    """One command.

    Attributes:
        name: what people type.
        module: where its `configure(parser)` is, which adds the arguments and sets `run`, a function of the parsed
            arguments that returns an exit code.
        summary: one line for the list of commands.
    """

    name: str
    module: str
    summary: str

    def configure(self, parser: ArgumentParser) -> None:
        """Adds the command's arguments to its parser."""
        configure: Callable[[ArgumentParser], None] = importlib.import_module(self.module).configure
        configure(parser)


COMMANDS = (
    Command("serve", "visiona.cli.serve", "run the server"),
    Command("demo", "visiona.cli.demo", "run a server and a sample edge unit, and show what they do"),
    Command("config", "visiona.cli.config", "check the configuration, or show it and where it comes from"),
    Command(
        "migrate",
        "visiona.cli.migrate",
        "show the database's schema, bring it up or back, or move to PostgreSQL",
    ),
    Command("backup", "visiona.cli.backup", "write everything that is kept into one file"),
    Command("restore", "visiona.cli.restore", "put a backup back"),
    Command(
        "user",
        "visiona.cli.user",
        "add, list, disable and enable accounts, set passwords, make sign-in links",
    ),
    Command("session", "visiona.cli.session", "list and end people's sessions"),
    Command("idp", "visiona.cli.idp", "replace the keys of the built-in identity provider"),
    Command("token", "visiona.cli.token", "create, list and revoke personal access tokens"),
    Command("device", "visiona.cli.device", "list, show and remove devices"),
    Command("workspace", "visiona.cli.workspace", "workspaces and their people, over the API with a token"),
    Command("model", "visiona.cli.model", "bring a model to the server, list and remove models"),
    Command("mail", "visiona.cli.mail", "check that invitations can be mailed"),
    Command("audit", "visiona.cli.audit", "show or export who did what"),
    Command("agent", "visiona.cli.agent", "pair and run the reference agent on an edge unit"),
    Command("version", "visiona.cli.version", "print the version"),
)
