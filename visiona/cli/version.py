"""`visiona version`."""

import argparse
import platform
from importlib.metadata import version

from visiona.cli.output import Exit, print_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds nothing: there is only one way to ask."""
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints it."""
    if arguments.json:
        print_json({"version": version("visiona"), "python": platform.python_version()})
    else:
        print(f"visiona {version('visiona')}")
    return Exit.OK
