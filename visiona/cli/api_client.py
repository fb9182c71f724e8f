"""A server somewhere, asked over its API with an access token out of a file."""

import argparse
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import trio

from visiona.cli.output import CommandError, Exit

TIMEOUT = httpx.Timeout(60.0, connect=10.0)

_EXITS = {
    "NOT_FOUND": Exit.NOT_FOUND,
    "VALIDATION_FAILED": Exit.USAGE,
    "STORE_UNAVAILABLE": Exit.STORE_UNAVAILABLE,
}


class Api:
    """One server's API, as the token's holder."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """What the answer holds; None for an empty one.

        Raises:
            CommandError: refused, or nobody is there.
        """
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            why = f": {error}" if str(error) else ""
            raise CommandError(
                f"the server at {self._client.base_url} cannot be reached{why}; check --server, and that it runs",
                code="UNREACHABLE",
            ) from error
        if not answer.is_success:
            raise refusal(answer)
        try:
            return answer.json()["data"] if answer.content else None
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(
                f"what answers at {self._client.base_url} is no visiona server; check --server",
                code="UNEXPECTED_ANSWER",
            ) from error

    async def events(self, method: str, path: str, body: object = None) -> AsyncGenerator[Any, None]:
        """What each event of an answer holds, until the server ends it or the connection breaks; close it.

        Raises:
            CommandError: refused, or nobody is there.
        """
        try:
            async with self._client.stream(method, path, json=body) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise refusal(answer)
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except (httpx.HTTPError, ValueError) as error:
            raise CommandError(
                f"the connection to {self._client.base_url} broke ({type(error).__name__}); check --server, and that"
                " it runs",
                code="UNREACHABLE",
            ) from error


@asynccontextmanager
async def open_api(server: str, token_file: Path) -> AsyncIterator[Api]:
    """Opens a client. It follows no redirect: the token goes where somebody said and nowhere else.

    Raises:
        CommandError: no such address can be, or the file holds no token.
        OSError: the token's file cannot be read.
    """
    if not server.startswith(("http://", "https://")):
        raise CommandError("--server must start with http:// or https://", code="USAGE", exit_code=Exit.USAGE)
    try:
        token = (await trio.Path(token_file).read_text(encoding="ascii")).strip()
    except UnicodeDecodeError:
        token = ""
    if not token.isprintable() or not token or " " in token:
        raise CommandError(f"{token_file} holds no access token", code="USAGE", exit_code=Exit.USAGE)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=server.rstrip("/"), headers=headers, timeout=TIMEOUT) as client:
        yield Api(client)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where the server is, and as whom."""
    parser.add_argument("--server", required=True, metavar="URL", help="where the server is")
    parser.add_argument(
        "--token-file", required=True, type=Path, metavar="FILE", help="holds an access token"
    )


def refusal(answer: httpx.Response) -> CommandError:
    """What the server said instead of doing it."""
    try:
        error = answer.json()["error"]
        message, code = str(error["message"]), str(error["code"])
    except (ValueError, KeyError, TypeError):
        message, code = f"the server answered {answer.status_code}", "UNEXPECTED_ANSWER"
    return CommandError(message, code=code, exit_code=_EXITS.get(code, Exit.FAILED))
