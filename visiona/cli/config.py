"""`visiona config check|show [--origin]`."""

import argparse

from visiona.cli.output import Exit, print_json, print_note, print_table
from visiona.config import ConfigInvalid, Loaded, from_process
from visiona.config.keys import all_keys
from visiona.config.values import shown
from visiona.ops.scrub import mask_secrets

MASKED = "********"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the two verbs."""
    verbs = parser.add_subparsers(required=True, metavar="check|show")
    check_parser = verbs.add_parser("check", help="say every fault, or that there is none")
    check_parser.set_defaults(run=check)
    show_parser = verbs.add_parser("show", help="every key and its value")
    show_parser.add_argument("--origin", action="store_true", help="also where each value comes from")
    show_parser.set_defaults(run=show)


def check(arguments: argparse.Namespace) -> int:
    """Raises ConfigInvalid with every fault; warnings do not fail."""
    try:
        loaded = from_process(arguments.config, arguments.set)
    except ConfigInvalid as error:
        if arguments.json:
            print_json({"ok": False, "faults": [mask_secrets(fault) for fault in error.faults]})
        raise
    if arguments.json:
        print_json({"ok": True, "faults": [], "warnings": list(loaded.warnings)})
        return Exit.OK
    for warning in loaded.warnings:
        print_note(f"warning: {warning}")
    print("the configuration is fine")
    return Exit.OK


def show(arguments: argparse.Namespace) -> int:
    """Prints every key; secrets are only said to be set."""
    loaded = from_process(arguments.config, arguments.set)
    if arguments.json:
        print_json(
            {
                name: {"value": _value(loaded, name), "origin": loaded.origins[name]}
                if arguments.origin
                else _value(loaded, name)
                for name in all_keys()
            }
        )
        return Exit.OK
    rows = [(name, _text(loaded, name), loaded.origins[name]) for name in all_keys()]
    if arguments.origin:
        print_table(["key", "value", "origin"], rows, "no keys")
    else:
        print_table(["key", "value"], [row[:2] for row in rows], "no keys")
    return Exit.OK


def _value(loaded: Loaded, name: str) -> str | int | float | bool | list[str] | None:
    value = shown(loaded.values[name])
    return MASKED if value is not None and all_keys()[name].is_secret else value


def _text(loaded: Loaded, name: str) -> object:
    value = _value(loaded, name)
    return str(value).lower() if isinstance(value, bool) else value
