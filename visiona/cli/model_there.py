"""Models of a server somewhere, over its API with an access token. An upload that breaks off goes on where it was."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import trio

from visiona.cli.api_client import TIMEOUT, Api, open_api, refusal
from visiona.cli.model_shelf import Facts, measured, pieces_of
from visiona.cli.output import CommandError
from visiona.cli.progress import RowProgress

ATTEMPTS = 8
"""Without a byte getting through, about two minutes; each byte that does begins them anew."""

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0

_LATER = frozenset({408, 409, 429, 502, 503, 504})
"""Answers that may be other ones in a moment; 409 while the server still holds the connection that broke."""


class _TryAgain(Exception):
    """This attempt ended, and another one may not."""


class _LinkEnded(Exception):
    """The link was good for a quarter of an hour."""


@asynccontextmanager
async def there(server: str, token_file: Path) -> AsyncIterator["RemoteShelf"]:
    """Opens a client.

    Raises:
        CommandError: no such address can be.
        OSError: the token's file cannot be read.
    """
    # A link needs no token, and may lead to somebody else's server.
    async with (
        open_api(server, token_file) as api,
        httpx.AsyncClient(base_url=server.rstrip("/"), timeout=TIMEOUT) as uploads,
    ):
        yield RemoteShelf(api, uploads)


class RemoteShelf:
    """See model_shelf.Shelf."""

    def __init__(self, api: Api, uploads: httpx.AsyncClient) -> None:
        self._api, self._uploads = api, uploads

    async def push(self, path: Path, facts: Facts) -> Mapping[str, Any]:
        """Brings a file."""
        size, sha256 = await measured(path)
        said = {
            "name": facts.name,
            "version": facts.version,
            "target_chips": list(facts.chips),
            "file_size": size,
            "sha256": sha256,
            "description": facts.description,
            "license": facts.license,
            "workspace_id": facts.workspace_id,
        }
        begun = await self._api.ask("POST", "/api/models/init", said)
        if "upload_url" in begun:
            upload = _Upload(self._uploads, path, size)
            while not await upload.run(begun["upload_url"], is_resumable=begun.get("resumable", True)):
                begun = await self._api.ask("POST", "/api/models/init", said)
            model_id = begun["model"]["id"]
            begun = {"model": await self._api.ask("POST", f"/api/models/{model_id}/finalize")}
        model: Mapping[str, Any] = begun["model"]
        return model

    async def list(self) -> Sequence[Mapping[str, Any]]:
        """What the token's holder can see."""
        models: Sequence[Mapping[str, Any]] = await self._api.ask("GET", "/api/models")
        return models

    async def remove(self, model_id: str) -> None:
        """Deletes one."""
        await self._api.ask("DELETE", f"/api/models/{quote(model_id, safe='')}")


class _Upload:
    """One file on its way, however many connections it takes.

    Attributes:
        received: how many bytes are there for certain; -1 before that was asked.
    """

    def __init__(self, client: httpx.AsyncClient, path: Path, size: int) -> None:
        self._client, self._path, self._size = client, path, size
        self._progress = RowProgress("uploading", unit="bytes")
        self._progress.begin(size)
        self._shown = 0
        self._failures = 0
        self.received = -1

    async def run(self, url: str, *, is_resumable: bool) -> bool:
        """Brings all of it; False: the link has ended, and another one is needed to go on.

        Args:
            is_resumable: False for an object store's own URL, where a file goes in one piece.

        Raises:
            CommandError: refused, or nothing got through for too long.
        """
        while True:
            try:
                if not is_resumable:
                    await self._bring_whole(url)
                    return True
                await self._ask_received(url)
                if self.received == self._size:
                    self._progress.end()
                    return True
                await self._bring_rest(url)
            except _LinkEnded:
                self._failures += 1
                if self._failures < ATTEMPTS:
                    return False
                raise self._broken_off() from None
            except (_TryAgain, httpx.TransportError) as error:
                self._failures += 1
                if self._failures >= ATTEMPTS:
                    raise self._broken_off() from error
                await trio.sleep(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1)))

    async def _ask_received(self, url: str) -> None:
        there = await self._put(url, {"Content-Range": f"bytes */{self._size}"}, b"")
        if there > self.received:
            self._failures = 0
        self.received = there
        self._show(there)

    async def _bring_rest(self, url: str) -> None:
        headers = {
            "Content-Range": f"bytes {self.received}-{self._size - 1}/{self._size}",
            "Content-Length": str(self._size - self.received),
        }
        async with aclosing(self._pieces(self.received)) as pieces:
            await self._put(url, headers, pieces)

    async def _bring_whole(self, url: str) -> None:
        self._show(0)
        async with aclosing(self._pieces(0)) as pieces:
            await self._sent(url, {"Content-Length": str(self._size)}, pieces)
        self._progress.end()

    async def _pieces(self, start: int) -> AsyncGenerator[bytes, None]:
        async with aclosing(pieces_of(self._path, start)) as pieces:
            async for piece in pieces:
                yield piece
                self._show(self._shown + len(piece))

    async def _put(self, url: str, headers: dict[str, str], body: Any) -> int:  # noqa: ANN401 - bytes or pieces
        answer = await self._sent(url, headers, body)
        return int(answer.json()["data"]["received_bytes"])

    async def _sent(self, url: str, headers: dict[str, str], body: Any) -> httpx.Response:  # noqa: ANN401 - as above
        answer = await self._client.put(url, headers=headers, content=body)
        if answer.is_success:
            return answer
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise _LinkEnded
        if answer.status_code in _LATER:
            raise _TryAgain
        raise refusal(answer)

    def _show(self, passed: int) -> None:
        self._progress.step(passed - self._shown)
        self._shown = passed

    def _broken_off(self) -> CommandError:
        return CommandError(
            f"the upload broke off at byte {max(self.received, 0):,} of {self._size:,};"
            " run the command again to go on from there",
            code="UPLOAD_BROKE_OFF",
        )
