"""`visiona migrate status|up|down|to-postgres`: the database's schema, and its engine."""

import argparse

import trio

from visiona.cli import to_postgres
from visiona.cli.confirming import confirm
from visiona.cli.output import CommandError, Exit, print_json, print_note, print_table
from visiona.config import from_process
from visiona.stores.opening import migrate_down, migrate_up, schema_status
from visiona.stores.sql.migrate import SchemaStatus, known_migrations, steps_to_undo


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="status|up|down|to-postgres")
    verbs.add_parser("status", help="which steps ran, and which are to run").set_defaults(run=status)
    verbs.add_parser("up", help="run what is to run; the server does so at its start too").set_defaults(
        run=up
    )
    back = verbs.add_parser("down", help="take steps back, before an older version is installed")
    back.add_argument(
        "--to", type=int, metavar="N", help="the last step that stays; else all but the newest stay"
    )
    back.add_argument("--yes", action="store_true", help="do not ask")
    back.set_defaults(run=down)
    move = verbs.add_parser("to-postgres", help="copy everything from the SQLite file into an empty database")
    to_postgres.configure(move)


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


def down(arguments: argparse.Namespace) -> int:
    """Takes steps back, the newest first."""
    settings = from_process(arguments.config, arguments.set).settings.stores
    found = trio.run(schema_status, settings)
    last = max((step.number for step in found.applied), default=0) if found is not None else 0
    to = last - 1 if arguments.to is None else arguments.to
    if found is None or last == 0 or to >= last:
        return _undone((), arguments)
    if to < 0:
        raise CommandError(
            "--to: write the number of the last step that stays, or 0", code="USAGE", exit_code=Exit.USAGE
        )
    steps = steps_to_undo(known_migrations(), found, to)
    if not arguments.yes:
        losses = "; ".join(f"step {step.number:04} ({step.name}): {step.loss}" for step in steps)
        confirm(f"going back to step {to:04} loses, with {losses}", "down")
    trio.run(migrate_down, settings, to)
    print_note("this version's server runs these steps again when it starts: install the older one first")
    return _undone(tuple(step.number for step in steps), arguments)


def _undone(numbers: tuple[int, ...], arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json({"undone": list(numbers)})
    elif numbers:
        print(f"undone: {', '.join(f'{number:04}' for number in numbers)}")
    else:
        print("nothing to undo")
    return Exit.OK


def _shown(found: SchemaStatus | None) -> dict[str, object]:
    if found is None:
        return {"applied": [], "pending": []}
    return {
        "applied": [{"number": step.number, "name": step.name} for step in found.applied],
        "pending": [{"number": step.number, "name": step.name} for step in found.pending],
    }
