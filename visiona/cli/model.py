"""`visiona model push|list|rm`: beside the server as one of its people, or from anywhere with a token.

`load` and `loads` (model_load.py) ask the running server, which has the tunnels.
"""

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import trio

from visiona.cli import model_load
from visiona.cli.model_here import here
from visiona.cli.model_shelf import Facts, Shelf
from visiona.cli.model_there import there
from visiona.cli.output import CommandError, Exit, print_json, print_table

T = TypeVar("T")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="push|list|load|loads|rm")
    push_parser = verbs.add_parser(
        "push", help="bring a file; again after it broke off, it goes on from there"
    )
    push_parser.add_argument("file", type=Path, metavar="FILE")
    push_parser.add_argument(
        "--chip",
        action="append",
        required=True,
        metavar="CHIP",
        help="for which it is, such as KL720; again for more",
    )
    push_parser.add_argument("--name", help="what it is called; the file's name, if left out")
    push_parser.add_argument("--version", default="1", help="of the model; 1, if left out")
    push_parser.add_argument("--description", metavar="TEXT")
    push_parser.add_argument("--license", metavar="TEXT")
    push_parser.add_argument("--workspace", metavar="ID", help="whose it becomes; your own, if left out")
    push_parser.set_defaults(run=push)
    list_parser = verbs.add_parser("list", help="the models that you can see")
    list_parser.set_defaults(run=show_all)
    model_load.configure_load(verbs.add_parser("load", help="load a model onto an accelerator of a device"))
    model_load.configure_loads(verbs.add_parser("loads", help="which model is on which accelerator"))
    remove_parser = verbs.add_parser("rm", help="delete a model and its file")
    remove_parser.add_argument("id", metavar="ID")
    remove_parser.set_defaults(run=remove)
    for each in (push_parser, list_parser, remove_parser):
        each.add_argument("--user", metavar="EMAIL", help="on the server's machine: as whom")
        each.add_argument("--server", metavar="URL", help="from elsewhere: where the server is")
        each.add_argument(
            "--token-file", type=Path, metavar="FILE", help="with --server: holds an access token"
        )


def push(arguments: argparse.Namespace) -> int:
    """Brings a file and says which model it is."""
    facts = Facts(
        name=arguments.name or arguments.file.stem,
        version=arguments.version,
        chips=tuple(arguments.chip),
        description=arguments.description,
        license=arguments.license,
        workspace_id=arguments.workspace,
    )
    model = _on_shelf(arguments, lambda shelf: shelf.push(arguments.file, facts))
    if arguments.json:
        print_json(model)
    else:
        print(f"{model['id']}  {model['name']} {model['version']}, {model['file_size']:,} bytes")
    return Exit.OK


def show_all(arguments: argparse.Namespace) -> int:
    """Prints the models."""
    models = _on_shelf(arguments, lambda shelf: shelf.list())
    if arguments.json:
        print_json(models)
        return Exit.OK
    columns = ("id", "name", "version", "target_chips", "file_size", "status")
    rows = [[model.get(name) for name in columns] for model in models]
    print_table(["id", "name", "version", "chips", "bytes", "status"], rows, "no models yet")
    return Exit.OK


def remove(arguments: argparse.Namespace) -> int:
    """Deletes a model."""
    _on_shelf(arguments, lambda shelf: shelf.remove(arguments.id))
    if arguments.json:
        print_json({"model_id": arguments.id})
    else:
        print(f"removed {arguments.id}")
    return Exit.OK


def _on_shelf(arguments: argparse.Namespace, deed: Callable[[Shelf], Awaitable[T]]) -> T:
    if (arguments.server is None) == (arguments.user is None):
        raise _usage(
            "say --user EMAIL on the server's machine, or --server URL with --token-file FILE elsewhere"
        )
    if (arguments.server is None) != (arguments.token_file is None):
        raise _usage("--server and --token-file belong together")
    opened: Any = (
        here(arguments.config, arguments.set, arguments.user)
        if arguments.server is None
        else there(arguments.server, arguments.token_file)
    )

    async def run() -> T:
        async with opened as shelf:
            return await deed(shelf)

    return trio.run(run)


def _usage(message: str) -> CommandError:
    return CommandError(message, code="USAGE", exit_code=Exit.USAGE)
