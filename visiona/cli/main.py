"""The command line: find the command, run it, turn what goes wrong into one sentence and an exit code.

0 ok, 1 failed, 2 usage, 3 store unavailable, 4 not found.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from visiona.cli.commands import COMMANDS
from visiona.cli.output import CommandError, Exit, print_error
from visiona.config import ConfigInvalid
from visiona.domain.errors import Invalid, NotFound, VisionaError
from visiona.stores.errors import StoreError, StoreUnavailable


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
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
    common = _common_options()
    first = argparse.ArgumentParser(
        prog="visiona",
        description="A relay-first server for edge-AI units behind NAT.",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n" + "\n".join(f"  {command.name:<9} {command.summary}" for command in COMMANDS),
    )
    first.add_argument("--version", action="version", version=f"visiona {version('visiona')}")
    first.add_argument("command", choices=[command.name for command in COMMANDS], metavar="command")
    first.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    chosen = first.parse_args(arguments)
    command = next(command for command in COMMANDS if command.name == chosen.command)
    parser = argparse.ArgumentParser(
        prog=f"visiona {command.name}", description=command.summary, parents=[common]
    )
    command.configure(parser)
    defaults = argparse.Namespace(config=None, set=[], json=False)
    for name in ("config", "set", "json"):
        if hasattr(chosen, name):
            setattr(defaults, name, getattr(chosen, name))
    parsed = parser.parse_args(chosen.arguments, defaults)
    return _guarded(parsed.run, parsed)


def _common_options() -> argparse.ArgumentParser:
    # No defaults here: an option before the command must survive the command's own parser.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", metavar="FILE", type=Path, help="configuration file ($VISIONA_CONFIG)")
    common.add_argument(
        "--set", metavar="KEY=VALUE", action="append", help="one setting, such as web.listen=127.0.0.1:0"
    )
    common.add_argument("--json", action="store_true", help="write JSON")
    return common


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
            print_error(f"{error}; nothing was changed, try again", "STORE_UNAVAILABLE")
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
            print_error(f"{what}{error.strerror or error}", "SYSTEM")
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
