"""`visiona migrate status|up`: the database's schema."""

import argparse

import trio

from visiona.cli.output import Exit, print_json, print_note, print_table
from visiona.config import from_process
from visiona.stores.opening import migrate_up, schema_status
from visiona.stores.sql.migrate import SchemaStatus


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="status|up")
    verbs.add_parser("status", help="which steps ran, and which are to run").set_defaults(run=status)
    verbs.add_parser("up", help="run what is to run; the server does so at its start too").set_defaults(
        run=up
    )


def status(arguments: argparse.Namespace) -> int:
    """Says how far the schema is; changes nothing."""
    settings = from_process(arguments.config, arguments.set).settings.stores
    found = trio.run(schema_status, settings)
    if arguments.json:
        print_json(_shown(found))
    elif found is None:
        print_note("memory: has no schema")
    else:
        rows = [(f"{step.number:04}", step.name, "ran") for step in found.applied]
        rows += [(f"{step.number:04}", step.name, "to run") for step in found.pending]
        print_table(["step", "name", "state"], rows, "no steps")
    return Exit.OK


def up(arguments: argparse.Namespace) -> int:
    """Brings the schema up to date."""
    settings = from_process(arguments.config, arguments.set).settings.stores
    before = trio.run(migrate_up, settings)
    ran = before.pending if before is not None else ()
    if arguments.json:
        print_json({"ran": [step.number for step in ran]})
    elif ran:
        print_table(["step", "name"], [(f"{step.number:04}", step.name) for step in ran], "")
    else:
        print("the schema is up to date")
    return Exit.OK


def _shown(found: SchemaStatus | None) -> dict[str, object]:
    if found is None:
        return {"applied": [], "pending": []}
    return {
        "applied": [{"number": step.number, "name": step.name} for step in found.applied],
        "pending": [{"number": step.number, "name": step.name} for step in found.pending],
    }
