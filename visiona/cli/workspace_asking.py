"""What the verbs of `visiona workspace` share: asking, finding a workspace by its name, printing."""

import argparse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import trio

from visiona.cli.api_client import Api, open_api
from visiona.cli.output import CommandError, Exit, print_json, print_table
from visiona.domain.ids import is_uuid

T = TypeVar("T")
Item = Mapping[str, Any]


def asked(arguments: argparse.Namespace, ask: Callable[[Api], Awaitable[T]]) -> T:
    """What the server answers."""

    async def run() -> T:
        async with open_api(arguments.server, arguments.token_file) as api:
            return await ask(api)

    return trio.run(run)


async def workspaces_of(api: Api) -> Sequence[Item]:
    """The caller's."""
    found: Sequence[Item] = (await api.ask("GET", "/api/workspaces"))["items"]
    return found


async def workspace_id_of(api: Api, named: str) -> str:
    """The id of the workspace of this id or name."""
    if is_uuid(named):
        return named
    found = [str(each["id"]) for each in await workspaces_of(api) if each["name"] == named]
    if len(found) > 1:
        raise CommandError(
            f"{len(found)} of your workspaces are called {named!r}: say which by its id",
            code="USAGE",
            exit_code=Exit.USAGE,
        )
    if not found:
        raise CommandError(
            f"no workspace of yours is called {named!r}; see visiona workspace list",
            code="NOT_FOUND",
            exit_code=Exit.NOT_FOUND,
        )
    return found[0]


def id_of(text: str, what: str) -> str:
    """An id that becomes part of a path; raises CommandError for what is none."""
    if not is_uuid(text):
        raise CommandError(
            f"there is no such {what}: write its id", code="NOT_FOUND", exit_code=Exit.NOT_FOUND
        )
    return text


def print_all(
    arguments: argparse.Namespace,
    found: Sequence[Item],
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    empty: str,
) -> int:
    """Prints a list, as asked for."""
    if arguments.json:
        print_json(found)
    else:
        print_table(headings, rows, empty)
    return Exit.OK


def print_one(arguments: argparse.Namespace, item: Item, sentence: str) -> int:
    """Prints one thing, as asked for."""
    if arguments.json:
        print_json(item)
    else:
        print(sentence)
    return Exit.OK
