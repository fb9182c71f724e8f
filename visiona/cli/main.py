"""The command line: find the command, run it, turn what goes wrong into one sentence and an exit code.

0 ok, 1 failed, 2 usage, 3 store unavailable, 4 not found.
"""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from visiona.cli.arguments import CommandParser
from visiona.cli.commands import COMMANDS
from visiona.cli.output import CommandError, Exit, print_error
from visiona.config import ConfigInvalid
from visiona.domain.errors import Invalid, NotFound, VisionaError
from visiona.stores.errors import StoreError, StoreUnavailable

_ADVICE = {
    errno.ENOENT: "; check the path",
    errno.EACCES: "; give this user the right, or be another one",
    errno.EISDIR: "; name a file",
    errno.ENOSPC: "; make room there, or name another place",
}
"""What to do about a file that cannot be used."""

_NO_LOG = logging.NullHandler()
"""A command says what went wrong itself; without any handler Python would print warnings beside that."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    logging.getLogger("visiona").addHandler(_NO_LOG)
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except SystemExit as leaving:  # argparse: --help, --version and wrong usage
        return leaving.code if isinstance(leaving.code, int) else Exit.USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `visiona … | head`: nobody reads any more. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def _run(arguments: list[str]) -> int:
    assignments: list[str] = []
    chosen, rest = _command_of(arguments, assignments)
    command = next(command for command in COMMANDS if command.name == chosen.command)
    parser = CommandParser(
        assignments, prog=f"visiona {command.name}", description=command.summary, allow_abbrev=False
    )
    command.configure(parser)
    defaults = argparse.Namespace(config=None, json=False)
    for name in ("config", "json"):
        if hasattr(chosen, name):
            setattr(defaults, name, getattr(chosen, name))
    parsed = parser.parse_args(rest, defaults)
    parsed.set = assignments
    return _guarded(parsed.run, parsed)


def _command_of(arguments: list[str], assignments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options before the command and the command itself, and what follows it."""
    parser = CommandParser(
        assignments,
        prog="visiona",
        description="A relay-first server for edge-AI units behind NAT.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n" + "\n".join(f"  {command.name:<9} {command.summary}" for command in COMMANDS),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"visiona {version('visiona')}")
    parser.add_argument("command", choices=[command.name for command in COMMANDS], metavar="command")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    if not arguments:
        parser.print_help(sys.stderr)
        raise SystemExit(Exit.USAGE)
    chosen = parser.parse_args(arguments)
    return chosen, chosen.arguments


def _guarded(run: Callable[[argparse.Namespace], int], parsed: argparse.Namespace) -> int:
    try:
        return run(parsed)
    except (ConfigInvalid, CommandError, StoreError, VisionaError, OSError) as error:
        return report(error)
    except BaseExceptionGroup as group:
        leaf = _only_leaf(group)
        if isinstance(leaf, (CommandError, StoreError, VisionaError, OSError)):
            return report(leaf)
        raise


def report(error: Exception) -> int:
    """Says what went wrong, and which exit code that is."""
    match error:
        case ConfigInvalid():
            for fault in error.faults:
                print_error(fault, "CONFIG_INVALID")
            # A service manager must not try again: systemd/visiona.service knows this code.
            return Exit.USAGE
        case CommandError():
            print_error(error.message, error.code)
            return error.exit_code
        case StoreUnavailable():
            print_error(f"{error}; {error.advice}", "STORE_UNAVAILABLE")
            return Exit.STORE_UNAVAILABLE
        case StoreError():
            print_error(str(error), _code_of(error))
            return Exit.STORE_UNAVAILABLE
        case VisionaError():
            print_error(error.message, error.code)
            return _exit_of(error)
        case BrokenPipeError():
            raise error
        case OSError():
            what = f"{error.filename}: " if error.filename else ""
            advice = _ADVICE.get(error.errno, "") if error.filename and error.errno else ""
            print_error(f"{what}{error.strerror or error}{advice}", "SYSTEM")
            return Exit.FAILED
        case _:
            raise error


def _exit_of(error: VisionaError) -> Exit:
    match error:
        case NotFound():
            return Exit.NOT_FOUND
        case Invalid():
            return Exit.USAGE
        case _:
            return Exit.FAILED


def _code_of(error: StoreError) -> str:
    # StoreBusy → STORE_BUSY
    name = type(error).__name__
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).strip("_").upper()


def _only_leaf(group: BaseException) -> BaseException:
    """The error inside groups of one; a group of several is a bug and stays one."""
    while isinstance(group, BaseExceptionGroup) and len(group.exceptions) == 1:
        group = group.exceptions[0]
    return group
